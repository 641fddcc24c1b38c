//! `countersign recover`

use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use serde::Serialize;

use super::flags::Location;
use super::report::one_sentence;
use super::{Environment, Usage, progress, say};
use crate::app;
use crate::repository::recover::{Comparison, Difference, Differences, Recovered, Recovery, Then};
use crate::store::{Store, StoreLocation};
use crate::telemetry::{Metrics, Readiness};

pub(super) const ABOUT: &str = "Goes back to the last state that is known to be good, after somebody else had the online key (PEP 458, \"In the event of a \
key compromise\"). Replace the key first: `countersign root publish` with a root, and bins, that name another one.

Every target of the snapshot that is named is compared with what is published now, and what differs is told, by project. Then \
--restore puts it back as it was, and forgets what came since, or --keep leaves it: look at the mirror before you choose that. \
Either way every bin, the snapshot and the timestamp are signed anew. After --restore the next start looks at every project and \
publishes what the mirror has.

Where garbage collection took the good state, or the thief could write to the store, name a copy of the store with --from. Stop \
every process that writes to the repository first. Without --restore, --keep and a terminal it tells what differs and changes \
nothing.";

/// Names written out of each kind, in a text that people read.
const NAMES: usize = 10;

/// What `recover` takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Examples:
  countersign recover --to 1041
  countersign recover --to 1041 --restore --yes
  countersign recover --to 1041 --from /backup/countersign/repository --json
  countersign recover --to 1041 --from s3://bucket/copy --store s3://bucket/prefix --keep")]
pub struct Args {
    /// The version of the last snapshot that is known to be good
    #[arg(long, value_name = "VERSION")]
    pub to: u64,
    /// A copy of the store that has that snapshot: a folder or a URL
    #[arg(long, value_name = "DIR|URL")]
    pub from: Option<String>,
    /// Put back every target that was changed or removed, and forget what came since
    #[arg(long, conflicts_with = "keep")]
    pub restore: bool,
    /// Leave the targets as they are, and sign everything anew
    #[arg(long)]
    pub keep: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Write JSON for programs: one line a project that differs, and a summary
    #[arg(long)]
    pub json: bool,
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
}

impl Args {
    fn then(&self) -> Option<Then> {
        match (self.restore, self.keep) {
            (true, _) => Some(Then::Restore),
            (_, true) => Some(Then::Keep),
            _ => None,
        }
    }
}

/// Compares, tells, and publishes what was chosen.
///
/// # Errors
/// Where it is in use, the good state is not there, nothing was chosen, or no key may sign.
pub async fn run(args: Args, environment: &Environment) -> anyhow::Result<ExitCode> {
    let config = environment.config(&args.location, Vec::new())?;
    let from = args.from.as_deref().map(copy).transpose()?;
    let metrics = Arc::new(Metrics::new()?);
    let store = app::open_store(&config)?;
    let publishing = app::publishing(&config, &metrics, &Arc::<Readiness>::default()).await?;
    let bar = progress::bar();
    let show = |done, of| progress::show(&bar, "comparing bins", done, of);
    let prepared = Recovery::prepare(store, from, args.to, publishing, show).await;
    bar.finish_and_clear();
    let recovery = prepared?;
    tell(recovery.comparison(), args.json)?;
    let Some(then) = choose(&args)? else {
        say("nothing was changed");
        return Ok(ExitCode::FAILURE);
    };
    let bar = progress::bar();
    let show = |done, of| progress::show(&bar, "signing bins", done, of);
    let recovered = recovery.publish(then, show).await;
    bar.finish_and_clear();
    done(&recovered?, then, args.json)?;
    Ok(ExitCode::SUCCESS)
}

/// A copy of the store: a URL, the folder `repository`, or the data folder that it lies in.
fn copy(from: &str) -> anyhow::Result<Store> {
    let location = match from.contains("://") {
        true => StoreLocation::parse(from)?,
        false => {
            let (folder, below) = (Path::new(from), Path::new(from).join("repository"));
            let folder = if below.join("root").is_dir() { below } else { folder.into() };
            StoreLocation::Folder(folder)
        }
    };
    Ok(Store::at_to_read(&location)?)
}

/// What is to be done; nothing where somebody said no.
fn choose(args: &Args) -> anyhow::Result<Option<Then>> {
    let asks = io::stdin().is_terminal() && !args.json;
    match args.then() {
        Some(then) if args.yes || !asks => Ok(Some(then)),
        Some(Then::Restore) => ask("Put everything back as it was?", &[("yes", Then::Restore)]),
        Some(Then::Keep) => ask("Keep everything as it is now?", &[("yes", Then::Keep)]),
        None if asks => ask(
            "Put everything back as it was, or keep it as it is now?",
            &[("restore", Then::Restore), ("keep", Then::Keep)],
        ),
        None => Err(Usage(
            "nothing was changed: say --restore to put back what differs, or --keep to leave it"
                .into(),
        )
        .into()),
    }
}

fn ask(question: &str, answers: &[(&str, Then)]) -> anyhow::Result<Option<Then>> {
    let words: Vec<_> = answers.iter().map(|(word, _)| *word).collect();
    write!(io::stdout(), "{question} ({}; anything else stops) ", words.join(", "))?;
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    let chosen = answers.iter().find(|(word, _)| *word == answer.trim());
    Ok(chosen.map(|(_, then)| *then))
}

/// One project that differs.
#[derive(Serialize)]
struct Line<'a> {
    project: &'a str,
    #[serde(flatten)]
    differences: &'a Differences,
}

fn tell(comparison: &Comparison, json: bool) -> anyhow::Result<()> {
    for (project, differences) in &comparison.projects {
        match json {
            true => say(&serde_json::to_string(&Line { project, differences })?),
            false => say(text(project, differences).trim_end()),
        }
    }
    if json {
        say(&serde_json::json!({ "summary": comparison }).to_string());
        return Ok(());
    }
    let Comparison { good, newest, projects, added, changed, removed, lost } = comparison;
    if projects.is_empty() {
        say(&format!("nothing differs between snapshot {good} and the newest, {newest}"));
        return Ok(());
    }
    say(&format!(
        "between snapshot {good} and the newest, {newest}, {} projects differ: targets added {added}, changed {changed}, removed {removed}",
        projects.len()
    ));
    if *lost > 0 {
        say(&format!(
            "of {lost} projects the good page is there no more: --restore drops them until they are looked at again"
        ));
    }
    Ok(())
}

fn text(project: &str, differences: &Differences) -> String {
    let Differences { added, changed, removed, retired, blocked, lost } = differences;
    let project = plain(project);
    let mut text = format!("{project}\n");
    for (what, which) in
        [("added", added), ("changed", changed), ("removed", removed), ("withdrawn names", retired)]
    {
        if !which.is_empty() {
            let _ = writeln!(text, "  {what}  {}", names(which));
        }
    }
    if let Some(blocked) = blocked {
        let said = |names: &[String]| match names {
            [] => "nothing".to_owned(),
            names => names.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", "),
        };
        let (was, now) = (said(&blocked.was), said(&blocked.now));
        let _ = writeln!(text, "  blocked  {now}; it was {was}");
    }
    if *lost {
        text.push_str("  its good page is there no more\n");
    }
    text
}

fn names(differences: &[Difference]) -> String {
    let first = differences.iter().take(NAMES).map(|difference| name(&difference.path));
    let first = first.collect::<Vec<_>>().join(", ");
    match differences.len().saturating_sub(NAMES) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// What people call a target.
fn name(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit('.').next().filter(|_| path.starts_with("simple/")) {
        Some(kind) => format!("the page ({})", plain(kind)),
        None => plain(name),
    }
}

/// Names that a thief chose are not what a terminal obeys.
fn plain(name: &str) -> String {
    one_sentence(name)
}

fn done(recovered: &Recovered, then: Then, json: bool) -> anyhow::Result<()> {
    if json {
        say(&serde_json::json!({ "recovered": recovered }).to_string());
        return Ok(());
    }
    let Recovered { commit, timestamp, snapshot, bins } = recovered;
    let what = match then {
        Then::Restore => "put back what was",
        Then::Keep => "kept what is there",
    };
    say(&format!(
        "{what}; {bins} bins are signed anew; the newest commit is {commit}, the newest timestamp {timestamp}, snapshot {snapshot}"
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuf::Digest;

    #[test]
    fn a_project_is_told_in_lines_that_no_terminal_obeys() {
        let path = |n: usize| format!("files/evil/evil-{n}.0.tar.gz");
        let hash = Some(Digest::of(b""));
        let difference = |path: String| Difference { path, was: None, now: hash };
        let mut differences = Differences {
            added: (0..12).map(|n| difference(path(n))).collect(),
            lost: true,
            ..Differences::default()
        };
        differences.added[0].path = "files/evil/\u{1b}[2J.whl".into();
        differences.added[1].path = "simple/evil/vnd.pypi.simple.v1.html".into();
        let told = text("evil", &differences);
        let lines: Vec<_> = told.lines().collect();
        assert_eq!(lines[0], "evil");
        assert!(
            lines[1].starts_with("  added  \u{fffd}[2J.whl, the page (html), evil-2"),
            "{told}"
        );
        assert!(lines[1].ends_with(" and 2 more"), "{told}");
        assert_eq!(lines[2], "  its good page is there no more");
    }
}
