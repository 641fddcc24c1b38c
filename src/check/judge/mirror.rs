//! The mirror as a whole.

use super::Topic::Mirror;
use super::{Finding, Report};
use crate::check::facts::{Form, Kind, List, Replacing, UnknownName};
use crate::check::text::{many, number, quoted};

/// More listed projects than `watch.mode = "auto"` watches.
const WATCHED: usize = crate::watch::AUTO;

const LOGIN: &str = "Write user:password into a file, name that file in upstream.credentials and set access = \"open\" in the \
    configuration file; everybody who reaches countersign can then read what this login can read.";

pub(super) fn judge(report: &Report) -> Vec<Finding> {
    let mut findings = vec![list(report)];
    if let List::Listed { unnamed: unnamed @ 1.., .. } = report.list {
        findings.push(Mirror.fail(
            format!(
                "Of the list's entries, {} cannot be the name of a project (PEP 508).",
                number(unnamed)
            ),
            "Rename or remove these projects on the mirror: they would not be signed.",
        ));
    }
    if matches!(report.list, List::Failed { .. }) {
        return findings;
    }
    findings.insert(0, kind(report));
    if matches!(report.list, List::Login { .. }) || is_nothing(report) {
        return findings;
    }
    findings.push(login(report));
    if report.plain_http {
        findings.push(Mirror.note(
            "It is asked over plain http: whoever stands on the way decides what is signed.",
            "Use its https:// URL, or run countersign on the mirror's own machine.",
        ));
    }
    findings.extend(unknown_name(report));
    findings.push(replacing(report));
    findings
}

/// Whether neither a list nor any project was found: what else it answers says nothing.
fn is_nothing(report: &Report) -> bool {
    matches!(report.list, List::Missing) && report.sample.answered() == report.sample.missing.count
}

fn kind(report: &Report) -> Finding {
    let mirror = &report.mirror;
    let evidence = &mirror.evidence;
    if mirror.kind == Kind::Unknown {
        return Mirror.ok(format!(
            "What kind of mirror it is cannot be told ({evidence}); whatever speaks the simple API can be signed."
        ));
    }
    let version = mirror.version.as_ref().map(|v| format!(" {v}")).unwrap_or_default();
    Mirror.ok(format!("It seems to be {}{version} ({evidence}).", name(mirror.kind)))
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Devpi => "devpi",
        Kind::Pypiserver => "pypiserver",
        Kind::Bandersnatch => "a tree written by bandersnatch",
        Kind::Warehouse => "Warehouse, the software of pypi.org",
        Kind::Nexus => "Sonatype Nexus",
        Kind::Artifactory => "JFrog Artifactory",
        Kind::Pulp => "Pulp",
        Kind::Proxpi => "proxpi",
        Kind::Simpleindex => "simpleindex",
        Kind::Unknown => "unknown",
    }
}

fn list(report: &Report) -> Finding {
    match &report.list {
        List::Listed { projects: 0, .. } => Mirror.note(
            "Its project list is empty.",
            "Nothing to do if the mirror is new; otherwise look whether this URL is the right one.",
        ),
        List::Listed { projects, format, .. } => {
            let format = match format {
                Form::Json => "JSON",
                Form::Html => "HTML",
            };
            let what = format!("It lists {}, in {format}.", many(*projects, "project"));
            match *projects > WATCHED {
                false => Mirror.ok(what),
                true => Mirror.note(
                    format!("{what} Of more than {}, only those that clients ask for are signed.", number(WATCHED)),
                    "Set watch.mode = \"all\" in the configuration file if all of them are to be signed at once.",
                ),
            }
        }
        List::Missing if !is_nothing(report) => Mirror.note(
            "It has no project list (404).",
            "Nothing to do: a project is signed when a client asks for it for the first time.",
        ),
        List::Missing => Mirror.fail(
            "It has no project list (404), and no project was found.",
            "Look whether this is the URL that pip takes as --index-url. If the mirror gives no list, name projects that it has \
             with --project.",
        ),
        List::Login { status } if report.credentials => Mirror.fail(
            format!("It refuses the login that upstream.credentials holds (status {status})."),
            "Put a login into that file which may read the index.",
        ),
        List::Login { status } => {
            Mirror.fail(format!("It wants a login (status {status} for the project list)."), LOGIN)
        }
        List::Failed { why } => Mirror.fail(
            format!("It cannot be used: {why}."),
            "Look whether this is the URL that pip takes as --index-url, and whether the mirror runs; then check again.",
        ),
    }
}

fn login(report: &Report) -> Finding {
    match report.credentials {
        false => Mirror.ok("It wants no login for its list."),
        true => Mirror.note(
            "It was looked at with the login of upstream.credentials.",
            "Make sure that everybody who reaches countersign may read what this login can read.",
        ),
    }
}

fn unknown_name(report: &Report) -> Option<Finding> {
    Some(match &report.unknown_name {
        UnknownName::NotAsked => return None,
        UnknownName::NotThere => Mirror.ok("It says plainly when it does not have a project (404)."),
        UnknownName::Elsewhere { to } => Mirror.note(
            format!("Projects that it does not have are redirected to another index ({to})."),
            format!(
                "These will not be offered: following would sign a public package under a private name. Clients that need that \
                 index name it themselves, or ask a countersign in front of it.{}",
                match report.mirror.kind {
                    Kind::Pypiserver => " To switch the redirect off, run pypiserver with --disable-fallback.",
                    _ => "",
                }
            ),
        ),
        UnknownName::Page { files } => Mirror.note(
            format!("To a project that cannot exist it answers with a page of {}.", many(*files, "file")),
            "Find out which projects the mirror makes up: each one that a client asks for would be signed.",
        ),
        UnknownName::Other { why } => Mirror.note(
            format!("To a project that cannot exist it answers neither with a page nor with 404: {why}."),
            "Clients will be told that the mirror fails (502), and do not ask their next index. Make the mirror answer 404.",
        ),
    })
}

fn replacing(report: &Report) -> Finding {
    const REFUSED: &str =
        "A replaced file is refused and reported until `countersign allow` names its new SHA-256.";
    match &report.replacing {
        Replacing::No { evidence } => {
            Mirror.ok(format!("Uploaders cannot replace files ({evidence})."))
        }
        Replacing::Yes { index } => Mirror.note(
            format!("Uploaders can replace files (volatile = true on {index}). {REFUSED}"),
            format!("Forbid it: devpi index {} volatile=False.", quoted(index)),
        ),
        Replacing::Unknown => Mirror.note(
            format!(
                "Whether uploaders can replace files cannot be told without an upload. {REFUSED}"
            ),
            setting(report.mirror.kind),
        ),
    }
}

/// Where it is decided whether files can be replaced.
fn setting(kind: Kind) -> &'static str {
    match kind {
        Kind::Pypiserver => "Look whether it runs with --overwrite, and leave that out.",
        Kind::Nexus => {
            "Look at the repository's deployment policy: it should be \"Disable redeploy\"."
        }
        Kind::Artifactory => {
            "Look who has the permission to overwrite or delete in the repository."
        }
        Kind::Devpi => {
            "Ask it: devpi index USER/INDEX; volatile should be False, also on its bases."
        }
        Kind::Bandersnatch | Kind::Proxpi => "Ask this of the index that it copies.",
        _ => "Look into the mirror's own settings, and forbid it if you can.",
    }
}
