//! `countersign fsck`

use std::process::ExitCode;

use jiff::Timestamp;
use serde::Serialize;

use super::flags::Location;
use super::report::complain;
use super::{Environment, open, progress, say};
use crate::repository::fsck::{Event, Finding, Level, Summary, fsck};

pub(super) const ABOUT: &str = "Goes through the whole repository from its newest timestamp and says what is wrong with it: every root, every signature, \
hash, length and version, every bin and whether each target lies in the right one, every page, whether pages and targets \
agree, and the journal. It changes nothing, and may run beside a running process.

Each finding is one line: the object, what is wrong, what to do. Exit code 0: the repository is what was published. 1: it is \
not, or could not be read. A warning (a role has expired, a commit is not shown yet) is written, and is no failure.";

/// What `fsck` takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Examples:
  countersign fsck
  countersign fsck --data /srv/countersign
  countersign fsck --json | jq -r 'select(.level == \"damage\").object'")]
pub struct Args {
    /// Write JSON for programs: one finding a line, then the summary
    #[arg(long)]
    pub json: bool,
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
}

/// The last line of `--json`.
#[derive(Serialize)]
struct Last {
    summary: Summary,
}

/// Looks at the repository.
///
/// # Errors
/// Where it cannot be looked at. What is wrong with it is told.
pub async fn run(args: Args, environment: &Environment) -> anyhow::Result<ExitCode> {
    let config = environment.config(&args.location, Vec::new())?;
    let store = open::store(&config)?;
    let bar = progress::bar();
    let tell = |event: Event<'_>| match event {
        Event::Progress(what, done, of) => progress::show(&bar, what, done, of),
        Event::Found(finding) => bar.suspend(|| say(&line(finding, args.json))),
        Event::Again => bar.suspend(|| complain("a newer publication appeared: looking at that")),
    };
    let summary = fsck(&store, Timestamp::now(), &tell).await;
    bar.finish_and_clear();
    let Some(summary) = summary? else {
        anyhow::bail!(
            "publications were superseded and collected faster than they could be looked at: lengthen store.grace, or \
             stop `countersign serve` meanwhile"
        );
    };
    match args.json {
        true => say(&serde_json::to_string(&Last { summary })?),
        false => say(&text(&summary)),
    }
    Ok(ExitCode::from(u8::from(summary.damage > 0)))
}

fn line(finding: &Finding, json: bool) -> String {
    let Finding { level, object, problem, advice } = finding;
    match (json, level) {
        (true, _) => serde_json::to_string(finding).unwrap_or_default(),
        (false, Level::Damage) => format!("{object}: {problem}; {advice}"),
        (false, Level::Warning) => format!("{object}: {problem}; {advice} (warning)"),
    }
}

fn text(summary: &Summary) -> String {
    let Summary { timestamp, commit, roots, bins, pages, files, commits, .. } = summary;
    let looked = format!(
        "looked at timestamp {timestamp} of commit {commit}: {roots} roots, {bins} bins, {pages} pages, {files} file targets, \
{commits} commits"
    );
    let found = match (summary.damage, summary.warnings) {
        (0, 0) => "nothing is wrong".to_owned(),
        (damage, warnings) => format!("damage: {damage}, warnings: {warnings}"),
    };
    format!("{looked}\n{found}")
}
