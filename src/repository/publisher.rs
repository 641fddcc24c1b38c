//! The task that publishes: what arrives while a publication is under way goes out together with the next.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::ValidityConfig;
use crate::index::ProjectName;
use crate::signer::Signer;
use crate::store::Store;
use crate::telemetry::Metrics;

use super::draft::Contents;
use super::edit::{Edit, Receipt};
use super::renewal::Renewal;
use super::writer::Writer;
use super::{Repository, RepositoryError};

/// Edits that wait, at the most; who wants to publish more waits.
const WAITING: usize = 1024;
/// Edits in one publication, at the most.
const TOGETHER: usize = 512;
/// Between two looks at what expires, until all bins were seen once.
const FIRST_ROUND: Duration = Duration::from_millis(100);
/// Until what a failed publication left is looked at again.
const RETRY: Duration = Duration::from_secs(5);
/// Between two looks at what expires, from then on.
const RENEWAL: Duration = Duration::from_secs(60);

/// Hands edits to the one task that publishes. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    queue: mpsc::Sender<Job>,
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
    pub signers: Vec<Arc<dyn Signer>>,
    /// What pages look like and what becomes a target.
    pub contents: Contents,
    /// How long roles are valid.
    pub validity: ValidityConfig,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

/// The publishing task; run it until it ends.
pub struct PublishingTask {
    writer: Writer,
    renewal: Renewal,
    queue: mpsc::Receiver<Job>,
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
        let writer = Writer::start(store, config).await?;
        let repository = writer.repository().clone();
        let (sender, queue) = mpsc::channel(WAITING);
        let renewal = Renewal::default();
        Ok((Self { queue: sender }, repository, PublishingTask { writer, renewal, queue }))
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
}

impl PublishingTask {
    /// Publishes until `shutdown`, then what waits still, then ends.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut waiting = VecDeque::new();
        let mut next_look = Instant::now();
        loop {
            if waiting.is_empty() {
                tokio::select! {
                    job = self.queue.recv() => match job {
                        Some(job) => waiting.push_back(job),
                        None => return,
                    },
                    () = tokio::time::sleep_until(next_look) => {}
                    () = shutdown.cancelled(), if !self.queue.is_closed() => self.queue.close(),
                }
            }
            while let Ok(job) = self.queue.try_recv() {
                waiting.push_back(job);
            }
            self.publish(next_batch(&mut waiting)).await;
            // Also under a load that never lets the queue run empty.
            if Instant::now() >= next_look {
                self.renew().await;
                next_look = Instant::now() + self.until_next_look();
            }
        }
    }

    fn until_next_look(&self) -> Duration {
        if self.writer.is_unsure() {
            RETRY
        } else if self.writer.census().targets().is_none() {
            FIRST_ROUND
        } else {
            RENEWAL
        }
    }

    async fn publish(&mut self, batch: Vec<Job>) {
        if batch.is_empty() {
            return;
        }
        let edits: Vec<_> = batch.iter().map(|job| job.edit.clone()).collect();
        match self.writer.publish(&edits, &[], false).await {
            Ok(receipts) => {
                for (job, receipt) in batch.into_iter().zip(receipts) {
                    // Who asked may have gone.
                    let _ = job.done.send(Ok(receipt));
                }
            }
            // One project whose objects are damaged must not hold up the others.
            Err(RepositoryError::Damaged { .. }) if batch.len() > 1 => {
                for job in batch {
                    let alone = self.writer.publish(&[job.edit], &[], false).await;
                    let receipt = alone.and_then(|mut r| r.pop().ok_or(RepositoryError::Stopped));
                    let _ = job.done.send(receipt);
                }
            }
            Err(error) => {
                tracing::error!(%error, edits = batch.len(), "a publication failed");
                for job in batch {
                    let _ = job.done.send(Err(error.clone()));
                }
            }
        }
    }

    async fn renew(&mut self) {
        if let Err(error) = self.renewal.run(&mut self.writer, jiff::Timestamp::now()).await {
            tracing::error!(%error, "renewing what expires failed; trying again in a minute");
        }
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
