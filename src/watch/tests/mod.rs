//! The watcher before a real mirror on loopback, with a real repository behind it.

mod doubt;
mod errands;
mod gone;
mod names;
mod operator;
mod polls;
mod site;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::wish::{Looked, Wish};
use super::*;
use crate::ceremony::{InitOptions, KeyFolder, init};
use crate::config::{Access, Config, WatchMode};
use crate::index::{File, Links, ProjectPage};
use crate::repository::{Contents, PublisherConfig};
use crate::signer::Keyring;
use crate::telemetry::{LookOutcome, Refusal, Trigger};
use crate::upstream::testing::{Mirror, limits};

use site::Site;

pub(super) fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).unwrap()
}

/// A mirror, a repository, and a watcher between them.
pub(super) struct Setup {
    pub(super) site: Arc<Site>,
    pub(super) mirror: Mirror,
    pub(super) watcher: Watcher,
    pub(super) config: Arc<Config>,
    folder: TempDir,
    stop: CancellationToken,
    publishing: JoinHandle<()>,
}

impl Setup {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let site = Arc::new(Site::default());
        let answering = site.clone();
        let mirror = Mirror::start(move |_, request| answering.answer(request)).await;
        let mut config = Config { upstream: mirror.config(), ..Config::default() };
        config.limits = limits();
        config.watch.mode = WatchMode::All;
        config.watch.interval = Duration::from_millis(50);
        config.watch.withdrawal_period = Duration::ZERO;
        change(&mut config);
        let folder = TempDir::new().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let options = InitOptions { bins: 16, validity: config.validity.clone() };
        init(&store, &KeyFolder::new(folder.path()), &options, |_| {}).await.unwrap();
        drop(store);
        let (watcher, stop, publishing, config) = start(&folder, Arc::new(config)).await;
        Self { site, mirror, watcher, config, folder, stop, publishing }
    }

    /// Stops, and starts again on the same folder, with the changed configuration.
    pub(super) async fn restarted(self, change: impl FnOnce(&mut Config)) -> Self {
        let Self { site, mirror, watcher, config, folder, stop, publishing } = self;
        let mut config = (*config).clone();
        change(&mut config);
        stop.cancel();
        publishing.await.unwrap();
        watcher.watch.stop.cancel();
        watcher.watch.tracker.close();
        watcher.watch.tracker.wait().await;
        drop(watcher);
        let (watcher, stop, publishing, config) = start(&folder, Arc::new(config)).await;
        Self { site, mirror, watcher, config, folder, stop, publishing }
    }

    pub(super) fn watch(&self) -> &Watch {
        &self.watcher.watch
    }

    /// One poll, as the loop does it.
    pub(super) async fn poll(&self) {
        self.watch().poll(None).await;
        self.watch().save().await;
    }

    pub(super) async fn look(&self, name: &str) -> Looked {
        self.watch().look(&project(name), Wish::new(Trigger::Webhook)).await.unwrap()
    }

    pub(super) async fn page(&self, name: &str) -> Option<Arc<ProjectPage>> {
        self.watch().repository.model(&project(name)).await.unwrap()
    }

    pub(super) async fn file(&self, name: &str, filename: &str) -> Option<File> {
        let page = self.page(name).await?;
        page.files.iter().find(|file| file.filename == filename).cloned()
    }

    /// The SHA-256 that a file is signed with.
    pub(super) async fn hash(&self, name: &str, filename: &str) -> Option<Digest> {
        Some(self.file(name, filename).await?.sha256()?.parse().unwrap())
    }

    /// Whether the file is a target of its own.
    pub(super) async fn is_target(&self, name: &str, filename: &str) -> bool {
        let path = crate::repository::file_path(&project(name), filename).unwrap();
        self.watch().repository.target(&path).await.unwrap().is_some()
    }

    pub(super) fn commit(&self) -> u64 {
        self.watch().repository.published().base.commit
    }

    pub(super) fn metric(&self, line: &str) -> u64 {
        let text = self.watch().metrics.encode().unwrap();
        let value = text.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {line} in {text}")).parse::<f64>().unwrap() as u64
    }

    pub(super) fn refusals(&self, reason: Refusal) -> u64 {
        self.metric(&format!("countersign_refusals_total{{reason=\"{reason}\"}}"))
    }

    /// Requests so far whose first line contains `text`.
    pub(super) fn requests(&self, text: &str) -> Vec<String> {
        let first = |r: &String| r.lines().next().is_some_and(|line| line.contains(text));
        self.mirror.requests().into_iter().filter(first).collect()
    }
}

async fn start(
    folder: &TempDir,
    config: Arc<Config>,
) -> (Watcher, CancellationToken, JoinHandle<()>, Arc<Config>) {
    let store = Store::open(folder.path()).unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    let publisher = PublisherConfig {
        metrics: metrics.clone(),
        memory: 1 << 24,
        keyring: Keyring::of(vec![KeyFolder::new(folder.path()).load_online().unwrap()]),
        contents: Contents {
            targets: config.targets,
            html: config.html,
            links: Links::from_page_path("/simple/x/", &config.tuf_prefix),
        },
        validity: config.validity.clone(),
        store: config.store.clone(),
        clock: crate::time::Clock::System,
        readiness: Arc::default(),
    };
    let (publisher, repository, task) = Publisher::open(store.clone(), publisher).await.unwrap();
    let stop = CancellationToken::new();
    let publishing = tokio::spawn(task.run(stop.clone()));
    let none = Matcher::builder().build();
    let upstream =
        Upstream::with_proxies(&config.upstream, &config.limits, Access::Upstream, none).unwrap();
    let watcher = Watcher::new(WatcherParts {
        upstream,
        spool: Spool::open(&folder.path().join("spool"), config.cache.files).unwrap(),
        repository,
        publisher,
        store,
        metrics,
        config: config.clone(),
    });
    watcher.watch.load().await;
    (watcher, stop, publishing, config)
}

/// Waits until `holds`; fails after a long time.
pub(super) async fn eventually<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    for _ in 0..3000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came about");
}

pub(super) fn outcome(looked: &Looked) -> LookOutcome {
    looked.outcome
}
