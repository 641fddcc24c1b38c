//! Distribution files.

use super::Topic::Files;
use super::{Finding, Report};
use crate::check::estimate::{bytes, estimate};
use crate::check::facts::{FileCause, Kind, Measured, Sample};
use crate::check::text::{many, number, quoted, size};

pub(super) fn judge(report: &Report) -> Vec<Finding> {
    let sample = &report.sample;
    if sample.files == 0 {
        return Vec::new();
    }
    let mut findings = vec![counted(sample)];
    findings.extend(foreign(sample));
    findings.extend(sample.refused_files.iter().filter_map(|(cause, group)| {
        let (what, todo) = refused(*cause)?;
        Some(Files.fail(format!("{} {what}", many(group.count, "file")), todo).with(group))
    }));
    findings.extend(allowed(sample));
    if sample.judged() == 0 {
        return findings;
    }
    findings.push(hashes(report));
    findings.push(lengths(report));
    findings.push(core_metadata(sample));
    if sample.streamed > 0 {
        findings.push(Files.note(
            format!("{} larger than cache.file-limit: streamed to clients, not kept.", are(sample.streamed)),
            "Raise cache.file-limit and cache.files in the configuration file if they are asked for often.",
        ));
    }
    findings
}

fn are(files: u64) -> String {
    let verb = if files == 1 { "is" } else { "are" };
    format!("{} {verb}", many(files, "file"))
}

fn counted(sample: &Sample) -> Finding {
    let refused: u64 = sample.refused_files.values().map(|group| group.count).sum();
    let what = format!("{} listed on these pages; ", are(sample.files));
    match refused {
        0 => Files.ok(format!("{what}all could be signed.")),
        refused => Files.fail(
            format!("{what}{} would be refused.", number(refused)),
            "See the following lines; all else is signed.",
        ),
    }
}

/// Origins that are not allowed, each with its own line.
fn foreign(sample: &Sample) -> Vec<Finding> {
    let refused = sample.origins.iter().filter(|(_, used)| !used.allowed);
    let mut findings: Vec<Finding> = refused
        .map(|(origin, used)| {
            Files.fail(
                format!(
                    "{} at {origin}, which is not an allowed origin: {}.",
                    lie(used.files),
                    used.example
                ),
                format!(
                    "If it is trusted, add it: upstream.origins = [{origin:?}] in the configuration file, or \
                     COUNTERSIGN_UPSTREAM__ORIGINS={} in the environment. Then check again.",
                    quoted(origin)
                ),
            )
        })
        .collect();
    if sample.other_origins > 0 {
        findings.push(Files.fail(
            format!("{} at yet other origins.", lie(sample.other_origins)),
            "Links that lead to so many places are rarely meant; look at the mirror's settings.",
        ));
    }
    findings
}

fn lie(files: u64) -> String {
    let verb = if files == 1 { "lies" } else { "lie" };
    format!("{} {verb}", many(files, "file"))
}

fn allowed(sample: &Sample) -> Option<Finding> {
    let others: Vec<String> = sample
        .origins
        .iter()
        .filter(|(_, used)| used.allowed && !used.own)
        .map(|(origin, used)| format!("{} ({})", origin, many(used.files, "file")))
        .collect();
    if !others.is_empty() {
        let what = format!(
            "Links lead beyond the mirror's own origin, to allowed ones: {}.",
            others.join(", ")
        );
        return Some(Files.ok(what));
    }
    let own = sample.origins.values().all(|used| used.own) && !sample.origins.is_empty();
    own.then(|| Files.ok("All links stay on the mirror's own origin."))
}

/// The end of the sentence "17 files …", and what to do; origins have their own lines.
fn refused(cause: FileCause) -> Option<(&'static str, &'static str)> {
    Some(match cause {
        FileCause::Origin => return None,
        FileCause::Entry => (
            "would be refused: their entries on the page cannot be taken.",
            "Mend these entries on the mirror, or remove the files.",
        ),
        FileCause::Name => (
            "would be refused for their names.",
            "Rename or remove them on the mirror: no installer takes them from this project either, or TUF clients cannot ask for them.",
        ),
        FileCause::TooLarge => (
            "would be refused: they are larger than limits.file.",
            "Raise limits.file in the configuration file.",
        ),
        FileCause::Unreachable => (
            "that were asked for could not be had, though the mirror lists them.",
            "Look at the mirror's own log, and upload them again or remove them there.",
        ),
    })
}

/// What has no SHA-256, and what it costs.
fn hashes(report: &Report) -> Finding {
    let hashless = report.sample.without_sha256;
    if hashless.files == 0 {
        return Files.ok("All files have a SHA-256, which their pages pin at once.");
    }
    let asked = report.lengths.without_sha256;
    let amount = match bytes(hashless, asked) {
        Some(bytes) => {
            format!("{}{}", size(bytes), estimated(asked, hashless.files - hashless.sized))
        }
        None => "of unknown size".into(),
    };
    let whole = match estimate(report) {
        Some(whole) if !whole.exact => {
            let bytes = whole.to_hash_bytes.map(|bytes| format!(", {}", size(bytes)));
            format!(
                " For the whole index, going by the sample: about {}{}.",
                many(whole.to_hash, "file"),
                bytes.unwrap_or_default()
            )
        }
        _ => String::new(),
    };
    let what = format!(
        "{} no SHA-256 on the page and would be fetched once to be hashed, {amount}; each is listed when that is done.{whole}",
        have(hashless.files),
    );
    Files.note(what, hash_setting(report.mirror.kind))
}

/// How an amount came about, where the pages did not give it.
fn estimated(asked: Measured, unsized_files: u64) -> String {
    match unsized_files {
        0 => String::new(),
        n if asked.answered >= n => " as HEAD says".into(),
        _ => format!(" going by {} that were asked for with HEAD", many(asked.answered, "file")),
    }
}

fn hash_setting(kind: Kind) -> &'static str {
    match kind {
        Kind::Pypiserver => {
            "Run pypiserver with --hash-algo sha256, and nothing has to be fetched."
        }
        Kind::Simpleindex => "Nothing has to be done; simpleindex gives no hashes.",
        _ => "Nothing has to be done; it is quicker if the mirror can be made to give SHA-256.",
    }
}

fn lengths(report: &Report) -> Finding {
    let sample = &report.sample;
    let hashless = sample.without_sha256;
    let unsized_files = sample.without_size + (hashless.files - hashless.sized);
    if unsized_files == 0 {
        return Files.ok("All files have their size on the page.");
    }
    let asked = report.lengths.with_sha256.asked + report.lengths.without_sha256.asked;
    let answered = report.lengths.with_sha256.answered + report.lengths.without_sha256.answered;
    let heads = match estimate(report) {
        Some(whole) if !whole.exact => {
            format!(", about {} for the whole index", number(whole.heads))
        }
        _ => String::new(),
    };
    let what =
        format!("{} no size on the page: each costs one HEAD, once{heads}.", have(unsized_files),);
    match (asked, answered) {
        (1.., 0) => Files.note(
            format!("{what} None of {} was answered with a length.", number(asked)),
            "Nothing has to be done: these files are pinned by their pages, and become targets once they were downloaded.",
        ),
        _ => Files.ok(what),
    }
}

fn core_metadata(sample: &Sample) -> Finding {
    let counts = sample.core_metadata;
    match (counts.hashed, counts.unhashed) {
        (0, 0) => Files.ok(
            "No file has core metadata (PEP 658) on the mirror: clients fetch wheels to read it.",
        ),
        (hashed, 0) => Files.ok(format!("{} core metadata with its SHA-256.", have(hashed))),
        (hashed, unhashed) => Files.note(
            format!(
                "{} core metadata without a hash, {} with one.",
                have(unhashed),
                number(hashed)
            ),
            "Nothing has to be done: it is fetched and hashed first, or left out.",
        ),
    }
}

fn have(files: u64) -> String {
    let verb = if files == 1 { "has" } else { "have" };
    format!("{} {verb}", many(files, "file"))
}
