//! `countersign log`

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use futures::StreamExt as _;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp};

use super::flags::Location;
use super::{Environment, open, report};
use crate::index::ProjectName;
use crate::repository::{Commit, Journal, ProjectRecord, RoleRecord, Selection};

pub(super) const ABOUT: &str = "Shows the journal: one record a publication, never deleted, which says when it was made and by whom, and for each project \
which files were added, removed, refused, allowed or blocked. It is the transaction log that PEP 458 asks for.

The newest publications come first. Without --since, -n or --json, the newest 50 are shown. It reads beside a running process.";

/// How many are shown where nobody says.
const SHOWN: usize = 50;
/// Names written out of each kind, in a text that people read.
const NAMES: usize = 10;

/// What `log` takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Examples:
  countersign log
  countersign log --since 24h
  countersign log --since 2026-11-01 --oldest-first
  countersign log --project some-project -n 5
  countersign log --json --since 7d | jq -c 'select(.projects[]?.refused)'")]
pub struct Args {
    /// Only what was published since then: a duration (24h, 7d), a date or a time (UTC)
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Since>,
    /// Only what changed this project
    #[arg(long, value_name = "NAME", value_parser = ProjectName::parse)]
    pub project: Option<ProjectName>,
    /// At most so many publications
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<usize>,
    /// The oldest first
    #[arg(long)]
    pub oldest_first: bool,
    /// Write JSON for programs, one publication a line: all of them, unless limited
    #[arg(long)]
    pub json: bool,
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
}

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// Then.
    At(Timestamp),
}

impl Since {
    fn time(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(ago) => now.checked_sub(ago).unwrap_or(Timestamp::MIN),
            Self::At(time) => time,
        }
    }
}

/// Reads `24h`, `2026-11-01`, `2026-11-01T12:00` or `2026-11-01T12:00:00Z`.
fn since(text: &str) -> Result<Since, &'static str> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(Since::At(time));
    }
    let civil = text.parse::<DateTime>().or(text.parse::<Date>().map(DateTime::from));
    if let Some(time) = civil.ok().and_then(|civil| TimeZone::UTC.to_timestamp(civil).ok()) {
        return Ok(Since::At(time));
    }
    let span = text.parse::<Span>().ok();
    let span = span.and_then(|s| s.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let ago = span.and_then(|duration| Duration::try_from(duration).ok()).map(Since::Ago);
    ago.ok_or("write a duration (24h, 7d), a date (2026-11-01) or a time (2026-11-01T12:00:00Z)")
}

impl Args {
    fn limit(&self) -> usize {
        let all = self.json || self.since.is_some();
        self.limit.unwrap_or(if all { usize::MAX } else { SHOWN })
    }
}

/// Shows the journal.
///
/// # Errors
/// Where there is none, or the store fails.
pub async fn run(args: Args, environment: &Environment) -> anyhow::Result<ExitCode> {
    let config = environment.config(&args.location, Vec::new())?;
    let journal = Journal::open(open::store(&config)?).await?;
    let limit = args.limit();
    let selection = Selection {
        since: args.since.map(|since| since.time(Timestamp::now())),
        project: args.project.clone(),
        oldest_first: args.oldest_first,
    };
    let mut commits = journal.select(selection);
    let mut code = ExitCode::SUCCESS;
    let mut shown = 0;
    while shown < limit
        && let Some(commit) = commits.next().await
    {
        match commit {
            // What is whole is shown all the same.
            Err(error @ crate::repository::RepositoryError::Damaged { .. }) => {
                report::complain(&report::one_sentence(&error.to_string()));
                code = ExitCode::FAILURE;
            }
            commit => {
                if !write(&commit?, args.json)? {
                    return Ok(code);
                }
                shown += 1;
            }
        }
    }
    let cut = args.limit.is_none() && shown == limit;
    if cut && io::stderr().is_terminal() && commits.next().await.is_some() {
        report::complain("there are more: see -n and --since");
    }
    Ok(code)
}

/// Writes one record; `false` where nobody reads on.
fn write(commit: &Commit, json: bool) -> anyhow::Result<bool> {
    let text = if json { serde_json::to_string(commit)? } else { text(commit) };
    Ok(writeln!(io::stdout(), "{text}").is_ok())
}

/// What people read of a record: a line for the publication, and one for each kind of change of each project.
fn text(commit: &Commit) -> String {
    let Commit { number, at, by, projects, renewed, roles, .. } = commit;
    let at = at.strftime("%Y-%m-%d %H:%M:%SZ");
    let mut text = format!("{at}  commit {number}  by {}", plain(by));
    if *renewed > 0 {
        let _ = write!(text, "\n  {renewed} bins signed again");
    }
    for RoleRecord { role, version, sha256 } in roles {
        let _ = write!(text, "\n  {} {version} published, SHA-256 {sha256}", plain(role));
    }
    for record in projects {
        for (what, names) in changes(record) {
            let _ = write!(text, "\n  {}  {what}  {}", record.project, some(names));
        }
    }
    text
}

fn changes(record: &ProjectRecord) -> Vec<(&'static str, Vec<String>)> {
    let ProjectRecord { added, removed, refused, allowed, blocked, .. } = record;
    let mut changes = vec![
        ("added", added.iter().map(|file| file.filename.clone()).collect::<Vec<_>>()),
        ("removed", removed.iter().map(|file| file.filename.clone()).collect()),
    ];
    let refused = refused.iter().map(|refused| match &refused.filename {
        Some(filename) => format!("{filename} ({})", refused.reason),
        None => format!("the page ({})", refused.reason),
    });
    changes.push(("refused", refused.collect()));
    let allowed = allowed.iter().map(|allowed| match &allowed.old {
        Some(old) => format!("{} ({old} → {})", allowed.filename, allowed.new),
        None => format!("{} ({})", allowed.filename, allowed.new),
    });
    changes.push(("allowed", allowed.collect()));
    match blocked.as_deref() {
        None => {}
        Some([]) => changes.push(("unblocked", vec!["everything".into()])),
        Some([all]) if all == "*" => changes.push(("blocked", vec!["the whole project".into()])),
        Some(names) => changes.push(("blocked", names.to_vec())),
    }
    changes.retain(|(_, names)| !names.is_empty());
    if changes.is_empty() {
        changes.push(("changed", vec!["its page".into()]));
    }
    changes
}

fn some(names: Vec<String>) -> String {
    let first: Vec<String> = names.iter().take(NAMES).map(|name| plain(name)).collect();
    match names.len().saturating_sub(NAMES) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Without what a terminal would obey: names that were refused are a mirror's.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => plain.extend(c.escape_default()),
            false => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::{FileRecord, Refused, SnapshotRef};
    use crate::tuf::Digest;

    #[test]
    fn since_is_a_duration_a_date_or_a_time() {
        let at = |text: &str| Ok(Since::At(text.parse().unwrap()));
        assert_eq!(since("24h"), Ok(Since::Ago(Duration::from_secs(86_400))));
        assert_eq!(since("7d"), Ok(Since::Ago(Duration::from_secs(7 * 86_400))));
        assert_eq!(since("2026-11-01"), at("2026-11-01T00:00:00Z"));
        assert_eq!(since("2026-11-01T12:30"), at("2026-11-01T12:30:00Z"));
        assert_eq!(since("2026-11-01T12:30:00+01:00"), at("2026-11-01T11:30:00Z"));
        for bad in ["", "yesterday", "-5h", "1 month", "2026-13-01"] {
            assert!(since(bad).is_err(), "{bad}");
        }
        let now: Timestamp = "2026-11-02T00:00:00Z".parse().unwrap();
        let day = Since::Ago(Duration::from_secs(86_400));
        assert_eq!(day.time(now), "2026-11-01T00:00:00Z".parse().unwrap());
    }

    fn commit() -> Commit {
        let project = ProjectName::parse("demo").unwrap();
        let sha256 = Digest::of(b"");
        let file = |n: usize| FileRecord { filename: format!("demo-{n}.tar.gz"), sha256 };
        let refused = Refused {
            project: project.clone(),
            filename: Some("demo\u{1b}[2J.whl".into()),
            reason: "bad-name".into(),
            expected: None,
            found: None,
        };
        let record = ProjectRecord {
            project,
            added: (0..12).map(file).collect(),
            removed: Vec::new(),
            refused: vec![refused],
            allowed: Vec::new(),
            blocked: Some(vec!["*".into()]),
        };
        Commit {
            number: 7,
            snapshot: SnapshotRef { version: 9, sha256 },
            nonce: "n".into(),
            at: "2026-11-01T12:30:00.5Z".parse().unwrap(),
            by: "process 1".into(),
            projects: vec![record],
            renewed: 3,
            roles: vec![RoleRecord { role: "bins".into(), version: 2, sha256 }],
            beside: None,
            timestamp: None,
        }
    }

    #[test]
    fn a_record_is_told_in_lines_without_what_a_terminal_obeys() {
        let text = text(&commit());
        let mut lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "2026-11-01 12:30:00Z  commit 7  by process 1");
        assert_eq!(lines[1], "  3 bins signed again");
        assert!(lines.remove(2).starts_with("  bins 2 published, SHA-256 e3b0c442"), "{text}");
        assert!(lines[2].starts_with("  demo  added  demo-0.tar.gz, demo-1.tar.gz"), "{text}");
        assert!(lines[2].ends_with(" and 2 more"), "{text}");
        assert_eq!(lines[3], "  demo  refused  demo\\u{1b}[2J.whl (bad-name)");
        assert_eq!(lines[4], "  demo  blocked  the whole project");
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn only_an_unlimited_look_at_everything_is_cut() {
        let limit = |args: Args| args.limit();
        assert_eq!(limit(Args::default()), SHOWN);
        assert_eq!(limit(Args { json: true, ..Args::default() }), usize::MAX);
        let since = Some(Since::Ago(Duration::ZERO));
        assert_eq!(limit(Args { since, ..Args::default() }), usize::MAX);
        assert_eq!(limit(Args { limit: Some(5), since, ..Args::default() }), 5);
    }
}
