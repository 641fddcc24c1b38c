//! `countersign init`

use std::process::ExitCode;

use super::Environment;
use super::flags::{Location, Size};
use crate::config::{Config, ConfigError};

pub(super) const ABOUT: &str = "Makes a repository: the roles of PEP 458 with their Ed25519 keys. The keys of root, targets and bins are written to \
offline-keys/ in the data folder, for you to take away from this machine. A folder that has a repository is left alone.";

/// What `init` takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Examples:
  countersign init --data ./countersign-data
  countersign init --data /srv/countersign --expected-files 200000
  countersign init --data /srv/countersign --bins 1024")]
pub struct Args {
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
    /// How large the repository is made.
    #[command(flatten)]
    pub size: Size,
}

impl Args {
    /// The configuration that these arguments, the environment and the file give.
    ///
    /// # Errors
    /// [`ConfigError`]: one sentence that names what is wrong.
    pub fn config(&self, environment: &Environment) -> Result<Config, ConfigError> {
        environment.config(&self.location, self.size.overrides().collect())
    }
}

/// Makes the repository.
///
/// # Errors
/// Where there is one already, or the folder cannot be written.
pub async fn run(args: Args, environment: &Environment) -> anyhow::Result<ExitCode> {
    let config = args.config(environment)?;
    anyhow::bail!("cannot make a repository in {} yet", config.data.display())
}
