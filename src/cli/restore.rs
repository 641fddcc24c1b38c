//! `countersign restore`

use std::process::ExitCode;
use std::sync::Arc;

use super::flags::Location;
use super::{Environment, Usage, progress, say};
use crate::app;
use crate::config::{Config, ConfigError};
use crate::repository::{HIGHEST, advance};
use crate::telemetry::{Metrics, Readiness};

pub(super) const ABOUT: &str = "Goes on with a repository that was put back to an earlier state, from a backup or an older copy of a bucket.

Clients and replicas have seen higher versions than such a store knows, and refuse what counts on from there as an attack. \
With --advance the next commit, the next timestamp and the next version of every online role become the Unix time, which is \
higher than any that was given before, and everything is signed anew. Then each writer may be started again: files that were \
published after the backup are found at the mirror as new ones.

Stop every process that writes to the repository first.";

/// What `restore` takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Examples:
  countersign restore --advance --data /srv/countersign
  countersign restore --advance --past 1800000000
  countersign restore --advance --store s3://bucket/prefix --data ./keys")]
pub struct Args {
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
    /// Give every online role a version that nobody has seen; all writers are stopped
    #[arg(long, required = true)]
    pub advance: bool,
    /// The highest version of any online role that clients have seen, where that is more than the Unix time: all become higher
    #[arg(long, value_name = "N", requires = "advance")]
    pub past: Option<u64>,
}

impl Args {
    /// The configuration that these arguments, the environment and the file give.
    ///
    /// # Errors
    /// [`ConfigError`]: one sentence that names what is wrong.
    pub fn config(&self, environment: &Environment) -> Result<Config, ConfigError> {
        environment.config(&self.location, Vec::new())
    }
}

/// Advances the repository.
///
/// # Errors
/// Where it is in use, damaged, or no key may sign.
pub async fn run(args: Args, environment: &Environment) -> anyhow::Result<ExitCode> {
    let past = args.past.unwrap_or_default();
    if past > HIGHEST {
        return Err(Usage(format!(
            "--past {past} is too near the end of the numbers that clients can hold: it must not exceed {HIGHEST}"
        ))
        .into());
    }
    let config = args.config(environment)?;
    let metrics = Arc::new(Metrics::new()?);
    let store = app::open_store(&config)?;
    let publishing = app::publishing(&config, &metrics, &Arc::<Readiness>::default()).await?;
    let bar = progress::bar();
    let show = |done, of| progress::show(&bar, "signing bins", done, of);
    let advanced = advance(store, publishing, past, show).await;
    bar.finish_and_clear();
    let advanced = advanced?;
    say(&format!(
        "signed {} bins anew; the newest commit is {}, the newest timestamp {}",
        advanced.bins, advanced.commit, advanced.timestamp
    ));
    Ok(ExitCode::SUCCESS)
}
