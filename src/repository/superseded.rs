//! Pages that were replaced a moment ago: a client that verified a bin before still asks for the page that it names.

use std::time::Duration;

use moka::future::Cache;

use crate::index::{Format, ProjectName};
use crate::tuf::{Digest, TargetFile};

/// Pages remembered, at the most.
const MOST: u64 = 20_000;

/// Where superseded pages lie, as far as this process replaced them itself.
#[derive(Clone)]
pub(super) struct Superseded(Cache<(ProjectName, Format, Digest), TargetFile>);

impl Superseded {
    pub(super) fn new(grace: Duration) -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_live(grace).build())
    }

    /// `target` was the page of `project`, and another one takes its place.
    pub(super) async fn note(&self, project: &ProjectName, format: Format, target: &TargetFile) {
        if let Some(digest) = target.sha256() {
            self.0.insert((project.clone(), format, digest), target.clone()).await;
        }
    }

    pub(super) async fn find(
        &self,
        project: &ProjectName,
        format: Format,
        digest: Digest,
    ) -> Option<TargetFile> {
        self.0.get(&(project.clone(), format, digest)).await
    }
}
