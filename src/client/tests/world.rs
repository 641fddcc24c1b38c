//! A real publisher, and somebody who answers in its name with anything that it ever published.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp as Time};

use crate::client::{Remote, RemoteError};
use crate::config::ClockCheck;
use crate::index::ProjectPage;
use crate::repository::tests::support::{Bench, page};
use crate::repository::{PublisherConfig, load};
use crate::signer::{FileSigner, sign};
use crate::store::{Durable, Store, layout};
use crate::time::Clock;
use crate::tuf::{Digest, Root, Signed, Snapshot, TargetFile, Targets, Timestamp};
use crate::upstream::{FileReply, UpstreamError, body};

/// A repository, and what time it is for all.
pub struct World {
    bench: Bench,
    pub clock: Clock,
    files: Files,
}

/// All files that there ever were, by their hash.
type Files = Arc<Mutex<BTreeMap<Digest, Bytes>>>;

impl World {
    pub async fn new() -> Self {
        let bench = Bench::new().await;
        Self { bench, clock: Clock::at(Time::now()), files: Files::default() }
    }

    pub fn store(&self) -> &Store {
        &self.bench.store
    }

    pub async fn first_root(&self) -> Bytes {
        self.store().read(&layout::root(1)).await.unwrap().unwrap()
    }

    /// Publishes a page with a file of that content; withdraws the project where there is none.
    pub async fn publish(&self, project: &str, content: Option<&str>) {
        let name = format!("{project}-1.0.tar.gz");
        if let Some(content) = content {
            let bytes = Bytes::from(content.to_owned());
            self.files.lock().unwrap().insert(Digest::of(&bytes), bytes);
        }
        let files: Vec<_> = content.iter().map(|content| (name.as_str(), *content)).collect();
        let page: ProjectPage = page(project, &files);
        let store = crate::config::StoreConfig { clock: ClockCheck::Trust, ..Default::default() };
        let config = PublisherConfig { clock: self.clock.clone(), store, ..self.bench.config() };
        let running = self.bench.open_with(config).await.unwrap();
        running.publish(&page).await.unwrap();
        running.stop().await;
    }

    /// The next root, by the same keys.
    pub async fn new_root(&self) {
        let Signed { signed, .. } = load::root(self.store()).await.unwrap();
        let root = Root { version: signed.version + 1, ..signed };
        let key = FileSigner::load(&self.bench.keys().offline().join("root.pem")).unwrap();
        let name = layout::root(root.version);
        let signed = sign(root, &[Arc::new(key)]).await.unwrap();
        self.store().create(&name, signed.to_bytes().unwrap(), Durable::Now).await.unwrap();
    }

    pub fn pass(&self, hours: i64) {
        self.clock.set(self.clock.now() + SignedDuration::from_hours(hours));
    }

    /// What the snapshot of that version signed of a target, as the publisher's own store has it.
    pub async fn signed(&self, snapshot: u64, path: &str) -> Option<TargetFile> {
        let snapshot: Snapshot = self.role(&layout::metadata(snapshot, "snapshot")).await;
        let version = |role: &str| snapshot.meta[&format!("{role}.json")].version;
        let bins: Targets = self.role(&layout::metadata(version("bins"), "bins")).await;
        let bin = bins.delegations.unwrap().succinct_roles.unwrap().bin_of(path);
        let bin: Targets = self.role(&layout::metadata(version(&bin), &bin)).await;
        bin.targets.get(path).cloned()
    }

    /// The snapshots that were published: each stands in a timestamp.
    pub async fn published(&self) -> Vec<u64> {
        let mut published = Vec::new();
        for name in names(self.store(), layout::TIMESTAMPS).await {
            let timestamp: Timestamp = self.role(&name).await;
            published.push(timestamp.meta["snapshot.json"].version);
        }
        published
    }

    async fn role<R: crate::tuf::Role>(&self, name: &str) -> R {
        let bytes = self.store().read(name).await.unwrap().unwrap();
        Signed::<R>::parse(&bytes).unwrap().signed
    }
}

/// The objects of a folder, in the order of their names.
async fn names(store: &Store, folder: &str) -> Vec<String> {
    let listed = store.list(folder).await.unwrap();
    let mut names: Vec<_> =
        listed.into_iter().map(|one| format!("{folder}/{}", one.name)).collect();
    names.sort();
    names
}

/// Answers in the repository's name: rightly, or with something else that it once published.
pub struct Liar {
    store: Store,
    files: Files,
    mood: Mutex<Mood>,
}

/// How somebody lies.
#[derive(Debug, Clone, Copy)]
pub struct Mood {
    /// Decides which lies; the same ones each time.
    pub seed: u64,
    /// How many of a hundred answers are lies.
    pub lies: u64,
}

impl Mood {
    pub const HONEST: Self = Self { seed: 1, lies: 0 };

    fn roll(&mut self, sides: usize) -> usize {
        let Self { seed, .. } = self;
        *seed |= 1 << 63;
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        (*seed >> 11) as usize % sides.max(1)
    }
}

impl Liar {
    pub fn new(world: &World) -> Self {
        let (store, files) = (world.store().clone(), world.files.clone());
        Self { store, files, mood: Mutex::new(Mood::HONEST) }
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn roll(&self, sides: usize) -> usize {
        self.mood.lock().unwrap().roll(sides)
    }

    /// The object called `right`, or one of those that are like it, or nothing.
    async fn answer(&self, right: Option<String>, like: Vec<String>) -> Option<Bytes> {
        // So that of two who ask at once now one, now the other is first.
        tokio::time::sleep(Duration::from_millis(self.roll(3) as u64)).await;
        let lies = self.mood.lock().unwrap().lies;
        if self.roll(100) as u64 >= lies {
            return self.store.read(&right?).await.unwrap();
        }
        let other = like.get(self.roll(like.len() + 1))?;
        let bytes = self.store.read(other).await.unwrap()?;
        // Now and then it is cut short, too.
        Some(if self.roll(8) == 0 { bytes.slice(..bytes.len() / 2) } else { bytes })
    }

    async fn find(&self, name: &str) -> Option<Bytes> {
        if name == "timestamp.json" {
            let all = names(&self.store, layout::TIMESTAMPS).await;
            return self.answer(all.last().cloned(), all.clone()).await;
        }
        let (_, role) = name.strip_suffix(".json").unwrap().split_once('.').unwrap();
        let folder = if role == "root" { layout::ROOT } else { layout::METADATA };
        let mut like = names(&self.store, folder).await;
        like.retain(|other| other.ends_with(&format!(".{role}.json")));
        self.answer(Some(format!("{folder}/{name}")), like).await
    }

    fn file(&self, path: &str) -> Option<Bytes> {
        let files = self.files.lock().unwrap();
        let lies = self.mood.lock().unwrap().lies;
        match (self.roll(100) as u64) < lies {
            true => files.values().nth(self.roll(files.len() + 1)).cloned(),
            false => files.get(&hash(path).parse().unwrap()).cloned(),
        }
    }

    async fn page(&self, path: &str) -> Option<Bytes> {
        let hash = hash(path);
        let all = names(&self.store, layout::PAGES).await;
        let right = all.iter().find(|name| name.contains(hash)).cloned();
        let stored = self.answer(right, all).await?;
        // One that was cut short, too, is a lie.
        zstd::stream::decode_all(&*stored).ok().map(Bytes::from)
    }
}

impl Remote for Liar {
    fn metadata<'a>(&'a self, name: &'a str, _: u64) -> BoxFuture<'a, Result<Bytes, RemoteError>> {
        let missing = || RemoteError::Missing { name: name.to_owned() };
        async move { self.find(name).await.ok_or_else(missing) }.boxed()
    }

    fn target<'a>(&'a self, path: &'a str, _: u64) -> BoxFuture<'a, Result<Bytes, RemoteError>> {
        let missing = || RemoteError::Missing { name: path.to_owned() };
        async move { self.page(path).await.ok_or_else(missing) }.boxed()
    }

    fn open<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<FileReply, UpstreamError>> {
        let bytes = self.file(path).unwrap_or_default();
        ready(Ok(FileReply { length: None, body: body::full(bytes) })).boxed()
    }
}

/// The hash in the path that a target is fetched under.
fn hash(path: &str) -> &str {
    path.rsplit('/').next().unwrap().split('.').next().unwrap()
}

/// Role to version.
pub type Versions = BTreeMap<String, u64>;

/// The SHA-256 that is signed of a target.
pub fn digest(target: Option<&TargetFile>) -> Option<Digest> {
    target.and_then(TargetFile::sha256)
}
