//! The project list. It is not signed.

use std::sync::{Arc, Mutex, PoisonError};

use http::request::Parts;
use tokio::task::spawn_blocking;

use super::page::COUNTERSIGN_TUF;
use super::{Answer, Problem, Proxy};
use crate::index::{Format, ProjectName, render_list_html, render_list_json};
use crate::serving::Document;
use crate::serving::document::{self, REVALIDATE, Style};

type Names = Arc<[ProjectName]>;

/// The list as it was rendered last, for each format; a list of PyPI's size is worth keeping.
#[derive(Default)]
pub(super) struct Lists {
    json: Mutex<Option<(Names, Arc<Document>)>>,
    html: Mutex<Option<(Names, Arc<Document>)>>,
    /// The published projects, and the commit that they belong to.
    published: tokio::sync::Mutex<Option<(u64, Names)>>,
}

impl Lists {
    fn of(&self, format: Format) -> &Mutex<Option<(Names, Arc<Document>)>> {
        match format {
            Format::Json => &self.json,
            Format::Html => &self.html,
        }
    }

    fn get(&self, format: Format, names: &Names) -> Option<Arc<Document>> {
        let last = self.of(format).lock().unwrap_or_else(PoisonError::into_inner);
        let (of, document) = last.as_ref()?;
        Arc::ptr_eq(of, names).then(|| document.clone())
    }

    fn put(&self, format: Format, names: Names, document: Arc<Document>) {
        *self.of(format).lock().unwrap_or_else(PoisonError::into_inner) = Some((names, document));
    }
}

impl Proxy {
    /// What the mirror listed last, or else what is published.
    pub(super) async fn list(&self, request: &Parts) -> Answer {
        let format = self.format(request)?;
        let names = match self.watcher.projects() {
            Some(names) => names,
            None => self.published_projects().await?,
        };
        let list = self.rendered(format, names).await?;
        let style = Style {
            content_type: format.content_type(),
            cache_control: REVALIDATE,
            vary: "Accept, Accept-Encoding",
        };
        let mut response = document::answer(&self.repository, request, &list, style).await?;
        if let Some(tuf) = &self.0.tuf_of_list {
            response.headers_mut().insert(COUNTERSIGN_TUF, tuf.clone());
        }
        Ok(response)
    }

    async fn rendered(&self, format: Format, names: Names) -> Result<Arc<Document>, Problem> {
        if let Some(list) = self.0.lists.get(format, &names) {
            return Ok(list);
        }
        let of = names.clone();
        let render = move || {
            Document::new(match format {
                Format::Json => render_list_json(of.iter()),
                Format::Html => render_list_html(of.iter()),
            })
        };
        let list = spawn_blocking(render).await.map_err(|error| {
            Problem::upstream(format!("the project list could not be rendered: {error}"))
        })?;
        let list = Arc::new(list);
        self.0.lists.put(format, names, list.clone());
        Ok(list)
    }

    /// Reads every bin, once for each commit.
    async fn published_projects(&self) -> Result<Names, Problem> {
        let mut last = self.0.lists.published.lock().await;
        let commit = self.repository.published().base.commit;
        if let Some((_, names)) = last.as_ref().filter(|(of, _)| *of == commit) {
            return Ok(names.clone());
        }
        let names: Names = self.repository.projects().await?.into();
        *last = Some((commit, names.clone()));
        Ok(names)
    }
}
