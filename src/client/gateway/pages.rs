//! Project pages from verified targets.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use moka::future::Cache;
use tokio::task::spawn_blocking;

use super::Limits;
use crate::client::{ClientError, Remote, RemoteError, Tally, View};
use crate::index::{Links, ProjectName, ProjectPage, parse_signed, render_html};
use crate::serving::{Document, Kind, Problem};
use crate::spool::Spool;
use crate::tuf::{Checking, Digest, Distrust, Flaw, TargetFile};
use crate::upstream::{FileReply, body};

/// A parsed page takes a few times the memory of its bytes.
const PARSED: usize = 4;

/// A verified page.
pub(super) struct Page {
    json: Document,
    html: OnceLock<Document>,
    model: ProjectPage,
    links: Links,
}

impl Page {
    /// The bytes that are signed.
    pub fn json(&self) -> &Document {
        &self.json
    }

    /// The same as HTML.
    pub fn html(&self) -> &Document {
        self.html.get_or_init(|| Document::new(render_html(&self.model, &self.links)))
    }

    /// What it says.
    pub fn model(&self) -> &ProjectPage {
        &self.model
    }
}

/// Verified pages: the parsed ones in memory, their bytes in the spool.
pub(super) struct Pages {
    remote: Arc<dyn Remote>,
    spool: Spool,
    /// The largest page, bytes.
    limit: u64,
    parsed: Cache<(ProjectName, Digest), Arc<Page>>,
    tally: Arc<Tally>,
}

impl Pages {
    pub fn new(remote: Arc<dyn Remote>, spool: Spool, limits: &Limits, tally: Arc<Tally>) -> Self {
        let weigh = |_: &_, page: &Arc<Page>| {
            u32::try_from(page.json.bytes.len().saturating_mul(PARSED)).unwrap_or(u32::MAX)
        };
        let parsed = Cache::builder().max_capacity(limits.memory).weigher(weigh).build();
        Self { remote, spool, limit: limits.page, parsed, tally }
    }

    /// The page of `project`, which `view` has as `target` at `path`.
    ///
    /// # Errors
    /// Where it is not what is signed, not the page of that project, or cannot be had.
    pub async fn page(
        &self,
        view: &View,
        project: &ProjectName,
        path: &str,
        target: &TargetFile,
    ) -> Result<Arc<Page>, Problem> {
        let digest = target.sha256().ok_or_else(|| Flaw::NoHash("no sha256".into()).of(path))?;
        let load = async {
            let bytes = self.bytes(view, path, target, digest).await?;
            let project = project.clone();
            let parsed = spawn_blocking(move || read(bytes, digest, &project)).await;
            let page = parsed.map_err(|error| Problem::upstream(error.to_string()))??;
            self.tally.pages.add(1);
            Ok(Arc::new(page))
        };
        let loaded = self.parsed.try_get_with((project.clone(), digest), load).await;
        loaded.map_err(|problem: Arc<Problem>| (*problem).clone())
    }

    /// The verified bytes: from the spool, or fetched and put there.
    async fn bytes(
        &self,
        view: &View,
        path: &str,
        target: &TargetFile,
        digest: Digest,
    ) -> Result<Bytes, ClientError> {
        if let Some(file) = self.spool.get(&digest).await
            && let Ok(bytes) = file.bytes().await
            // Cheap, and so nothing hangs on how well a change on disk is noticed.
            && check(path, target, &bytes).is_ok()
        {
            return Ok(bytes);
        }
        if target.length > self.limit {
            return Err(Flaw::TooLong { limit: self.limit }.of(path).into());
        }
        let fetched = self.remote.target(&view.fetched_as(path, target), target.length).await;
        let bytes = fetched.map_err(|error| match error {
            RemoteError::TooLong { limit, .. } => Flaw::TooLong { limit }.of(path).into(),
            error => ClientError::from(error),
        })?;
        check(path, target, &bytes)?;
        self.keep(digest, bytes.clone()).await;
        Ok(bytes)
    }

    /// Puts verified bytes into the spool, for later processes too.
    async fn keep(&self, digest: Digest, bytes: Bytes) {
        let length = Some(bytes.len() as u64);
        let get = move || async move { Ok(FileReply { length, body: body::full(bytes) }) };
        if let Err(error) = self.spool.fetch(&digest, length, get).await {
            tracing::warn!(%error, "a page is not kept on disk, and will be fetched again");
        }
    }
}

/// Whether that is what is signed.
fn check(path: &str, target: &TargetFile, bytes: &[u8]) -> Result<(), Distrust> {
    let mut checking = Checking::new(path, target);
    checking.update(bytes)?;
    checking.finish()
}

/// Reads verified bytes. A page lists what was verified for its own project, so it must be that project's.
fn read(bytes: Bytes, digest: Digest, project: &ProjectName) -> Result<Page, Problem> {
    let wrong = |what: String| {
        let title =
            format!("Blocked by countersign: what is signed as the page of {project} is not");
        Problem::new(
            Kind::Distrust,
            format!("What is signed as the page of {project} {what}: ask the index's operator"),
        )
        .titled(title)
    };
    let (model, links) =
        parse_signed(&bytes).map_err(|error| wrong(format!("cannot be read ({error})")))?;
    if model.name != *project {
        return Err(wrong(format!("is the page of {}", model.name)));
    }
    Ok(Page { json: Document { bytes, digest }, html: OnceLock::new(), model, links })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{Status, render_json};

    /// What is signed, but not for the project that was asked for, vouches for nothing.
    #[test]
    fn a_page_must_be_that_of_its_project() {
        let (demo, other) = (ProjectName::parse("demo"), ProjectName::parse("other"));
        let (demo, other) = (demo.unwrap(), other.unwrap());
        let page = ProjectPage {
            name: demo.clone(),
            files: Vec::new(),
            versions: Vec::new(),
            status: Status::default(),
            tracks: Vec::new(),
            alternate_locations: Vec::new(),
            extra: Default::default(),
            meta_extra: Default::default(),
        };
        let links = Links::from_page_path("/simple/demo/", "/tuf/");
        let bytes: Bytes = render_json(&page, &links).into();
        let digest = Digest::of(&bytes);
        assert_eq!(read(bytes.clone(), digest, &demo).unwrap().model(), &page);
        let Err(problem) = read(bytes, digest, &other) else { panic!("it is another's") };
        assert_eq!(problem.kind(), Kind::Distrust);
        assert!(problem.detail().contains("page of demo"), "{problem:?}");
        assert!(read(Bytes::from_static(b"{}"), digest, &demo).is_err());
    }
}
