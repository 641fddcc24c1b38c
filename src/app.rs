//! The composition root of `countersign serve`: builds the pieces, runs them, ends them in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ceremony::{InitOptions, KeyFolder, init};
use crate::config::Config;
use crate::control;
use crate::index::Links;
use crate::proxy::{self, Proxy, ProxyParts};
use crate::repository::{Collector, Contents, Mode, Publisher, PublisherConfig};
use crate::serving::tls;
use crate::spool::Spool;
use crate::store::{Store, StoreError, StoreLocation, layout};
use crate::telemetry::{AdminState, Metrics, Readiness, admin};
use crate::time::Clock;
use crate::tuf::{Digest, bins};
use crate::upstream::Upstream;
use crate::watch::{self, Watcher, WatcherParts};

mod expiry;
mod keys;
mod operator;

use expiry::Warnings;
pub use keys::open_keys;

/// The folder of verified files, below the data folder.
const SPOOL: &str = "spool";
/// Targets that a project has, where nothing tells.
const TARGETS_A_PROJECT: u64 = 20;
/// How long what is under way may take to end.
const DRAIN: Duration = Duration::from_secs(30);

/// What `/readyz` waits for.
const CONDITIONS: [&str; 2] = ["repository", "listener"];

/// Whether create-if-absent holds in the store. A folder that cannot be written to now, for want of room, say, has one
/// writer all the same, whom its lock knows; and what is published in it is served.
async fn test(store: &Store) -> Result<(), StoreError> {
    match store.self_test().await {
        Err(error @ StoreError::Object { .. }) if !store.is_shared() => {
            tracing::error!(error = %error, "nothing can be published until the store can be written to");
            Ok(())
        }
        tested => tested,
    }
}

/// Serves until SIGINT or SIGTERM, then ends what is under way, within bounds.
///
/// # Errors
/// Where it cannot start: one sentence that says what to do.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let config = Arc::new(config);
    let stop = stop_on_signals()?;
    let metrics = Arc::new(Metrics::new()?);
    let readiness = Arc::new(Readiness::requiring(&CONDITIONS));
    let upstream = Upstream::new(&config.upstream, &config.limits, config.access)?;
    let tls = tls::server_config(&config.tls)?;
    let index = bind(config.listen, "--listen").await?;
    let admin = bind(config.admin_listen, "--admin-listen").await?;

    let location = StoreLocation::of(&config)?;
    let store = open_store(&config)?.with_metrics(metrics.clone());
    let folder = KeyFolder::new(&config.data);
    // Before anything is made: a mirror that wants a login is not opened.
    let listed = watch::probe(&upstream, config.access).await?;
    test(&store).await.with_context(|| format!("cannot use the store {location}"))?;
    let root = ensure_repository(&config, &location, &store, &folder, listed).await?;
    let publishing = publishing(&config, &metrics, &readiness).await?;
    let keyring = publishing.keyring.clone();
    let (publisher, repository, publishing) = Publisher::open(store.clone(), publishing).await?;
    tracing::info!(root_sha256 = %root, commit = repository.published().base.commit, "repository loaded");
    readiness.met("repository");

    let roles_publisher = publisher.clone();
    let spool = Spool::open(&config.data.join(SPOOL), config.cache.files)?;
    let watcher = Watcher::new(WatcherParts {
        upstream: upstream.clone(),
        spool: spool.clone(),
        repository: repository.clone(),
        publisher,
        store: store.clone(),
        metrics: metrics.clone(),
        config: config.clone(),
    });

    // Who publishes goes last: what the others hand over still goes out.
    let last = CancellationToken::new();
    let publishing = tokio::spawn(publishing.run(last.clone()));
    tokio::spawn(repository.clone().keep_looking(last.clone()));
    tokio::spawn(collect(
        store.clone(),
        watcher.clone(),
        config.clone(),
        metrics.clone(),
        last.clone(),
    ));
    let warnings = Warnings {
        repository: repository.clone(),
        validity: config.validity.clone(),
        metrics: metrics.clone(),
        readiness: readiness.clone(),
    };
    tokio::spawn(warnings.run(last.clone()));
    tokio::spawn(keys::keep(
        keyring.clone(),
        repository.clone(),
        readiness.clone(),
        config.signing.reload,
        last.clone(),
    ));
    tokio::spawn(show_spool(spool.clone(), metrics.clone(), last.clone()));
    let watching = tokio::spawn(watcher.clone().run(stop.clone()));
    let socket = config.data.join(control::SOCKET);
    let desk = operator::Desk {
        watcher: watcher.clone(),
        publisher: roles_publisher,
        repository: repository.clone(),
        store: store.clone(),
        keyring,
    };
    let control = control::serve(&socket, Arc::new(desk), stop.clone())?;
    let state = AdminState {
        metrics: metrics.clone(),
        readiness: readiness.clone(),
        changed: {
            let watcher = watcher.clone();
            Box::new(move |project| watcher.changed(project))
        },
    };
    announce("admin", &admin)?;
    let admin = tokio::spawn(admin::serve(admin, state, stop.clone()));
    let proxy = Proxy::new(ProxyParts { repository, upstream, spool, watcher, metrics, config });
    announce("index", &index)?;
    let serving = tokio::spawn(proxy::serve(index, tls, proxy, stop.clone()));
    readiness.met("listener");

    stop.cancelled().await;
    tracing::info!("stopping: finishing what is under way");
    readiness.unmet("listener", "stopping");
    for (name, task) in
        [("listener", serving), ("watcher", watching), ("control", control), ("admin", admin)]
    {
        finish(name, task).await;
    }
    last.cancel();
    finish("publisher", publishing).await;
    tracing::info!("stopped");
    Ok(())
}

/// Makes the repository where there is none and it may be made; the SHA-256 of `1.root.json`.
async fn ensure_repository(
    config: &Config,
    location: &StoreLocation,
    store: &Store,
    folder: &KeyFolder,
    listed: Option<usize>,
) -> anyhow::Result<Digest> {
    if store.list(layout::TIMESTAMPS).await?.is_empty() {
        if store.is_shared() {
            anyhow::bail!(
                "there is no repository in {location}: make one, once, with `countersign init --store {location} --out DIR`, \
                 and put a copy of DIR/online.pem into the data folder of each replica"
            );
        }
        if config.no_init {
            anyhow::bail!(
                "there is no repository in {}: run `countersign init --data {0}`, or start without --no-init",
                config.data.display()
            );
        }
        if !keys::makes_its_key(config) {
            anyhow::bail!(
                "there is no repository in {}, and signing.online does not name the key that is made with one, file:online.pem: \
                 make it with `countersign init` first",
                config.data.display()
            );
        }
        let bins = bins_for(config, listed);
        tracing::info!(bins, data = %config.data.display(), "no repository yet: making one");
        let options = InitOptions { bins, validity: config.validity.clone() };
        let made = init(store, folder, &options, |_| ()).await?;
        tracing::warn!(
            offline_keys = %folder.offline().display(),
            root_sha256 = %made.root_sha256,
            "a trust root was made. The offline keys of root, targets and bins must leave this machine: \
             move them to where only people can reach them, and give clients the SHA-256 of 1.root.json"
        );
    }
    let root = store.read(&layout::root(1)).await?;
    Ok(Digest::of(&root.context("root/1.root.json is missing in the store")?))
}

/// How many bins: as configured, else for the number of projects that the mirror lists.
fn bins_for(config: &Config, listed: Option<usize>) -> u32 {
    if let Some(bins) = config.bins {
        return bins;
    }
    if let Some(files) = config.expected_files {
        return bins::best_count(files);
    }
    let listed = listed.filter(|n| *n > 0);
    listed.map_or(bins::UNTOLD, |n| bins::best_count(n as u64 * TARGETS_A_PROJECT))
}

/// The store that is configured, opened for writing.
///
/// # Errors
/// Where another process has it, or it cannot be used.
pub fn open_store(config: &Config) -> anyhow::Result<Store> {
    Ok(Store::at(&StoreLocation::of(config)?)?)
}

/// How the repository is published, with the online keys loaded.
///
/// # Errors
/// Where no key can be loaded.
pub async fn publishing(
    config: &Config,
    metrics: &Arc<Metrics>,
    readiness: &Arc<Readiness>,
) -> anyhow::Result<PublisherConfig> {
    let index =
        config.upstream_url().map_or_else(|_| "/simple/".into(), |url| url.path().to_owned());
    let page_path = format!("{index}project/");
    Ok(PublisherConfig {
        memory: config.cache.memory,
        keyring: open_keys(config, metrics).await?,
        contents: Contents {
            targets: config.targets,
            html: config.html,
            links: Links::from_page_path(&page_path, &config.tuf_prefix),
        },
        validity: config.validity.clone(),
        store: config.store.clone(),
        clock: Clock::System,
        metrics: metrics.clone(),
        readiness: readiness.clone(),
    })
}

/// Deletes what was superseded, from time to time; one replica is enough.
async fn collect(
    store: Store,
    watcher: Watcher,
    config: Arc<Config>,
    metrics: Arc<Metrics>,
    until: CancellationToken,
) {
    let grace = config.store.grace;
    let mut collector = Collector::new(store, grace);
    while until.run_until_cancelled(tokio::time::sleep(grace / 2)).await.is_some() {
        if !watcher.is_polling() {
            continue;
        }
        let pass = collector.collect(Mode::Delete, &|_| ());
        match until.run_until_cancelled(pass).await {
            Some(Ok(collected)) => metrics.collected.inc_by(collected.objects()),
            Some(Err(error)) => {
                metrics.collection_failures.inc();
                tracing::warn!(%error, "superseded objects could not be deleted; trying again later");
            }
            None => return,
        }
    }
}

/// Keeps the gauge of the spool's size.
async fn show_spool(spool: Spool, metrics: Arc<Metrics>, until: CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    while until.run_until_cancelled(tick.tick()).await.is_some() {
        metrics.spool_bytes.set(spool.used().cast_signed());
    }
}

pub(crate) async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("cannot listen on {address}: choose another address with {flag}"))
}

fn announce(listener: &str, bound: &TcpListener) -> anyhow::Result<()> {
    tracing::info!(listener, address = %bound.local_addr()?, "listening");
    Ok(())
}

pub(crate) fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
        }
        token.cancel();
    });
    Ok(stop)
}

async fn finish(name: &str, task: JoinHandle<()>) {
    match tokio::time::timeout(DRAIN, task).await {
        Ok(Ok(())) => (),
        Ok(Err(error)) => tracing::error!(name, %error, "a task ended badly"),
        Err(_) => tracing::warn!(name, "did not finish in time; ending all the same"),
    }
}
