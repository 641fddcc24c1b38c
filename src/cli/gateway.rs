//! `countersign gateway`

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use url::Url;

use super::index_flags::{Access, Index, data, refused};
use super::{Environment, Usage};
use crate::app::{bind, stop_on_signals};
use crate::client::bundle::{AsOf, Offline, OfflineOptions, PinnedRoot};
use crate::client::cache::FileCache;
use crate::client::folders;
use crate::client::gateway::{Gateway, GatewayParts, serve};
use crate::client::session::Session;
use crate::config::units::{duration, size};
use crate::time::Clock;

pub(super) const ABOUT: &str = "Stands between the tools on this machine and a countersign sidecar: pip, uv, poetry and pipenv speak no TUF, so this \
verifies for them, and hands on only what passed.

Project pages come from verified targets; files and core metadata must have the hashes that the verified page gives. What fails a \
check is answered with 403, and the status line, the answer and the log say which check, on what, and what to do. 404 is only for \
what verified metadata says does not exist. Metadata is refreshed once an interval, when something is asked for. While the sidecar \
cannot be reached, what was verified goes on until its metadata expires.

The first use of an index pins its root, with --root or --root-sha256; later ones need neither (see `countersign trust`). Ctrl-C or \
SIGTERM end it once what is under way is done.

Whoever reaches the gateway gets what it verified, in plain HTTP: leave it on loopback. It takes no uploads.

With --bundle, all of it comes from one file (`countersign bundle create`), and no network is needed. A bundle cannot vouch for \
itself: --root or --root-sha256 is needed each time. One that is older than a bundle which was used here before is refused.";

/// What `gateway` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(
    next_line_help = true,
    after_help = "Examples:
  countersign gateway --index https://mirror.example/simple/ --root-sha256 HEX
  pip install --index-url http://127.0.0.1:8081/simple/ some-project
  uv sync --default-index http://127.0.0.1:8081/simple/
  poetry source add --priority=primary verified http://127.0.0.1:8081/simple/
  countersign gateway --index https://mirror.example/root/pypi/+simple/ --listen 127.0.0.1:9000 --files 8GiB
  countersign gateway --bundle tools.bundle --root 1.root.json

The path is that of the index itself. `countersign run` does all of this for one command."
)]
pub struct Args {
    /// Which index.
    #[command(flatten)]
    pub index: Index,
    /// A bundle, in the place of an index
    #[arg(long, value_name = "FILE", conflicts_with_all = ["index", "tuf", "ca_file", "credentials"])]
    pub bundle: Option<PathBuf>,
    /// Take a bundle that has expired: what was withdrawn since it was made, and keys that were revoked since, are not known then
    #[arg(long, requires = "bundle")]
    pub as_of: bool,
    /// Where the tools connect
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,
    /// How much of verified pages and files is kept on disk, in $XDG_CACHE_HOME/countersign (~/.cache/countersign)
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size::parse)]
    pub files: u64,
    /// How often the sidecar is asked for news, at the most
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration::parse)]
    pub refresh: Duration,
}

/// Serves until it is told to stop.
///
/// # Errors
/// Where it cannot start: one sentence that says what to do.
pub async fn run(args: Args, _: &Environment) -> anyhow::Result<ExitCode> {
    let stop = stop_on_signals()?;
    let listener = bind(args.listen, "--listen").await?;
    let cache = folders::cache(|name| std::env::var_os(name)).ok();
    let cache = FileCache::open(cache.as_deref(), args.files)
        .context("there is no room for verified files")?;
    let spool = cache.spool().clone();
    let (parts, index) = match &args.bundle {
        None => {
            let session = Session::open(&args.index.options()?).await.map_err(refused)?;
            (GatewayParts::of(&session, spool, args.refresh), session.index)
        }
        Some(bundle) => {
            let offline = Offline::open(args.offline(bundle)?).await?;
            let index = offline.bundle.manifest().index.clone();
            (GatewayParts::offline(&offline, spool, args.refresh), index)
        }
    };
    let gateway = Gateway::new(parts);
    announce(&listener, &index)?;
    let first = gateway.clone();
    // What is wrong with the repository is said at once, not only when something is asked for.
    tokio::spawn(async move { first.refresh().await });
    serve(listener, gateway, stop).await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn offline(&self, bundle: &Path) -> anyhow::Result<OfflineOptions> {
        let Access { root, root_sha256, data: given, .. } = &self.index.access;
        let root = match (root, root_sha256) {
            (Some(path), _) => PinnedRoot::File(path.clone()),
            (None, Some(sha256)) => PinnedRoot::Sha256(*sha256),
            (None, None) => return Err(Usage(UNTRUSTED.into()).into()),
        };
        let expiry = if self.as_of { AsOf::Bundle } else { AsOf::Now(Clock::System) };
        let data = data(given.as_ref()).map_err(refused)?;
        Ok(OfflineOptions { bundle: bundle.to_owned(), root, data, expiry })
    }
}

const UNTRUSTED: &str = "a bundle cannot vouch for itself: say which root to trust, with --root FILE (its 1.root.json) or --root-sha256 HEX. \
Get either from whoever runs the sidecar, and not with the bundle; `countersign inspect` shows the SHA-256 there";

fn announce(listener: &TcpListener, index: &Url) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "this is not loopback: whoever reaches it gets what this gateway verified, in plain HTTP, and cannot \
            tell whether somebody on the way changed it");
    }
    let index_url = format!("http://{address}{}", index.path());
    tracing::info!(listener = "gateway", %address, index_url, %index, "listening");
    Ok(())
}
