//! Watches the mirror: what changed there is looked at, and published as far as policy allows.
//!
//! ```text
//! poll       the project list, then pages, again and again
//! list       the project list
//! demand     looks that clients, uploads and webhooks ask for
//! operator   allow, block, unblock
//! flight     one look at a project at a time; who comes meanwhile shares the next
//! wish       what a look is to do, and what came of it
//! look       one look: fetch, parse, enrich, publish, record
//! enrich     sizes and hashes that the mirror does not give: open (which), errand (finding out), party (who is at it)
//! gone       a project that is not there: missing (when that is believed)
//! belief     whether serials and validators can be believed
//! cursor     what was seen last; advice, written after the publication that covers it
//! health     whether the mirror answers
//! reports    what was refused, reported once
//! probe      the first look
//! lease      which of several replicas polls
//! state      what they share
//! ```

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::index::ProjectName;
use crate::policy::Measure;
use crate::repository::{Publisher, Repository};
use crate::spool::Spool;
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::tuf::Digest;
use crate::upstream::Upstream;

mod belief;
mod cursor;
mod demand;
mod enrich;
mod errand;
mod error;
mod flight;
mod gone;
mod health;
mod lease;
mod list;
mod look;
mod missing;
mod open;
mod operator;
mod party;
mod poll;
mod probe;
mod reports;
mod state;
#[cfg(test)]
mod tests;
mod wish;

pub use error::WatchError;
pub use list::AUTO;
pub use probe::probe;

use state::Watch;

/// What a watcher is made from.
pub struct WatcherParts {
    /// The mirror.
    pub upstream: Upstream,
    /// Where files that had to be fetched to be hashed are kept.
    pub spool: Spool,
    /// What is published.
    pub repository: Repository,
    /// Publishes.
    pub publisher: Publisher,
    /// For `watch/`: cursors, which are advice.
    pub store: Store,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// All of the configuration.
    pub config: Arc<Config>,
}

/// What became of a client's question for a project that is not published.
#[derive(Debug, Clone)]
pub enum Asked {
    /// It is published now.
    Published,
    /// The mirror does not know it.
    Unknown,
    /// It could not be looked at, or must not be published.
    Failed(WatchError),
    /// No answer within `watch.on-demand-timeout`; the look goes on.
    TimedOut,
}

/// Watches the mirror. Cheap to clone.
#[derive(Clone)]
pub struct Watcher {
    watch: Watch,
}

impl Watcher {
    /// A watcher that polls nothing before [`Watcher::run`].
    pub fn new(parts: WatcherParts) -> Self {
        Self { watch: Watch::new(parts) }
    }

    /// Polls until `shutdown`, then waits a little for looks that are under way.
    pub async fn run(self, shutdown: CancellationToken) {
        self.watch.run(&shutdown).await;
    }

    /// Looks at a project that a client asks for and that is not published; waits for its publication, at most
    /// `watch.on-demand-timeout`. Who asks at the same time shares one look; what the mirror does not know is remembered
    /// for a few seconds.
    pub async fn ask(&self, project: &ProjectName) -> Asked {
        self.watch.ask(project).await
    }

    /// A file was uploaded, to that project where its name is known: looks at once, and again after 1, 5 and 30 s. Must be
    /// called within a runtime.
    pub fn uploaded(&self, project: Option<&ProjectName>) {
        self.watch.uploaded(project.cloned());
    }

    /// A webhook says that a project changed, or, without a name, that something did. Must be called within a runtime.
    pub fn changed(&self, project: Option<ProjectName>) {
        self.watch.changed(project);
    }

    /// A file was fetched whole, and its hash is the signed one: corrects a length that the mirror promised wrongly, or did
    /// not know. Must be called within a runtime.
    pub fn measured(&self, project: &ProjectName, filename: &str, sha256: Digest, length: u64) {
        let (project, filename) = (project.clone(), filename.to_owned());
        let edit = Arc::new(Measure { project: project.clone(), filename, sha256, length });
        let watch = self.watch.clone();
        self.watch.tracker.spawn(async move {
            if let Err(error) = watch.publish(&project, edit, std::time::Instant::now()).await {
                tracing::warn!(%project, %error, "a corrected length cannot be published");
            }
        });
    }

    /// The serial that the mirror gave the project's page when it was looked at last.
    pub fn serial(&self, project: &ProjectName) -> Option<u64> {
        self.watch.cursors.get(project, true)?.serial
    }

    /// Whether this is the replica that polls: always, where there is one alone.
    pub fn is_polling(&self) -> bool {
        self.watch.lease.is_held()
    }

    /// The projects that the mirror listed last, in order; `None` before the first list, and where only projects that
    /// clients ask for are watched.
    pub fn projects(&self) -> Option<Arc<[ProjectName]>> {
        self.watch.names.load().as_deref().cloned()
    }
}
