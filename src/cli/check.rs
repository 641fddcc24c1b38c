//! `countersign check`

use std::num::NonZeroUsize;
use std::process::ExitCode;

use super::Environment;
use super::flags::{Location, given};
use crate::config::{Config, ConfigError};

pub(super) const ABOUT: &str = "Looks at a mirror and signs nothing: says what kind of mirror it seems to be, which pages and files would be refused and \
why, which would have to be fetched to be hashed and what that would cost, whether files can be replaced, and whether it wants a login.";

/// What `check` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  countersign check --upstream https://mirror.example/simple/
  countersign check --upstream https://mirror.example/simple/ --sample 500")]
pub struct Args {
    /// The mirror's simple index, as pip's --index-url names it [env: COUNTERSIGN_UPSTREAM__URL]
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// The configuration file [env: COUNTERSIGN_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
    /// How many projects to look at
    #[arg(long, value_name = "N", default_value = "100")]
    pub sample: NonZeroUsize,
}

impl Args {
    /// The configuration that these arguments, the environment and the file give.
    ///
    /// # Errors
    /// [`ConfigError`]: one sentence that names what is wrong.
    pub fn config(&self, environment: &Environment) -> Result<Config, ConfigError> {
        let location = Location { config: self.config.clone(), data: None };
        let overrides = given("upstream.url", &self.upstream).into_iter().collect();
        environment.config(&location, overrides)
    }
}

/// Looks and reports.
///
/// # Errors
/// Where the mirror cannot be reached.
pub async fn run(args: Args, environment: &Environment) -> anyhow::Result<ExitCode> {
    let upstream = args.config(environment)?.upstream_url()?;
    anyhow::bail!("cannot check {upstream} yet")
}
