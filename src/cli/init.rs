//! `countersign init`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;

use super::flags::{Location, Size};
use super::{Environment, Usage, progress, say};
use crate::app;
use crate::ceremony::{Founded, Founding, InitOptions, KeyFolder, init, init_signed};
use crate::config::{Config, ConfigError};
use crate::store::{Store, StoreLocation};
use crate::telemetry::Metrics;
use crate::tuf::bins;

pub(super) const ABOUT: &str = "Makes a repository: the roles of PEP 458 with their Ed25519 keys. The keys of root, targets and bins are written to \
offline-keys/ in the data folder, for you to take away from this machine. A store that has a repository is left alone.

With --out, keys and a copy of 1.root.json are written to that folder; an object store needs it. `countersign serve --store \
URL --data DIR` then finds the online key as online.pem in its data folder: put a copy of it there, for each replica. What is \
interrupted goes on when it is run again with the same keys.

With --signed, no key is made and no private key of root, targets or bins is needed: the folder holds root.json, targets.json and \
bins.json, version 1 of each, which their holders drafted and signed (`countersign root draft --first` …). They are checked, and \
the online keys of signing.online must be the ones that they name.";

/// What `init` takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Examples:
  countersign init --data ./countersign-data
  countersign init --data /srv/countersign --expected-files 200000
  countersign init --data /srv/countersign --bins 1024
  countersign init --store s3://bucket/prefix --out ./keys
  countersign init --signed ./ceremony --data /srv/countersign")]
pub struct Args {
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
    /// How large the repository is made.
    #[command(flatten)]
    pub size: Size,
    /// Take the roles that people signed from this folder: root.json, targets.json, bins.json
    #[arg(long, value_name = "DIR", conflicts_with_all = ["expected_files", "bins"])]
    pub signed: Option<PathBuf>,
    /// The folder for keys and 1.root.json [default: the data folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
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
    if let Some(folder) = &args.signed {
        return signed(&config, folder, args.out.as_deref()).await;
    }
    let bins = match (config.bins, config.expected_files) {
        (Some(bins), _) => bins,
        (None, Some(files)) => bins::best_count(files),
        (None, None) => bins::UNTOLD,
    };
    let location = StoreLocation::of(&config)?;
    if location.is_shared() && args.out.is_none() {
        let missing = format!("name a folder for the keys of {location} with --out DIR");
        return Err(Usage(missing).into());
    }
    let keys = KeyFolder::new(args.out.as_deref().unwrap_or(&config.data));
    let store = Store::at(&location)?;
    store.self_test().await.with_context(|| format!("cannot use the store {location}"))?;
    let options = InitOptions { bins, validity: config.validity };
    let bar = progress::bar();
    let made = init(&store, &keys, &options, |done| {
        progress::show(&bar, "signing bins", done, bins.into())
    })
    .await;
    bar.finish_and_clear();
    let made = made?;
    if let Some(folder) = &args.out {
        keep(&folder.join("1.root.json"), &made.root)?;
    }
    say(&format!("made a repository with {} bins in {location}", made.bins));
    say(&format!("SHA-256 of 1.root.json: {}", made.root_sha256));
    say(&format!(
        "the private keys of root, targets and bins lie in {}: move them to where only people can reach them; the serving \
process never needs them",
        keys.offline().display()
    ));
    if args.out.is_some() {
        say(&format!(
            "the online key is {}: put a copy into the data folder of each process that serves",
            keys.online().display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes it on roles that people signed.
async fn signed(config: &Config, folder: &Path, out: Option<&Path>) -> anyhow::Result<ExitCode> {
    let location = StoreLocation::of(config)?;
    let keyring = app::open_keys(config, &Arc::new(Metrics::new()?)).await?;
    let store = Store::at(&location)?;
    store.self_test().await.with_context(|| format!("cannot use the store {location}"))?;
    let founding = Founding {
        store: &store,
        online: &keyring.signers(),
        validity: &config.validity,
        now: Timestamp::now(),
    };
    let bar = progress::bar();
    let show = |done, of| progress::show(&bar, "signing bins", done, of);
    let made = init_signed(&founding, folder, show).await;
    bar.finish_and_clear();
    let made = made?;
    tell(&made, out)?;
    say(&format!("made a repository with {} bins in {location}", made.bins));
    Ok(ExitCode::SUCCESS)
}

/// Says what was checked, and what clients compare; keeps a copy of it.
pub(super) fn tell(made: &Founded, out: Option<&Path>) -> anyhow::Result<()> {
    made.checked.iter().for_each(|line| say(line));
    if let Some(folder) = out {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        keep(&folder.join("1.root.json"), &made.root)?;
    }
    say(&format!("SHA-256 of 1.root.json: {}", made.root_sha256));
    Ok(())
}

fn keep(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
