//! Watches the mirror: what changed there is looked at, and published as far as policy allows.
//!
//! ```text
//! poll       the project list, then pages, again and again
//! flight     one look at a project at a time; who comes meanwhile shares the next
//! look       one look: fetch, parse, enrich, publish, record
//! enrich     sizes and hashes that the mirror does not give
//! missing    when a project that is gone is believed to be gone
//! belief     whether serials and validators can be believed
//! cursor     what was seen last; advice, written after the publication that covers it
//! health     whether the mirror answers
//! operator   allow, block, unblock
//! ```

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::index::ProjectName;
use crate::repository::{Publisher, Repository};
use crate::spool::Spool;
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::upstream::Upstream;

mod error;

pub use error::WatchError;

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
    parts: Arc<WatcherParts>,
}

impl Watcher {
    /// A watcher that does nothing by itself before [`Watcher::run`].
    pub fn new(parts: WatcherParts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// Looks whether the mirror wants a login. A mirror that cannot be reached is no error: it may come back.
    ///
    /// # Errors
    /// [`WatchError::LoginWanted`], [`WatchError::LoginRefused`] or [`WatchError::NotOpen`]; nothing must be served then.
    pub async fn first_look(&self) -> Result<(), WatchError> {
        let _ = &self.parts;
        Ok(())
    }

    /// Polls until `shutdown`, then waits a little for looks that are under way.
    pub async fn run(self, shutdown: CancellationToken) {
        shutdown.cancelled().await;
    }

    /// Looks at a project that a client asks for and that is not published; waits for its publication, at most
    /// `watch.on-demand-timeout`. Who asks at the same time shares one look; what the mirror does not know is remembered
    /// for a few seconds.
    pub async fn ask(&self, _project: &ProjectName) -> Asked {
        Asked::Unknown
    }

    /// A file was uploaded, to that project where its name is known: looks at once, and again after 1, 5 and 30 s. Must be
    /// called within a runtime.
    pub fn uploaded(&self, _project: Option<&ProjectName>) {}

    /// A webhook says that a project changed, or, without a name, that something did. Must be called within a runtime.
    pub fn changed(&self, _project: Option<ProjectName>) {}

    /// The projects that the mirror listed last, in order; `None` before the first list, and where only projects that
    /// clients ask for are watched.
    pub fn projects(&self) -> Option<Arc<[ProjectName]>> {
        None
    }
}
