//! `countersign gateway`

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::Environment;
use super::index_flags::{Index, refused};
use crate::app::{bind, stop_on_signals};
use crate::client::cache::FileCache;
use crate::client::folders;
use crate::client::gateway::{Gateway, GatewayParts, serve};
use crate::client::session::Session;
use crate::config::units::{duration, size};

pub(super) const ABOUT: &str = "Stands between the tools on this machine and a countersign sidecar: pip, uv, poetry and pipenv speak no TUF, so this \
verifies for them, and hands on only what passed.

Project pages come from verified targets; files and core metadata must have the hashes that the verified page gives. What fails a \
check is answered with 403, and the status line, the answer and the log say which check, on what, and what to do. 404 is only for \
what verified metadata says does not exist. Metadata is refreshed once an interval, when something is asked for. While the sidecar \
cannot be reached, what was verified goes on until its metadata expires.

The first use of an index pins its root, with --root or --root-sha256; later ones need neither (see `countersign trust`). Ctrl-C or \
SIGTERM end it once what is under way is done.

Whoever reaches the gateway gets what it verified, in plain HTTP: leave it on loopback. It takes no uploads.";

/// What `gateway` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(
    next_line_help = true,
    after_help = "Examples:
  countersign gateway --index https://mirror.example/simple/ --root-sha256 HEX
  pip install --index-url http://127.0.0.1:8081/simple/ some-project
  uv sync --default-index http://127.0.0.1:8081/simple/
  poetry source add --priority=primary verified http://127.0.0.1:8081/simple/
  countersign gateway --index https://mirror.example/root/pypi/+simple/ --listen 127.0.0.1:9000 --files '8 GiB'

The path is that of the index itself. `countersign run` does all of this for one command."
)]
pub struct Args {
    /// Which index.
    #[command(flatten)]
    pub index: Index,
    /// Where the tools connect
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,
    /// How much of verified pages and files is kept on disk, in $XDG_CACHE_HOME/countersign (~/.cache/countersign)
    #[arg(long, value_name = "SIZE", default_value = "1 GiB", value_parser = size::parse)]
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
    let session = Session::open(&args.index.options()?).await.map_err(refused)?;
    let cache = folders::cache(|name| std::env::var_os(name)).ok();
    let cache = FileCache::open(cache.as_deref(), args.files)
        .context("there is no room for verified files")?;
    let parts = GatewayParts::of(&session, cache.spool().clone(), args.refresh);
    let gateway = Gateway::new(parts);
    announce(&listener, &session)?;
    let first = gateway.clone();
    // What is wrong with the repository is said at once, not only when something is asked for.
    tokio::spawn(async move { first.refresh().await });
    serve(listener, gateway, stop).await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

fn announce(listener: &TcpListener, session: &Session) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "this is not loopback: whoever reaches it gets what this gateway verified, in plain HTTP, and cannot \
            tell whether somebody on the way changed it");
    }
    let index_url = format!("http://{address}{}", session.index.path());
    tracing::info!(listener = "gateway", %address, index_url, index = %session.index, "listening");
    Ok(())
}
