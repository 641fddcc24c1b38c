//! `countersign gc`

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use super::flags::Location;
use super::report::complain;
use super::{Environment, open, progress, say};
use crate::repository::{Collected, Collector, Mode, Progress};

pub(super) const ABOUT: &str = "Deletes what was superseded more than the grace period (store.grace) ago: old timestamps, snapshots, bins and pages, and \
what interrupted publications left. Roots, the versions of targets and bins, and the journal are never deleted.

A running process does this by itself. The command may run beside it, with the same configuration: it deletes only what no \
later publication can name again.";

/// What `gc` takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Examples:
  countersign gc --dry-run
  countersign gc --data /srv/countersign
  countersign gc --config /etc/countersign.toml --dry-run | wc -l")]
pub struct Args {
    /// Write the names of the objects that would be deleted, one a line, and delete nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
}

/// Collects garbage.
///
/// # Errors
/// Where there is no repository, or something in it cannot be read or deleted.
pub async fn run(args: Args, environment: &Environment) -> anyhow::Result<ExitCode> {
    let config = environment.config(&args.location, Vec::new())?;
    let mut collector = Collector::new(open::store(&config)?, config.store.grace);
    let mode = if args.dry_run { Mode::DryRun } else { Mode::Delete };
    let bar = progress::bar();
    let deleted = AtomicU64::new(0);
    let shown = |progress: Progress<'_>| match progress {
        Progress::Bins(done, of) => progress::show(&bar, "reading bins", done, of),
        Progress::Garbage(name) if args.dry_run => bar.suspend(|| say(name)),
        Progress::Garbage(_) => {
            let done = deleted.fetch_add(1, Ordering::Relaxed) + 1;
            progress::show(&bar, "deleting", done, done);
        }
    };
    let collected = collector.collect(mode, &shown).await;
    bar.finish_and_clear();
    let collected = collected?;
    if collected.overtaken {
        anyhow::bail!(
            "nothing was deleted: publications came faster than the repository could be read; try again"
        );
    }
    // With --dry-run, standard output has the names alone.
    match args.dry_run {
        true => complain(&told("would delete", &collected)),
        false => say(&told("deleted", &collected)),
    }
    Ok(ExitCode::SUCCESS)
}

fn told(what: &str, collected: &Collected) -> String {
    let Collected { timestamps, snapshots, bins, pages, .. } = collected;
    format!("{what} {timestamps} timestamps, {snapshots} snapshots, {bins} bins, {pages} pages")
}
