//! `countersign inspect`

use std::process::ExitCode;

use super::Environment;
use super::flags::Location;

pub(super) const ABOUT: &str = "Shows a repository: its roles with their versions, expiries and key ids, and the number of bins and targets. It reads the \
data folder, or asks over HTTP.";

/// What `inspect` takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Examples:
  countersign inspect --data ./countersign-data
  countersign inspect --url http://127.0.0.1:8080/tuf/
  countersign inspect --json")]
pub struct Args {
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
    /// A repository that is served, instead of a folder: the URL that ends in /tuf/
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub url: Option<String>,
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
    anyhow::bail!("cannot inspect {} yet", config.data.display())
}
