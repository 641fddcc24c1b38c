//! What becomes of files: counted, reported, and told to the watcher.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use url::Url;

use super::{Problem, Proxy};
use crate::serving::{Desk, Origin, Pinned};
use crate::spool::Spool;
use crate::telemetry::{Metrics, Refusal};
use crate::upstream::{FileReply, Upstream, UpstreamError};
use crate::watch::Watcher;

/// The mirror's side of files.
pub(super) struct MirrorDesk {
    pub metrics: Arc<Metrics>,
    pub spool: Spool,
    pub watcher: Watcher,
}

impl Desk for MirrorDesk {
    fn advice(&self) -> &'static str {
        "The mirror's file is not the one that was signed; ask its operator"
    }

    fn wrong(&self, pinned: &Pinned, what: &str) {
        let project = pinned.key.project.as_str();
        self.metrics.refusals.report(Refusal::Mismatch, project, &pinned.key.name, what);
    }

    fn wrong_again(&self) {
        self.metrics.refusals.count(Refusal::RecentMismatch);
    }

    fn fetched(&self, _: &Pinned, _: u64) {
        self.metrics.spool_bytes.set(i64::try_from(self.spool.used()).unwrap_or(i64::MAX));
    }

    /// The signed length is corrected.
    fn measured(&self, pinned: &Pinned, length: u64) {
        let key = &pinned.key;
        self.watcher.measured(&key.project, &key.name, key.digest, length);
    }

    fn failed(&self, pinned: &Pinned, error: UpstreamError) -> Problem {
        let project = &pinned.key.project;
        match &error {
            // It may have moved.
            UpstreamError::Status { code: 404 | 410, .. } => {
                self.watcher.changed(Some(project.clone()))
            }
            UpstreamError::OriginRefused { .. } => {
                let detail = error.to_string();
                let (project, name) = (project.as_str(), &pinned.key.name);
                self.metrics.refusals.report(Refusal::Origin, project, name, &detail);
            }
            _ => {}
        }
        error.into()
    }
}

/// A file of the mirror's.
struct MirrorFile {
    upstream: Upstream,
    url: Url,
}

impl Origin for MirrorFile {
    fn open(&self) -> BoxFuture<'_, Result<FileReply, UpstreamError>> {
        self.upstream.file(&self.url).boxed()
    }

    fn length(&self) -> BoxFuture<'_, Option<u64>> {
        async { self.upstream.head(&self.url).await.ok().flatten() }.boxed()
    }
}

impl Proxy {
    /// The mirror's file at `url`.
    pub(super) fn at(&self, url: Url) -> Arc<dyn Origin> {
        Arc::new(MirrorFile { upstream: self.upstream.clone(), url })
    }
}
