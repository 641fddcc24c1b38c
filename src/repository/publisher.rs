//! The task that publishes: what arrives while a publication is under way goes out together with the next.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{StoreConfig, ValidityConfig};
use crate::index::ProjectName;
use crate::signer::Keyring;
use crate::store::Store;
use crate::telemetry::{Metrics, Readiness};
use crate::time::Clock;

use super::draft::Contents;
use super::edit::{Edit, Receipt};
use super::renewal::Renewal;
use super::roles::{NewRoles, RolesReceipt};
use super::writer::{Outcome, Renewals, Writer};
use super::{Repository, RepositoryError};

/// Edits that wait, at the most; who wants to publish more waits.
const WAITING: usize = 1024;
/// Edits in one publication, at the most.
const TOGETHER: usize = 512;
/// The least time between two publications on a shared store, where nothing else is said.
const SHARED_INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks at what expires, until all bins were seen once.
const FIRST_ROUND: Duration = Duration::from_millis(100);
/// The first and the longest pause while a key is away.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Until what a failed publication left is looked at again.
const RETRY: Duration = Duration::from_secs(5);
/// Between two looks at the clock.
const CLOCK: Duration = Duration::from_secs(15);
/// Between two looks at what expires, from then on.
const RENEWAL: Duration = Duration::from_secs(60);

/// Hands edits to the one task that publishes. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    queue: mpsc::Sender<Job>,
    roles: mpsc::Sender<RolesJob>,
}

/// What people signed; it waits for no edit.
struct RolesJob {
    new: NewRoles,
    done: oneshot::Sender<Result<RolesReceipt, RepositoryError>>,
}

struct Job {
    edit: Arc<dyn Edit>,
    done: oneshot::Sender<Result<Receipt, RepositoryError>>,
}

/// What a publisher is started with.
pub struct PublisherConfig {
    /// Memory for what is hot, bytes.
    pub memory: u64,
    /// The online keys.
    pub keyring: Keyring,
    /// What pages look like and what becomes a target.
    pub contents: Contents,
    /// How long roles are valid.
    pub validity: ValidityConfig,
    /// How the store is used.
    pub store: StoreConfig,
    /// What time it is.
    pub clock: Clock,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Where is said what goes wrong.
    pub readiness: Arc<Readiness>,
}

/// The publishing task; run it until it ends.
pub struct PublishingTask {
    writer: Writer,
    renewal: Renewal,
    queue: mpsc::Receiver<Job>,
    roles: mpsc::Receiver<RolesJob>,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    clock: Clock,
    clock_is_wrong: bool,
    renewal_failed: bool,
    /// While a key is away: the pause after the next try.
    wait: Option<Duration>,
    /// The least time between two publications.
    interval: Duration,
}

impl Publisher {
    /// Opens the repository in `store` for writing. Where a crash interrupted a publication after its commit, it is
    /// completed first.
    ///
    /// # Errors
    /// [`RepositoryError`]: nothing there, damaged, or no key that may sign.
    pub async fn open(
        store: Store,
        config: PublisherConfig,
    ) -> Result<(Self, Repository, PublishingTask), RepositoryError> {
        let least = if store.is_shared() { SHARED_INTERVAL } else { Duration::ZERO };
        let interval = config.store.interval.unwrap_or(least);
        let (readiness, clock) = (config.readiness.clone(), config.clock.clone());
        let metrics = config.metrics.clone();
        let writer = Writer::start(store, config).await?;
        let repository = writer.repository().clone();
        let (sender, queue) = mpsc::channel(WAITING);
        let (roles_sender, roles) = mpsc::channel(1);
        let renewal = Renewal::default();
        let task = PublishingTask {
            writer,
            renewal,
            queue,
            roles,
            readiness,
            metrics,
            clock,
            clock_is_wrong: false,
            renewal_failed: false,
            wait: None,
            interval,
        };
        Ok((Self { queue: sender, roles: roles_sender }, repository, task))
    }

    /// Publishes `edit`, and returns once it can be verified by everybody (or had nothing to change).
    ///
    /// # Errors
    /// [`RepositoryError`]; nothing that was published before is harmed.
    pub async fn publish(&self, edit: Arc<dyn Edit>) -> Result<Receipt, RepositoryError> {
        let (done, receipt) = oneshot::channel();
        let sent = self.queue.send(Job { edit, done }).await;
        sent.map_err(|_| RepositoryError::Stopped)?;
        receipt.await.map_err(|_| RepositoryError::Stopped)?
    }

    /// Publishes new versions of root, targets and bins, and returns once they are visible.
    ///
    /// # Errors
    /// [`RepositoryError`]; nothing that was published before is harmed, and the same call again goes on with what was begun.
    pub async fn publish_roles(&self, new: NewRoles) -> Result<RolesReceipt, RepositoryError> {
        let (done, receipt) = oneshot::channel();
        let sent = self.roles.send(RolesJob { new, done }).await;
        sent.map_err(|_| RepositoryError::Stopped)?;
        receipt.await.map_err(|_| RepositoryError::Stopped)?
    }
}

impl PublishingTask {
    /// Publishes until `shutdown`, then what waits still, then ends.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut waiting = VecDeque::new();
        let mut next_look = Instant::now();
        let mut next_clock = Instant::now();
        let mut free = Instant::now();
        loop {
            let ready = self.queue.is_closed() || Instant::now() >= free;
            if waiting.is_empty() || !ready {
                tokio::select! {
                    job = self.queue.recv(), if waiting.len() < WAITING => match job {
                        Some(job) => waiting.push_back(job),
                        None if waiting.is_empty() => return,
                        None => {}
                    },
                    Some(job) = self.roles.recv() => self.publish_roles(job).await,
                    () = tokio::time::sleep_until(free), if !waiting.is_empty() => {}
                    () = tokio::time::sleep_until(next_look.min(next_clock)) => {}
                    () = shutdown.cancelled(), if !self.queue.is_closed() => self.queue.close(),
                }
            }
            // Also under a load that never lets the queue run empty.
            if let Ok(job) = self.roles.try_recv() {
                self.publish_roles(job).await;
            }
            while waiting.len() < WAITING
                && let Ok(job) = self.queue.try_recv()
            {
                waiting.push_back(job);
            }
            if !waiting.is_empty() && (self.queue.is_closed() || Instant::now() >= free) {
                free = Instant::now() + self.interval;
                let batch = next_batch(&mut waiting);
                for job in self.publish(batch).await.into_iter().rev() {
                    waiting.push_front(job);
                }
                if let Some(pause) = self.wait {
                    free = Instant::now() + pause;
                }
            }
            // Also under a load that never lets the queue run empty.
            if Instant::now() >= next_clock {
                self.look_at_clock().await;
                next_clock = Instant::now() + CLOCK;
            }
            if Instant::now() >= next_look {
                self.renew(!waiting.is_empty()).await;
                next_look = Instant::now() + self.until_next_look();
            }
        }
    }

    fn until_next_look(&self) -> Duration {
        if self.writer.is_unsure() || self.renewal_failed {
            RETRY.max(self.wait.unwrap_or_default())
        } else if self.writer.census().targets().is_none() {
            FIRST_ROUND
        } else {
            RENEWAL
        }
    }

    /// Publishes; gives back what waits for a key that is away.
    async fn publish(&mut self, batch: Vec<Job>) -> Vec<Job> {
        let edits: Vec<_> = batch.iter().map(|job| job.edit.clone()).collect();
        match self.publish_edits(&edits).await {
            Ok(outcomes) => {
                for (job, outcome) in batch.into_iter().zip(outcomes) {
                    // Who asked may have gone.
                    let _ = job.done.send(outcome);
                }
                Vec::new()
            }
            // Whoever stops does not wait.
            Err(error) if error.is_wait() && !self.queue.is_closed() => batch,
            // One project whose objects are damaged must not hold up the others.
            Err(RepositoryError::Damaged { .. }) if batch.len() > 1 => {
                let mut waiting = Vec::new();
                for job in batch {
                    let alone = self.publish_edits(std::slice::from_ref(&job.edit)).await;
                    if alone.as_ref().is_err_and(RepositoryError::is_wait)
                        && !self.queue.is_closed()
                    {
                        waiting.push(job);
                        continue;
                    }
                    let outcome = alone.and_then(|mut outcomes| {
                        outcomes.pop().unwrap_or(Err(RepositoryError::Stopped))
                    });
                    let _ = job.done.send(outcome);
                }
                waiting
            }
            Err(error) => {
                tracing::error!(%error, edits = batch.len(), "a publication failed");
                for job in batch {
                    let _ = job.done.send(Err(error.clone()));
                }
                Vec::new()
            }
        }
    }

    async fn publish_edits(
        &mut self,
        edits: &[Arc<dyn Edit>],
    ) -> Result<Vec<Outcome>, RepositoryError> {
        let published = self.writer.publish(edits, &Renewals::default()).await;
        self.note(published.as_ref().err());
        published
    }

    async fn publish_roles(&mut self, RolesJob { new, done }: RolesJob) {
        let published = self.writer.publish_roles(&new, &|_, _| ()).await;
        match &published {
            Ok(receipt) => tracing::info!(?receipt, "new roles are published"),
            Err(error) => tracing::error!(%error, "new roles could not be published"),
        }
        // What is wrong with them keeps nothing else from being published.
        let _ = done.send(published);
    }

    async fn renew(&mut self, edits_wait: bool) {
        let renewed = self.renewal.run(&mut self.writer, self.clock.now()).await;
        if let Some(error) = renewed.as_ref().err().filter(|error| !error.is_wait()) {
            tracing::error!(%error, "renewing what expires failed; trying again");
        }
        self.renewal_failed = renewed.is_err();
        if renewed.is_ok() && edits_wait && self.wait.is_some() {
            // Where nothing was due, nothing was signed: that says nothing about the key.
            return;
        }
        self.note(renewed.as_ref().err());
    }

    async fn look_at_clock(&mut self) {
        let wrong = match self.writer.watch_clock().await {
            Ok(()) => None,
            Err(error @ RepositoryError::Clock { .. }) => Some(error.to_string()),
            // The store cannot be asked.
            Err(_) => return,
        };
        if let Some(wrong) = wrong.as_ref().filter(|_| !self.clock_is_wrong) {
            tracing::error!("{wrong}");
        }
        self.clock_is_wrong = wrong.is_some();
        self.readiness.note("clock", wrong);
    }

    /// Says on `/readyz` what keeps this process from publishing; where that is a key that is away, waits longer from try to
    /// try.
    fn note(&mut self, failure: Option<&RepositoryError>) {
        match failure.filter(|error| error.is_wait()) {
            Some(error) => {
                if self.wait.is_none() {
                    tracing::warn!(%error, "publications wait for a key; what was published is served");
                }
                let (first, longest) = WAITS;
                self.wait = Some(self.wait.map_or(first, |wait| (wait * 2).min(longest)));
            }
            None if self.wait.take().is_some() => {
                tracing::info!("no publication waits for a key any more")
            }
            None => {}
        }
        self.metrics.signing_waits.set(self.wait.is_some().into());
        let text = |error: &RepositoryError| match error.is_wait() {
            true => format!("publications wait: {error}"),
            false => error.to_string(),
        };
        self.readiness.note("publishing", failure.map(text));
    }
}

/// Takes from `waiting` what goes out together: each project once, in the order of arrival.
fn next_batch(waiting: &mut VecDeque<Job>) -> Vec<Job> {
    let mut projects: BTreeSet<ProjectName> = BTreeSet::new();
    let mut batch = Vec::new();
    let mut later = VecDeque::new();
    for job in waiting.drain(..) {
        if batch.len() < TOGETHER && projects.insert(job.edit.project().clone()) {
            batch.push(job);
        } else {
            later.push_back(job);
        }
    }
    *waiting = later;
    batch
}
