//! Pages and files in the verified view. What is absent there is asked for once at the index: a sidecar that looks at
//! projects on demand learns of it that way.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tokio::time::{Instant, timeout};

use super::Gateway;
use super::current::Standing;
use super::pages::Page;
use super::refusal::{SOON, failed};
use crate::client::View;
use crate::index::{File, Format, ProjectName};
use crate::repository::page_path;
use crate::serving::Problem;
use crate::upstream::{PageReply, Upstream, UpstreamError};

/// How long an unknown name is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);
/// So many are.
const MOST: u64 = 10_000;

/// So many projects are asked for at the index at once: others, and metadata, need connections too.
pub(super) const ASKED: usize = 12;
/// How long is waited for one of these places.
const WAIT: Duration = Duration::from_secs(10);
/// No file that a page lists has a longer name, bytes.
const LONGEST_NAME: usize = 255;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    pub project: ProjectName,
    /// A file that its page must list.
    pub file: Option<String>,
}

/// What verified metadata has of it.
#[derive(Clone)]
pub(super) struct Found {
    pub view: View,
    pub page: Arc<Page>,
}

/// What neither the view nor the index had a moment ago.
pub(super) struct Absent(Cache<Wanted, ()>);

impl Default for Absent {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_live(REMEMBERED).build())
    }
}

/// How a search at the index ended, unless there is no such thing.
enum Ended {
    Found(Found),
    Failed(Problem),
}

impl Gateway {
    /// The verified page of `project`.
    ///
    /// # Errors
    /// 404 where verified metadata has none.
    pub(super) async fn page_of(&self, project: &ProjectName) -> Result<Arc<Page>, Problem> {
        let wanted = Wanted { project: project.clone(), file: None };
        Ok(self.seek(&wanted).await?.page)
    }

    /// The view whose page of `project` lists the file, and what it says of it.
    ///
    /// # Errors
    /// 404 where verified metadata has no such page, or it lists no such file.
    pub(super) async fn listed(
        &self,
        project: &ProjectName,
        filename: &str,
    ) -> Result<(View, File), Problem> {
        let wanted = Wanted { project: project.clone(), file: Some(filename.to_owned()) };
        let Found { view, page } = self.seek(&wanted).await?;
        let file = page.model().file(filename).cloned();
        Ok((view, file.ok_or_else(|| wanted.unknown())?))
    }

    async fn seek(&self, wanted: &Wanted) -> Result<Found, Problem> {
        if wanted.file.as_ref().is_some_and(|name| name.len() > LONGEST_NAME) {
            return Err(wanted.unknown());
        }
        let standing = self.0.current.view().await?;
        if let Some(found) = self.look(&standing, wanted).await? {
            return Ok(found);
        }
        // Who asks for the same at once shares one search.
        let search = async {
            match self.search(wanted).await {
                Ok(None) => Ok(()),
                Ok(Some(found)) => Err(Ended::Found(found)),
                Err(problem) => Err(Ended::Failed(problem)),
            }
        };
        let ended = self.0.absent.0.try_get_with(wanted.clone(), search).await;
        match ended.as_ref().map_err(|ended| &**ended) {
            Ok(()) => Err(wanted.unknown()),
            Err(Ended::Found(found)) => Ok(found.clone()),
            Err(Ended::Failed(problem)) => Err(problem.clone()),
        }
    }

    async fn look(&self, standing: &Standing, wanted: &Wanted) -> Result<Option<Found>, Problem> {
        let view = &standing.view;
        let path = page_path(&wanted.project, Format::Json);
        let path = path.map_err(|error| Problem::not_found(error.to_string()))?;
        let Some(target) = view.target(path.as_str()).await? else { return Ok(None) };
        let page = self.0.pages.page(view, &wanted.project, path.as_str(), &target).await?;
        let listed = wanted.file.as_deref().is_none_or(|name| page.model().file(name).is_some());
        Ok(listed.then(|| Found { view: view.clone(), page }))
    }

    /// Asks the index, and looks again in what is published then.
    async fn search(&self, wanted: &Wanted) -> Result<Option<Found>, Problem> {
        let Some(upstream) = &self.0.upstream else { return Ok(None) };
        let asked = {
            let place = timeout(WAIT, self.0.asking.acquire()).await;
            let _place = place.map_err(|_| too_many())?;
            ask(upstream, &wanted.project).await
        };
        let standing = self.0.current.view_after(Instant::now()).await?;
        if let Some(found) = self.look(&standing, wanted).await? {
            return Ok(Some(found));
        }
        // Absent from an old view, or never looked for: nothing says that it does not exist.
        match (asked, standing.stale) {
            (Err(error), _) => Err(failed(&error)),
            (Ok(()), Some(error)) => Err(error.into()),
            (Ok(()), None) => Ok(None),
        }
    }
}

fn too_many() -> Problem {
    Problem::unavailable("Too many unknown projects are being asked for at the index", SOON)
}

/// Has the index look at the project. What it answers is not verified, and of no interest.
async fn ask(upstream: &Upstream, project: &ProjectName) -> Result<(), UpstreamError> {
    match upstream.page(project, None).await? {
        PageReply::Fresh(_) | PageReply::NotModified | PageReply::Gone(_) => Ok(()),
    }
}

impl Wanted {
    fn unknown(&self) -> Problem {
        let project = &self.project;
        Problem::not_found(match &self.file {
            None => {
                format!("There is no project {project}: the verified metadata has no page of it")
            }
            Some(file) => {
                let file: String = file.chars().take(LONGEST_NAME).collect();
                format!("There is no {file} of {project}: no verified page lists it")
            }
        })
    }
}
