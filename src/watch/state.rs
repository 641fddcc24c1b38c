//! What the parts of the watcher share.

use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use moka::future::Cache;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::index::{Format, ProjectName};
use crate::repository::{Publisher, Repository, page_path};
use crate::spool::Spool;
use crate::store::Store;
use crate::telemetry::{Metrics, Trigger};
use crate::tuf::Digest;
use crate::upstream::Upstream;

use super::belief::Beliefs;
use super::cursor::Cursors;
use super::errand::Answers;
use super::flight::{Answer, Flights, Pilot, Ticket};
use super::health::Health;
use super::lease::Lease;
use super::list::Lists;
use super::missing::Missing;
use super::party::Parties;
use super::reports::Reports;
use super::wish::Wish;
use super::{Asked, WatchError, WatcherParts};

/// How long what the mirror does not know, or what failed, is not asked again for clients.
const NEGATIVE: Duration = Duration::from_secs(3);
/// Until a look is repeated whose findings could not be published.
const REPEAT: Duration = Duration::from_secs(10);
/// Names that are remembered for that.
const NEGATIVES: u64 = 10_000;
/// Looks at once that somebody waits for.
const URGENT: usize = 16;
/// Errands at once.
const ERRANDS: usize = 8;
/// How much of pages may be in work at once, in units of [`UNIT`].
const UNITS: usize = 1024;
/// Bytes.
const UNIT: usize = 64 * 1024;

/// The watcher's own handle. Cheap to clone.
#[derive(Clone)]
pub(super) struct Watch(Arc<State>);

/// What is shared.
pub(super) struct State {
    pub(super) upstream: Upstream,
    pub(super) spool: Spool,
    pub(super) repository: Repository,
    pub(super) publisher: Publisher,
    pub(super) store: Store,
    pub(super) metrics: Arc<Metrics>,
    pub(super) config: Arc<Config>,
    pub(super) flights: Flights,
    pub(super) cursors: Cursors,
    pub(super) beliefs: Beliefs,
    pub(super) missing: Missing,
    pub(super) health: Health,
    pub(super) reports: Reports,
    pub(super) answers: Answers,
    pub(super) under_way: Parties,
    pub(super) lists: Lists,
    /// The names of the last list, for those who ask from outside.
    pub(super) names: ArcSwapOption<Arc<[ProjectName]>>,
    /// What came of nothing lately.
    pub(super) negative: Cache<ProjectName, Asked>,
    /// The last upload of each project, while looks for it are still to come.
    pub(super) uploads: Mutex<HashMap<Option<ProjectName>, u64>>,
    /// Polls so far.
    pub(super) polls: AtomicUsize,
    /// Wakes the polling.
    pub(super) wake: Notify,
    pub(super) stop: CancellationToken,
    /// Whether this replica polls.
    pub(super) lease: Lease,
    /// Projects that are looked at again soon, since the repository failed.
    repeats: Mutex<HashSet<ProjectName>>,
    pub(super) tracker: TaskTracker,
    pub(super) polling: Semaphore,
    pub(super) urgent: Semaphore,
    pub(super) errands: Semaphore,
    memory: Arc<Semaphore>,
    published: Mutex<HashSet<ProjectName>>,
}

impl Deref for Watch {
    type Target = State;
    fn deref(&self) -> &State {
        &self.0
    }
}

impl Watch {
    pub(super) fn new(parts: WatcherParts) -> Self {
        let WatcherParts { upstream, spool, repository, publisher, store, metrics, config } = parts;
        let concurrency = config.watch.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let negative = Cache::builder().max_capacity(NEGATIVES).time_to_live(NEGATIVE).build();
        Self(Arc::new(State {
            flights: Flights::default(),
            cursors: Cursors::default(),
            beliefs: Beliefs::default(),
            missing: Missing::new(config.watch.withdrawal_period),
            health: Health::new(metrics.clone()),
            reports: Reports::new(metrics.clone()),
            answers: Answers::default(),
            under_way: Parties::default(),
            lists: Lists::default(),
            names: ArcSwapOption::empty(),
            negative,
            uploads: Mutex::default(),
            polls: AtomicUsize::new(0),
            wake: Notify::new(),
            stop: CancellationToken::new(),
            tracker: TaskTracker::new(),
            polling: Semaphore::new(concurrency),
            urgent: Semaphore::new(URGENT),
            errands: Semaphore::new(ERRANDS),
            memory: Arc::new(Semaphore::new(UNITS)),
            published: Mutex::default(),
            repeats: Mutex::default(),
            lease: Lease::new(store.clone(), config.store.lease),
            upstream,
            spool,
            repository,
            publisher,
            store,
            metrics,
            config,
        }))
    }

    /// A look at `project` that begins after now.
    pub(super) fn look(&self, project: &ProjectName, wish: Wish) -> Answer {
        let (answer, flight) = self.flights.request(project, wish);
        if let Some((pilot, ticket)) = flight {
            self.tracker.spawn(self.clone().fly(pilot, ticket));
        }
        answer
    }

    async fn fly(self, mut pilot: Pilot, first: Ticket) {
        let mut ticket = Some(first);
        while let Some(now) = ticket {
            let looked = self.look_now(pilot.project(), &now.wish).await;
            now.done(looked);
            ticket = pilot.next();
        }
    }

    /// Room for a page of `bytes` bytes from its parsing to its publication.
    pub(super) async fn memory(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from((1 + bytes / UNIT).min(UNITS)).unwrap_or(u32::MAX);
        // Fails only when the semaphore is closed, which nobody does.
        Arc::clone(&self.memory).acquire_many_owned(units).await.ok()
    }

    /// Whether the project has a signed page.
    pub(super) async fn is_published(&self, project: &ProjectName) -> Result<bool, WatchError> {
        let Ok(path) = page_path(project, Format::Json) else { return Ok(false) };
        Ok(self.repository.known_target(&path).await?.is_some())
    }

    /// The hash of the project's signed page.
    pub(super) async fn signed_page(
        &self,
        project: &ProjectName,
    ) -> Result<Option<Digest>, WatchError> {
        let Ok(path) = page_path(project, Format::Json) else { return Ok(None) };
        Ok(self.repository.known_target(&path).await?.and_then(|target| target.sha256()))
    }

    /// Looks again a little later: what was seen could not be published.
    pub(super) fn repeat(&self, project: &ProjectName, wish: &Wish) {
        let first =
            self.repeats.lock().unwrap_or_else(PoisonError::into_inner).insert(project.clone());
        if !first {
            return;
        }
        let (watch, project) = (self.clone(), project.clone());
        let wish = Wish { trigger: Trigger::Retry, ..wish.clone() };
        self.tracker.spawn(async move {
            let waited = watch.stop.run_until_cancelled(sleep(REPEAT)).await;
            watch.repeats.lock().unwrap_or_else(PoisonError::into_inner).remove(&project);
            if waited.is_some() {
                // Broken off where the process stops.
                let _ = watch.look(&project, wish).await;
            }
        });
    }

    /// Takes note of whether the project is published now.
    pub(super) async fn note_published(&self, project: &ProjectName) -> Result<(), WatchError> {
        let is = self.is_published(project).await?;
        let mut published = self.published();
        match is {
            true => published.insert(project.clone()),
            false => published.remove(project),
        };
        self.metrics.projects.set(published.len() as i64);
        Ok(())
    }

    /// Takes note of all that is published.
    pub(super) async fn note_all_published(&self) -> Result<(), WatchError> {
        let projects = self.repository.projects().await?;
        let mut published = self.published();
        published.extend(projects);
        self.metrics.projects.set(published.len() as i64);
        Ok(())
    }

    pub(super) fn published_count(&self) -> usize {
        self.published().len()
    }

    /// The projects that are published, as far as is known.
    pub(super) fn published(&self) -> MutexGuard<'_, HashSet<ProjectName>> {
        // Whole between any two statements.
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
