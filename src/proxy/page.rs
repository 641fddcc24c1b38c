//! Project pages, exactly as they are signed.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::header::ACCEPT;
use http::request::Parts;

use super::{Answer, Problem, Proxy, header};
use crate::index::{Format, ProjectName, ProjectPage, requested};
use crate::serving::document::{self, REVALIDATE, Style};
use crate::serving::{Document, Kind};
use crate::telemetry::Refusal;
use crate::tuf::Digest;
use crate::watch::{Asked, WatchError};

/// Where the repository lies, relative to the URL that was asked for.
pub(super) const COUNTERSIGN_TUF: HeaderName = HeaderName::from_static("countersign-tuf");
/// When a look that took too long may have come to its end.
const LOOKING: Duration = Duration::from_secs(5);

impl Proxy {
    /// The signed page of `project`, in the format that the client prefers.
    pub(super) async fn page(&self, request: &Parts, project: &ProjectName) -> Answer {
        let format = self.format(request)?;
        let (format, page) = match self.published_page(project, format).await? {
            Some(page) => (format, page),
            // Published before HTML was switched on.
            None => match self.published_page(project, Format::Json).await? {
                Some(page) if requests_json(request) => (Format::Json, page),
                Some(_) => return Err(not_acceptable()),
                None => return Err(no_page(project)),
            },
        };
        let style = Style {
            content_type: format.content_type(),
            cache_control: REVALIDATE,
            vary: "Accept, Accept-Encoding",
        };
        let mut response = document::answer(&self.repository, request, &page, style).await?;
        if let Some(tuf) = &self.0.tuf {
            response.headers_mut().insert(COUNTERSIGN_TUF, tuf.clone());
        }
        Ok(response)
    }

    /// A page by its target path.
    pub(super) async fn page_target(
        &self,
        request: &Parts,
        project: &ProjectName,
        format: Format,
        pin: Option<Digest>,
    ) -> Answer {
        let mut page = self.published_page(project, format).await?;
        if let Some(digest) = pin {
            page = self.repository.pinned_page(project, format, digest).await?;
        }
        let page = page.ok_or_else(|| no_page(project))?;
        let cache_control = if pin.is_some() { document::IMMUTABLE } else { REVALIDATE };
        let content_type = format.content_type();
        let style = Style { content_type, cache_control, vary: "Accept-Encoding" };
        document::answer(&self.repository, request, &page, style).await
    }

    /// The format that the client prefers.
    pub(super) fn format(&self, request: &Parts) -> Result<Format, Problem> {
        let (query, accept) = (request.uri.query(), header(request, ACCEPT));
        requested(query, accept, self.config.html).ok_or_else(not_acceptable)
    }

    async fn published_page(
        &self,
        project: &ProjectName,
        format: Format,
    ) -> Result<Option<Arc<Document>>, Problem> {
        if let Some(page) = self.repository.page(project, format).await? {
            return Ok(Some(page));
        }
        if format == Format::Html && self.repository.page(project, Format::Json).await?.is_some() {
            return Ok(None);
        }
        self.ask(project).await?;
        Ok(self.repository.page(project, format).await?)
    }

    /// The model of the signed page of `project`.
    pub(super) async fn model(&self, project: &ProjectName) -> Result<Arc<ProjectPage>, Problem> {
        if let Some(model) = self.repository.model(project).await? {
            return Ok(model);
        }
        self.ask(project).await?;
        self.repository.model(project).await?.ok_or_else(|| no_page(project))
    }

    /// Has the watcher look at a project that is not published.
    async fn ask(&self, project: &ProjectName) -> Result<(), Problem> {
        match self.watcher.ask(project).await {
            Asked::Published => Ok(()),
            Asked::Unknown => Err(no_page(project)),
            Asked::TimedOut => {
                Err(Problem::unavailable(format!("{project} is still being looked at"), LOOKING))
            }
            Asked::Failed(error) => {
                if let WatchError::Blocked(_) = error {
                    self.metrics.refusals.count(Refusal::Blocked);
                }
                Err(error.into())
            }
        }
    }
}

fn requests_json(request: &Parts) -> bool {
    requested(request.uri.query(), header(request, ACCEPT), false).is_some()
}

fn no_page(project: &ProjectName) -> Problem {
    Problem::not_found(format!("There is no project {project} here"))
}

fn not_acceptable() -> Problem {
    let json = Format::Json.content_type();
    Problem::new(
        Kind::NotAcceptable,
        format!("Accept {json}, or text/html where it is switched on"),
    )
}
