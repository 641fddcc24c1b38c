//! What the mirror of these tests has.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::tuf::Digest;
use crate::upstream::testing::{Reply, answer, header, ok, redirect, status};

/// A mirror's content; it changes while it answers.
#[derive(Default)]
pub(crate) struct Site(Mutex<Content>);

#[derive(Default)]
pub(crate) struct Content {
    pub(crate) pages: BTreeMap<String, Page>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) etags: Etags,
    /// What the list says instead of the pages' serials.
    pub(crate) serials: BTreeMap<String, u64>,
    /// Projects that the list leaves out.
    pub(crate) unlisted: Vec<String>,
    /// Every answer is this.
    pub(crate) down: Option<&'static str>,
    /// The list is this instead.
    pub(crate) list: Option<String>,
    /// The list answers with this status.
    pub(crate) list_down: Option<&'static str>,
}

/// How the mirror gives ETags.
#[derive(Default, Clone, Copy)]
pub(crate) enum Etags {
    /// One for each body.
    #[default]
    Right,
    None,
    /// The same for everything.
    Constant,
    /// One for each project, whatever its page says.
    Stuck,
}

/// One project page.
#[derive(Clone)]
pub(crate) enum Page {
    Listed { files: Vec<Value>, serial: Option<u64>, status: Option<&'static str> },
    Raw(Vec<u8>),
    Status(&'static str),
    Elsewhere(String),
}

impl Page {
    pub(crate) fn of(files: impl IntoIterator<Item = Value>) -> Self {
        Self::Listed { files: files.into_iter().collect(), serial: None, status: None }
    }

    pub(crate) fn serial(serial: u64, files: impl IntoIterator<Item = Value>) -> Self {
        let files = files.into_iter().collect();
        Self::Listed { files, serial: Some(serial), status: None }
    }
}

/// A file with hash and size, as modern mirrors list it.
pub(crate) fn full(name: &str, content: &str) -> Value {
    json!({
        "filename": name, "url": format!("/files/{name}"),
        "hashes": {"sha256": Digest::of(content.as_bytes()).to_string()}, "size": content.len(),
    })
}

/// A file with the given hashes alone.
pub(crate) fn bare(name: &str, hashes: Value) -> Value {
    json!({"filename": name, "url": format!("/files/{name}"), "hashes": hashes})
}

impl Site {
    pub(crate) fn change(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap()
    }

    pub(crate) fn page(&self, project: &str, page: Page) {
        self.change().pages.insert(project.to_owned(), page);
    }

    /// Pages that list nothing but full files, each with its own name for content.
    pub(crate) fn pages(&self, count: usize) {
        for n in 0..count {
            let name = format!("p{n}");
            self.page(&name, Page::serial(n as u64 + 1, [full(&format!("{name}-1.zip"), &name)]));
        }
    }

    pub(crate) fn file(&self, name: &str, content: &str) {
        self.change().files.insert(name.to_owned(), content.into());
    }

    pub(crate) fn answer(&self, request: &str) -> Reply {
        let content = self.change();
        if let Some(down) = content.down {
            return status(down);
        }
        let path = request.split(' ').nth(1).unwrap();
        match path.split('/').collect::<Vec<_>>().as_slice() {
            ["", "simple", ""] => content.list(request),
            ["", "simple", project, ""] => content.page(project, request),
            ["", "files", name] => content.file(name, request),
            _ => status("404 Not Found"),
        }
    }
}

impl Content {
    fn list(&self, request: &str) -> Reply {
        if let Some(down) = self.list_down {
            return status(down);
        }
        if let Some(list) = &self.list {
            return self.tagged("", request, list.clone().into_bytes());
        }
        let listed = self.pages.iter().filter(|(name, _)| !self.unlisted.contains(name));
        let listed = listed.map(|(name, page)| match (self.serials.get(name), page) {
            (Some(serial), _) | (None, Page::Listed { serial: Some(serial), .. }) => {
                json!({"name": name, "_last-serial": serial})
            }
            _ => json!({"name": name}),
        });
        let list = json!({"meta": {"api-version": "1.0"}, "projects": listed.collect::<Vec<_>>()});
        self.tagged("", request, list.to_string().into_bytes())
    }

    fn page(&self, project: &str, request: &str) -> Reply {
        match self.pages.get(project) {
            None => status("404 Not Found"),
            Some(Page::Status(code)) => status(code),
            Some(Page::Elsewhere(to)) => redirect(to),
            Some(Page::Raw(body)) => self.tagged(project, request, body.clone()),
            Some(Page::Listed { files, serial, status }) => {
                let mut page = json!({
                    "meta": {"api-version": "1.1"}, "name": project, "files": files, "versions": ["1"],
                });
                if let Some(serial) = serial {
                    page["meta"]["_last-serial"] = json!(serial);
                }
                if let Some(status) = status {
                    page["project-status"] = json!({"status": status});
                }
                self.tagged(project, request, page.to_string().into_bytes())
            }
        }
    }

    fn tagged(&self, project: &str, request: &str, body: Vec<u8>) -> Reply {
        let etag = match self.etags {
            Etags::Right => Some(Digest::of(&body).to_string()),
            Etags::None => None,
            Etags::Constant => Some("constant".to_owned()),
            Etags::Stuck => Some(format!("of-{project}")),
        };
        let etag = etag.map(|etag| format!("\"{etag}\""));
        if etag.is_some() && header(request, "if-none-match") == etag.as_deref() {
            return status("304 Not Modified");
        }
        let etag = etag.map(|etag| format!("ETag: {etag}\r\n")).unwrap_or_default();
        let kind = "Content-Type: application/vnd.pypi.simple.v1+json\r\n";
        ok(&format!("{kind}{etag}"), body)
    }

    fn file(&self, name: &str, request: &str) -> Reply {
        let Some(bytes) = self.files.get(name) else { return status("404 Not Found") };
        let whole = answer("200 OK", "", bytes);
        if request.starts_with("HEAD") {
            return Reply::Keep(whole[..whole.len() - bytes.len()].to_vec());
        }
        Reply::Keep(whole)
    }
}
