//! `countersign serve`

use std::process::ExitCode;

use super::Environment;
use super::flags::{Location, Size, given};
use crate::app;
use crate::config::{Config, ConfigError, Override};

pub(super) const ABOUT: &str = "Stands in front of a mirror, signs what it publishes, and serves what is signed.

On its first start with an empty data folder it makes a repository with its keys, as `countersign init` does, and says where \
the offline keys lie: they must leave this machine. Ctrl-C or SIGTERM end it once what is under way is done.

Every flag has a key in the configuration file and an environment variable. A flag overrides the variable, the variable \
overrides the file.";

/// What `serve` takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(
    next_line_help = true,
    after_help = "Examples:
  countersign serve --upstream https://mirror.example/simple/
  countersign serve --config /etc/countersign.toml --listen 0.0.0.0:8080
  COUNTERSIGN_UPSTREAM__URL=https://mirror.example/simple/ countersign serve --no-init"
)]
pub struct Args {
    /// The mirror's simple index, as pip's --index-url names it [env: COUNTERSIGN_UPSTREAM__URL]
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// Where clients connect [env: COUNTERSIGN_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Where metrics, probes and webhooks are served [env: COUNTERSIGN_ADMIN_LISTEN] [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS")]
    pub admin_listen: Option<String>,
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
    /// How large a new repository is made.
    #[command(flatten)]
    pub size: Size,
    /// Never make a repository; fail where there is none [env: COUNTERSIGN_NO_INIT]
    #[arg(long)]
    pub no_init: bool,
}

impl Args {
    /// The configuration that these arguments, the environment and the file give.
    ///
    /// # Errors
    /// [`ConfigError`]: one sentence that names what is wrong.
    pub fn config(&self, environment: &Environment) -> Result<Config, ConfigError> {
        let no_init = self.no_init.then(|| "true".to_owned());
        let flags = [
            ("upstream.url", &self.upstream),
            ("listen", &self.listen),
            ("admin-listen", &self.admin_listen),
            ("no-init", &no_init),
        ];
        let mut overrides: Vec<Override> =
            flags.into_iter().filter_map(|(key, value)| given(key, value)).collect();
        overrides.extend(self.size.overrides());
        environment.config(&self.location, overrides)
    }
}

/// Serves until it is told to stop.
///
/// # Errors
/// Where it cannot start, or cannot go on.
pub async fn run(args: Args, environment: &Environment) -> anyhow::Result<ExitCode> {
    let config = args.config(environment)?;
    config.upstream_url()?;
    app::serve(config).await?;
    Ok(ExitCode::SUCCESS)
}
