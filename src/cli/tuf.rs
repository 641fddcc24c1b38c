//! `countersign tuf`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use url::Url;

use super::{Environment, Usage};
use crate::client::{Http, Names, Settings, State, Tally, Updater, View, download};
use crate::config::{Access, LimitsConfig, UpstreamConfig};
use crate::tuf::workflow::first_root;
use crate::upstream::{ConfigError, Upstream, UpstreamError};

pub(super) const ABOUT: &str = "A client for any TUF repository (The Update Framework, specification 1.0, section 5).

`init` begins with a root that you trust; `refresh` brings the metadata up to date; `download` does that, and then fetches \
targets. The folder of the metadata holds what is trusted, as it was sent. Exit code 0: done, all checks passed. 1: something \
failed a check, or could not be had; one line on standard error says what.";

/// What `tuf` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(
    next_line_help = true,
    after_help = "Examples:
  countersign tuf --metadata-dir trusted init 1.root.json
  countersign tuf --metadata-dir trusted --metadata-url https://repo.example/metadata/ refresh
  countersign tuf --metadata-dir trusted --metadata-url https://repo.example/metadata/ --target-name tool.tar.gz \\
    --target-base-url https://repo.example/targets/ --target-dir . download"
)]
pub struct Args {
    /// The folder of the trusted metadata
    #[arg(long, value_name = "DIR")]
    pub metadata_dir: PathBuf,
    /// Where the repository's metadata lies
    #[arg(long, value_name = "URL")]
    pub metadata_url: Option<String>,
    /// The path of a target; may be given several times
    #[arg(long, value_name = "NAME")]
    pub target_name: Vec<String>,
    /// Where the repository's targets lie
    #[arg(long, value_name = "URL")]
    pub target_base_url: Option<String>,
    /// The folder that targets are written to
    #[arg(long, value_name = "DIR")]
    pub target_dir: Option<PathBuf>,
    /// Targets lie under their own names, without a hash, though the repository has consistent snapshots
    #[arg(long)]
    pub plain_names: bool,
    /// What to do.
    #[command(subcommand)]
    pub task: Task,
}

/// What `tuf` does.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Task {
    /// Begin with a root that you trust.
    Init {
        /// The file of the root
        trusted_root: PathBuf,
    },
    /// Bring the trusted metadata up to date.
    Refresh,
    /// Refresh, then fetch the targets that were named.
    Download,
}

/// Does one task.
///
/// # Errors
/// Where a check fails, or something cannot be had or kept.
pub async fn run(args: Args, _: &Environment) -> anyhow::Result<ExitCode> {
    match &args.task {
        Task::Init { trusted_root } => {
            let root = std::fs::read(trusted_root)
                .with_context(|| format!("cannot read {}", trusted_root.display()))?;
            begin(&args.metadata_dir, trusted_root, &root)?;
        }
        Task::Refresh => drop(args.refresh().await?),
        Task::Download => {
            let into = needed(&args.target_dir, "--target-dir")?;
            needed(&args.target_base_url, "--target-base-url")?;
            if args.target_name.is_empty() {
                return Err(missing("--target-name"));
            }
            let names = if args.plain_names { Names::Plain } else { Names::Hashed };
            let (remote, view) = args.refresh().await?;
            for name in &args.target_name {
                let place = download(&view, &remote, name, into, names).await?;
                tracing::info!(name, place = %place.display(), "verified");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Begins with `root`, the bytes of the file `path`. To begin with the same one again is fine.
fn begin(folder: &Path, path: &Path, root: &[u8]) -> anyhow::Result<()> {
    first_root(root).with_context(|| format!("{} cannot be trusted", path.display()))?;
    let state = State::init(folder, root)?;
    if state.get("root")?.as_deref() != Some(root) {
        bail!(
            "{} holds another root already, which stays: name another folder, or remove this one if it is not to be trusted any more",
            folder.display()
        );
    }
    Ok(())
}

impl Args {
    async fn refresh(&self) -> anyhow::Result<(Http, View)> {
        let state = State::open(&self.metadata_dir)?;
        let remote = self.remote()?;
        let updater = Updater::new(state, Arc::new(remote.clone()), Settings::default());
        let view = updater.refresh().await?;
        Ok((remote, view))
    }

    fn remote(&self) -> anyhow::Result<Http> {
        let metadata = url(needed(&self.metadata_url, "--metadata-url")?, "--metadata-url")?;
        let targets = match &self.target_base_url {
            Some(text) => url(text, "--target-base-url")?,
            None => metadata.clone(),
        };
        let config = UpstreamConfig {
            url: self.metadata_url.clone(),
            origins: vec![targets.origin().ascii_serialization()],
            ..UpstreamConfig::default()
        };
        let upstream = Upstream::new(&config, &LimitsConfig::default(), Access::Upstream);
        let upstream = upstream.map_err(in_flags)?;
        Ok(Http::new(upstream, metadata, targets, Arc::new(Tally::default())))
    }
}

/// In the words of this command: the flags differ from the keys of `serve`.
fn in_flags(error: UpstreamError) -> anyhow::Error {
    let (flag, value, why) = match error {
        UpstreamError::Config(ConfigError::Url { value, why }) => ("--metadata-url", value, why),
        UpstreamError::Config(ConfigError::Origin { value, why }) => {
            ("--target-base-url", value, why)
        }
        other => return other.into(),
    };
    Usage(format!("{flag} {value} cannot be used: {why}")).into()
}

fn url(text: &str, flag: &str) -> anyhow::Result<Url> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| Usage(format!("{flag} {text} is no http or https URL")).into())
}

fn needed<'a, T>(value: &'a Option<T>, flag: &str) -> anyhow::Result<&'a T> {
    value.as_ref().ok_or_else(|| missing(flag))
}

fn missing(flag: &str) -> anyhow::Error {
    Usage(format!("{flag} is needed for this")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ceremony::{InitOptions, KeyFolder, init};
    use crate::config::ValidityConfig;
    use crate::store::{Store, layout};

    async fn root() -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("repository")).unwrap();
        let options = InitOptions { bins: 2, validity: ValidityConfig::default() };
        init(&store, &KeyFolder::new(folder.path()), &options, |_| ()).await.unwrap();
        store.read(&layout::root(1)).await.unwrap().unwrap().to_vec()
    }

    #[tokio::test]
    async fn it_begins_with_one_root_that_can_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let (into, path) = (folder.path().join("trusted"), Path::new("1.root.json"));
        let said = format!("{:#}", begin(&into, path, b"{}").unwrap_err());
        assert!(said.contains("1.root.json cannot be trusted"), "{said}");
        assert!(!into.exists());
        let (first, second) = (root().await, root().await);
        begin(&into, path, &first).unwrap();
        begin(&into, path, &first).unwrap();
        let said = begin(&into, path, &second).unwrap_err().to_string();
        assert!(said.contains("holds another root already"), "{said}");
        assert_eq!(std::fs::read(into.join("root.json")).unwrap(), first);
    }

    #[test]
    fn a_url_that_cannot_be_used_is_named_by_its_flag() {
        let args = Args {
            metadata_dir: "trusted".into(),
            metadata_url: Some("https://ann:hunter2@h.example/metadata/?x".into()),
            target_name: Vec::new(),
            target_base_url: None,
            target_dir: None,
            plain_names: false,
            task: Task::Refresh,
        };
        let error = args.remote().unwrap_err();
        assert!(error.is::<Usage>());
        let said = error.to_string();
        assert!(said.contains("--metadata-url") && !said.contains("hunter2"), "{said}");
    }
}
