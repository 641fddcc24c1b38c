//! `countersign import`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;

use super::flags::Location;
use super::init::tell;
use super::{Environment, progress, say};
use crate::app;
use crate::ceremony::{Founding, import};
use crate::store::{Store, StoreLocation};
use crate::telemetry::Metrics;

pub(super) const ABOUT: &str = "Takes over a TUF repository that was made elsewhere, with python-tuf, RSTUF or tuftool: its clients go on, with the root and \
the state that they have.

The holders of its targets keys sign the next version of targets, which delegates to bins beside all that it delegated to \
before, and the holders of bins the first version of bins. The online key that its newest root names for timestamp and snapshot \
is one of signing.online. Every role that its snapshot lists goes on being served. What its targets stand for does not: \
only the files of the mirror are served below /tuf/targets/.

Stop whoever signs the old repository first, and take its newest metadata. What is interrupted goes on when it is run again with \
the same files.";

/// What `import` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  countersign import --from ./old/metadata --targets targets.json --bins bins.json
  countersign import --from ./old/metadata --targets targets.json --bins bins.json --store s3://bucket/prefix")]
pub struct Args {
    /// The folder of the old repository's metadata, as it is served: 1.root.json …, timestamp.json
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// The next version of its targets, signed
    #[arg(long, value_name = "FILE")]
    pub targets: PathBuf,
    /// The first version of bins, signed
    #[arg(long, value_name = "FILE")]
    pub bins: PathBuf,
    /// Where a copy of 1.root.json is written
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
}

/// Takes the repository over.
///
/// # Errors
/// Where there is one already, the old one does not verify, or what was signed cannot be published.
pub async fn run(args: Args, environment: &Environment) -> anyhow::Result<ExitCode> {
    let config = environment.config(&args.location, Vec::new())?;
    let location = StoreLocation::of(&config)?;
    let keyring = app::open_keys(&config, &Arc::new(Metrics::new()?)).await?;
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
    let imported = import(&founding, &args.from, &args.targets, &args.bins, show).await;
    bar.finish_and_clear();
    let imported = imported?;
    tell(&imported.founded, args.out.as_deref())?;
    if !imported.kept.is_empty() {
        say(&format!("served on as they were: {}", imported.kept.join(", ")));
    }
    say(&format!(
        "took over the repository, with {} bins, in {location}; it goes on with timestamp {} and snapshot {}",
        imported.founded.bins, imported.timestamp, imported.snapshot
    ));
    Ok(ExitCode::SUCCESS)
}
