//! `countersign inspect`

use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::flags::Location;
use super::{Environment, say};
use crate::config::units::duration;
use crate::store::{Store, StoreLocation};

mod source;
mod summary;

use source::Source;
use summary::Summary;

pub(super) const ABOUT: &str = "Shows a repository: its roles with their versions, expiries and key ids, and the number of bins and targets. It reads the \
store, or asks over HTTP.

With --expires-within, a line names each role that expires within that time, and the exit code is 3 if there is one: for a \
cron job. Online roles, which the serving process signs again by itself, count once less than a quarter of their validity (as \
configured) is left.";

/// The exit code where something expires.
const EXPIRES: u8 = 3;

/// What `inspect` takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Examples:
  countersign inspect --data ./countersign-data
  countersign inspect --store s3://bucket/prefix
  countersign inspect --url http://127.0.0.1:8080/tuf/
  countersign inspect --expires-within 30d > /dev/null || mail -s 'TUF roles expire' …
  countersign inspect --json")]
pub struct Args {
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
    /// A repository that is served, instead of a store: the URL that ends in /tuf/
    #[arg(long, value_name = "URL", conflicts_with_all = ["data", "store"])]
    pub url: Option<String>,
    /// Name each role that expires within this time; exit code 3 if there is one
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub expires_within: Option<Duration>,
    /// Write JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// Shows the repository.
///
/// # Errors
/// Where there is none, or it cannot be read.
pub async fn run(args: Args, environment: &Environment) -> anyhow::Result<ExitCode> {
    let config = environment.config(&args.location, Vec::new())?;
    let source = match &args.url {
        Some(url) => Source::web(url)?,
        None => Source::Store(Store::at_to_read(&StoreLocation::of(&config)?)?),
    };
    let bar = progress();
    let now = Timestamp::now();
    let summary = summary::read(&source, now, &bar).await;
    bar.finish_and_clear();
    let mut summary = summary?;
    summary.expiring =
        args.expires_within.map(|within| summary.expiring(within, &config.validity, now));
    match args.json {
        true => say(&serde_json::to_string_pretty(&summary)?),
        false => say(text(&summary).trim_end()),
    }
    let expires = summary.expiring.is_some_and(|expiring| !expiring.is_empty());
    Ok(if expires { ExitCode::from(EXPIRES) } else { ExitCode::SUCCESS })
}

fn text(summary: &Summary) -> String {
    let Summary { root_sha256, commit, roles, bins, targets, expiring } = summary;
    let expired = |expired: bool| if expired { "  EXPIRED" } else { "" };
    let mut lines = vec![
        format!("SHA-256 of 1.root.json: {root_sha256}"),
        format!("{:<12} {:>8}  {:<20}  {:<9}  key ids", "role", "version", "expires", "threshold"),
    ];
    for role in roles {
        lines.push(format!(
            "{:<12} {:>8}  {}  {:<9}  {}{}",
            role.name,
            role.version,
            role.expires,
            role.threshold,
            short(&role.keyids),
            expired(role.expired),
        ));
    }
    lines.push(format!(
        "{:<12} {:>8}  {}  {:<9}  {}{}",
        "each bin",
        format!("≤ {}", bins.highest_version),
        bins.expires,
        bins.threshold,
        short(&bins.keyids),
        expired(bins.expired),
    ));
    lines.push(format!("bins: {} ({} to {})", bins.count, bins.first, bins.last));
    lines.push(format!(
        "targets: {} ({} projects, {} pages, {} files); {} retired names",
        targets.total, targets.projects, targets.pages, targets.files, targets.retired
    ));
    if let Some(commit) = commit {
        lines.push(format!("commit: {commit}"));
    }
    for role in expiring.iter().flatten() {
        let when = if role.expired { "has expired" } else { "expires soon" };
        lines.push(format!("{} {when}: {}", role.name, role.expires));
    }
    lines.join("\n")
}

/// The first digits of key ids: enough to tell them apart.
fn short(keyids: &[crate::tuf::KeyId]) -> String {
    let short: Vec<String> = keyids.iter().map(|id| id.0.chars().take(16).collect()).collect();
    short.join(" ")
}

/// A bar on a terminal, nothing elsewhere.
fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("reading bins {wide_bar} {pos}/{len}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
