//! `current`: the newest published version, out of the store.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::ceremony::file::{Kind, Replace, write_bytes};
use crate::cli::flags::Location;
use crate::cli::{Environment, open, say};
use crate::repository::current_roles;
use crate::store::layout;

/// What `current` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Current {
    /// The file that it is written to; one that is there is replaced
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
}

/// Writes the newest version, byte for byte.
pub(super) async fn run(
    kind: Kind,
    args: &Current,
    environment: &Environment,
) -> anyhow::Result<ExitCode> {
    let store = open::store(&environment.config(&args.location, Vec::new())?)?;
    let current = current_roles(&store).await?;
    let (version, object) = match kind {
        Kind::Root => {
            let version = current.root.signed.version;
            (version, layout::root(version))
        }
        Kind::Targets => named(kind, current.targets.signed.version),
        Kind::Bins => named(kind, current.bins.signed.version),
    };
    let bytes = store.read(&object).await?.with_context(|| format!("{object} is missing"))?;
    write_bytes(&args.out, kind, &bytes, Replace::Yes)?;
    say(&format!("{} {version} is in {}", kind.name(), args.out.display()));
    Ok(ExitCode::SUCCESS)
}

fn named(kind: Kind, version: u64) -> (u64, String) {
    (version, layout::metadata(version, kind.name()))
}
