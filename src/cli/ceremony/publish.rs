//! `publish`: what enough holders signed becomes visible.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;

use crate::app;
use crate::ceremony::file::{self, Kind};
use crate::ceremony::publish::{self, Texts};
use crate::cli::flags::Location;
use crate::cli::{Environment, progress, say};
use crate::control::{self, ControlError, Metadata, Request};
use crate::repository::publish_roles;
use crate::store::StoreLocation;
use crate::telemetry::{Metrics, Readiness};
use crate::tuf::{Role, Root, Targets};

/// What `root publish` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct PublishRoot {
    /// The signed root
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// A signed targets that goes with it
    #[arg(long, value_name = "FILE")]
    pub targets: Option<PathBuf>,
    /// A signed bins that goes with it
    #[arg(long, value_name = "FILE")]
    pub bins: Option<PathBuf>,
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
}

/// What `targets publish` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct PublishTargets {
    /// The signed targets
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// A signed bins that goes with it
    #[arg(long, value_name = "FILE")]
    pub bins: Option<PathBuf>,
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
}

/// What `bins publish` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct PublishBins {
    /// The signed bins
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
}

impl PublishRoot {
    pub(super) async fn run(&self, environment: &Environment) -> anyhow::Result<ExitCode> {
        let (targets, bins) = (self.targets.as_deref(), self.bins.as_deref());
        run(Some(&self.file), targets, bins, &self.location, environment).await
    }
}

impl PublishTargets {
    pub(super) async fn run(&self, environment: &Environment) -> anyhow::Result<ExitCode> {
        run(None, Some(&self.file), self.bins.as_deref(), &self.location, environment).await
    }
}

impl PublishBins {
    pub(super) async fn run(&self, environment: &Environment) -> anyhow::Result<ExitCode> {
        run(None, None, Some(&self.file), &self.location, environment).await
    }
}

/// Has the process publish that serves the folder; where none does, or the store is shared, publishes with the configured keys.
async fn run(
    root: Option<&Path>,
    targets: Option<&Path>,
    bins: Option<&Path>,
    location: &Location,
    environment: &Environment,
) -> anyhow::Result<ExitCode> {
    let root = text::<Root>(root, Kind::Root)?;
    let targets = text::<Targets>(targets, Kind::Targets)?;
    let bins = text::<Targets>(bins, Kind::Bins)?;
    let config = environment.config(location, Vec::new())?;
    if let StoreLocation::Folder(_) = StoreLocation::of(&config)? {
        let of = |text: &Option<String>| text.clone().map(Metadata);
        let (root, targets, bins) = (of(&root), of(&targets), of(&bins));
        let request = Request::PublishRoles { root, targets, bins };
        match control::send(&config.data, &request).await {
            Ok(reply) => {
                say(&reply.message);
                return Ok(ExitCode::SUCCESS);
            }
            Err(ControlError::NotRunning(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let metrics = Arc::new(Metrics::new()?);
    let store = app::open_store(&config)?;
    let publishing = app::publishing(&config, &metrics, &Arc::<Readiness>::default()).await?;
    let loaded: Vec<_> = publishing.keyring.signers().iter().map(|key| key.key().id()).collect();
    let texts = Texts { root: root.as_deref(), targets: targets.as_deref(), bins: bins.as_deref() };
    let new = publish::checked(&store, texts, &loaded, Timestamp::now()).await?;
    let bar = progress::bar();
    let show = |done, of| progress::show(&bar, "signing bins", done, of);
    let published = publish_roles(store, publishing, new, &show).await;
    bar.finish_and_clear();
    say(&publish::told(&published?));
    Ok(ExitCode::SUCCESS)
}

/// The file, in its compact form.
fn text<R: Role>(path: Option<&Path>, kind: Kind) -> anyhow::Result<Option<String>> {
    let Some(path) = path else { return Ok(None) };
    let read = file::read::<R>(path, kind)?;
    Ok(Some(String::from_utf8(read.to_bytes()?)?))
}
