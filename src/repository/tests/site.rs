//! A made repository on the simulated store, whose operations happen at once, and what tests do with it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join;
use jiff::SignedDuration;
use tempfile::TempDir;
use tokio::time::{advance, sleep};

use crate::ceremony::{InitOptions, KeyFolder, init};
use crate::config::{ClockCheck, StoreConfig, TargetsMode, ValidityConfig};
use crate::index::{Format, Links, ProjectPage};
use crate::repository::writer::{Outcome, Renewals, Writer};
use crate::repository::{Contents, Edit, PublisherConfig, Repository, Seen};
use crate::signer::Keyring;
use crate::store::{Store, layout};
use crate::time::Clock;
use crate::tuf::Digest;

use super::simulation::world::{Fate, Kind, World};
use super::support::Exactly;

pub const GRACE: Duration = Duration::from_secs(3600);

/// A made repository on a simulated store.
pub struct Site {
    pub world: Arc<World>,
    keys: TempDir,
    /// Whether several processes may write.
    shared: bool,
}

impl Site {
    pub async fn new() -> Self {
        Self::make(true).await
    }

    pub async fn make(shared: bool) -> Self {
        let site = Self { world: World::new(), keys: tempfile::tempdir().unwrap(), shared };
        let options = InitOptions { bins: 2, validity: ValidityConfig::default() };
        let folder = KeyFolder::new(site.keys.path());
        init(&site.store(), &folder, &options, |_| ()).await.unwrap();
        site
    }

    pub fn keys(&self) -> KeyFolder {
        KeyFolder::new(self.keys.path())
    }

    pub fn store(&self) -> Store {
        let objects = Arc::new(self.world.bystander());
        if self.shared { Store::over_shared(objects) } else { Store::over_objects(objects) }
    }

    pub fn config(&self) -> PublisherConfig {
        PublisherConfig {
            memory: 1 << 20,
            keyring: Keyring::of(vec![KeyFolder::new(self.keys.path()).load_online().unwrap()]),
            contents: Contents {
                targets: TargetsMode::All,
                html: false,
                links: Links { tuf: "../../tuf/".into() },
            },
            validity: ValidityConfig::default(),
            store: StoreConfig { grace: GRACE, ..StoreConfig::default() },
            clock: Clock::at(self.world.now()),
            readiness: Arc::default(),
            metrics: Arc::new(crate::telemetry::Metrics::new().unwrap()),
        }
    }

    pub async fn writer(&self) -> Writer {
        Writer::start(self.store(), self.config()).await.unwrap()
    }

    /// A writer whose clock is off by so many minutes.
    pub async fn writer_at(&self, minutes: i64, check: ClockCheck) -> Writer {
        self.writer_by(&self.clock(minutes), check).await
    }

    pub async fn writer_by(&self, clock: &Clock, check: ClockCheck) -> Writer {
        let mut config = self.config();
        config.clock = clock.clone();
        config.store.clock = check;
        Writer::start(self.store(), config).await.unwrap()
    }

    /// A writer whose operations wait until they are released.
    pub async fn slow_writer(&self) -> Writer {
        let store = Store::over_shared(Arc::new(self.world.process(0)));
        join(Writer::start(store, self.config()), release_all(self)).await.0.unwrap()
    }

    pub fn clock(&self, minutes: i64) -> Clock {
        Clock::at(self.world.now() + SignedDuration::from_mins(minutes))
    }

    pub fn names(&self, folder: &str) -> Vec<String> {
        let state = self.world.lock();
        state.objects.keys().filter(|name| name.starts_with(folder)).cloned().collect()
    }

    pub fn commits(&self) -> usize {
        self.names(layout::JOURNAL).len()
    }

    pub fn plan(&self, kind: Kind, prefix: &'static str, others: usize, fate: Fate) {
        self.world.lock().plan = Some((kind, prefix, others, fate));
    }
}

pub async fn minutes(count: u64) {
    advance(Duration::from_secs(count * 60)).await;
}

pub fn edit(page: &ProjectPage) -> Arc<dyn Edit> {
    Arc::new(Exactly(page.clone()))
}

pub fn seen(page: &ProjectPage, commit: u64) -> Arc<dyn Edit> {
    Arc::new(Seen { edit: edit(page), commit })
}

pub async fn try_to(writer: &mut Writer, edit: Arc<dyn Edit>) -> Outcome {
    writer.publish(&[edit], &Renewals::default()).await?.remove(0)
}

pub async fn publish(writer: &mut Writer, page: &ProjectPage) {
    assert!(try_to(writer, edit(page)).await.unwrap().changed);
}

pub async fn json(repository: &Repository, of: &ProjectPage) -> Digest {
    repository.page(&of.name, Format::Json).await.unwrap().unwrap().digest
}

pub async fn has_pinned(repository: &Repository, of: &ProjectPage, digest: Digest) -> bool {
    let found = repository.pinned_page(&of.name, Format::Json, digest).await.unwrap();
    found.is_some_and(|page| page.digest == digest)
}

/// Lets all operations happen until none is left.
pub async fn release_all(site: &Site) {
    loop {
        sleep(Duration::from_millis(1)).await;
        let pending: Vec<_> = site.world.lock().pending.keys().copied().collect();
        if pending.is_empty() {
            return;
        }
        pending.into_iter().for_each(|id| site.world.release(id, Fate::Happens));
    }
}
