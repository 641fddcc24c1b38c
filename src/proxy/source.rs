//! Which bytes a file name stands for, by the signed pages, and where they lie upstream.

use std::time::Duration;

use http::request::Parts;
use percent_encoding::percent_decode_str;
use url::Url;

use super::{Problem, Proxy};
use crate::index::{File, ProjectName, ProjectPage, Source, project_candidates};
use crate::repository::{Blocked, file_path};
use crate::serving::{Key, Kind, Pinned};
use crate::tuf::Digest;

/// Of the projects that a file name can mean, and that were not seen before, so many are looked at.
const MOST_ASKED: usize = 8;
/// When a look at the project may have found the file.
const LOOKING: Duration = Duration::from_secs(5);

/// A file that a signed page lists.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listed {
    pub project: ProjectName,
    pub file: File,
}

impl Listed {
    /// The SHA-256 that pins the file. A page without one was not written by us.
    pub fn digest(&self) -> Result<Digest, Problem> {
        let digest = self.file.sha256().and_then(|hex| hex.parse().ok());
        digest.ok_or_else(|| self.missing())
    }

    /// That there is no such file.
    pub fn missing(&self) -> Problem {
        not_listed(&self.project, &self.file.filename)
    }
}

pub(super) fn not_listed(project: &ProjectName, filename: &str) -> Problem {
    Problem::not_found(format!("The signed page of {project} lists no {filename}"))
}

impl Proxy {
    /// Why the signed page of `project` does not list the file.
    async fn not_listed(&self, project: &ProjectName, filename: &str) -> Result<Problem, Problem> {
        Ok(match self.repository.blocked(project).await? {
            Blocked::Files(names) if names.iter().any(|name| name == filename) => Problem::new(
                Kind::Blocked,
                format!("{filename} of {project} was withdrawn by the operator"),
            ),
            _ => not_listed(project, filename),
        })
    }

    /// The file on the signed page of `project`; where a hash is wanted, with that one, if any replica has it so.
    pub(super) async fn listed(
        &self,
        project: &ProjectName,
        filename: &str,
        wanted: Option<Digest>,
    ) -> Result<Listed, Problem> {
        let is_wanted = |file: &File| {
            wanted.is_none_or(|digest| file.sha256().is_some_and(|hex| *hex == digest.to_string()))
        };
        let lists = |page: &ProjectPage| page.file(filename).is_some_and(is_wanted);
        let page = match self.repository.model_where(project, lists).await? {
            Some(page) => page,
            None => self.model(project).await?,
        };
        match page.file(filename) {
            Some(file) => Ok(Listed { project: project.clone(), file: file.clone() }),
            None => Err(self.not_listed(project, filename).await?),
        }
    }

    /// The file at a path of the mirror's own: of the projects that it may belong to, the one whose signed page lists
    /// it; of several, the one whose file lies at that very path. Projects not seen before are looked at.
    pub(super) async fn listed_at(
        &self,
        request: &Parts,
        filename: &str,
    ) -> Result<Option<Listed>, Problem> {
        let mut unknown = Vec::new();
        let mut first = None;
        // A version seldom has a dash, a name often does: the longest reading is the likeliest.
        for project in project_candidates(filename).into_iter().rev() {
            if self.repository.known_model(&project).await?.is_none() {
                unknown.push(project);
            } else if let Some(listed) = self.if_listed(&project, filename).await? {
                if self.lies_at(&listed, request.uri.path()).await? {
                    return Ok(Some(listed));
                }
                first = first.or(Some(listed));
            }
        }
        if first.is_some() {
            return Ok(first);
        }
        let mut failure = None;
        for project in unknown.into_iter().take(MOST_ASKED) {
            match self.if_listed(&project, filename).await {
                Ok(None) => {}
                Ok(listed) => return Ok(listed),
                Err(problem) => failure = Some(problem),
            }
        }
        failure.map_or(Ok(None), Err)
    }

    async fn if_listed(
        &self,
        project: &ProjectName,
        filename: &str,
    ) -> Result<Option<Listed>, Problem> {
        match self.listed(project, filename, None).await {
            Ok(listed) => Ok(Some(listed)),
            Err(problem) if problem.is_not_found() => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    async fn lies_at(&self, listed: &Listed, path: &str) -> Result<bool, Problem> {
        let sources = self.repository.sources(&listed.project).await?;
        let source = sources.as_ref().and_then(|sources| sources.get(&listed.file.filename));
        let decoded = |path| percent_decode_str(path).collect::<Vec<u8>>();
        Ok(source.is_some_and(|source| decoded(source.url.path()) == decoded(path)))
    }

    /// What is signed of the file itself.
    pub(super) async fn pinned(&self, listed: &Listed) -> Result<Pinned, Problem> {
        let Listed { project, file } = listed;
        let digest = listed.digest()?;
        let target = match file_path(project, &file.filename) {
            Ok(path) => self.repository.target(&path).await?,
            Err(_) => None,
        };
        let target = target.filter(|target| target.sha256() == Some(digest));
        let key = Key { project: project.clone(), name: file.filename.clone(), digest };
        Ok(Pinned { key, length: target.map(|target| target.length).or(file.size) })
    }

    /// Where the file lies upstream. Where that is not known the project is looked at again.
    pub(super) async fn source(
        &self,
        project: &ProjectName,
        filename: &str,
    ) -> Result<Source, Problem> {
        let known = self.repository.sources(project).await?;
        if let Some(source) = known.as_ref().and_then(|sources| sources.get(filename)) {
            return Ok(source.clone());
        }
        let newest = self.repository.newest_sources(project).await?;
        if let Some(source) = newest.as_ref().and_then(|sources| sources.get(filename)) {
            return Ok(source.clone());
        }
        self.watcher.changed(Some(project.clone()));
        let detail = format!(
            "Where {filename} lies upstream is not known yet; {project} is being looked at"
        );
        Err(Problem::unavailable(detail, LOOKING))
    }
}

/// What lies beside `url` under its name and `suffix`.
pub(super) fn beside(url: &Url, suffix: &str) -> Url {
    let mut beside = url.clone();
    beside.set_path(&format!("{}{suffix}", url.path()));
    beside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beside_keeps_the_query() {
        let url: Url = "https://m.example/a/x-1%2Bb.whl?sig=1".parse().unwrap();
        let expected = "https://m.example/a/x-1%2Bb.whl.metadata?sig=1";
        assert_eq!(beside(&url, ".metadata").as_str(), expected);
    }
}
