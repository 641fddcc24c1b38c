//! `countersign init`

use std::process::ExitCode;

use super::flags::{Location, Size};
use super::{Environment, progress, say};
use crate::ceremony::{InitOptions, KeyFolder, init};
use crate::config::{Config, ConfigError};
use crate::store::{Store, layout};
use crate::tuf::bins;

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
    let bins = match (config.bins, config.expected_files) {
        (Some(bins), _) => bins,
        (None, Some(files)) => bins::best_count(files),
        (None, None) => bins::UNTOLD,
    };
    let store = Store::open(&config.data.join(layout::REPOSITORY))?;
    let keys = KeyFolder::new(&config.data);
    let options = InitOptions { bins, validity: config.validity };
    let bar = progress("signing bins");
    bar.set_length(u64::from(bins));
    let made = init(&store, &keys, &options, |done| bar.set_position(done)).await;
    bar.finish_and_clear();
    let made = made?;
    say(&format!(
        "made a repository with {} bins in {}",
        made.bins,
        config.data.join(layout::REPOSITORY).display()
    ));
    say(&format!("SHA-256 of 1.root.json: {}", made.root_sha256));
    say(&format!(
        "the private keys of root, targets and bins lie in {}: move them to where only people can reach them; the serving \
process never needs them",
        keys.offline().display()
    ));
    Ok(ExitCode::SUCCESS)
}
