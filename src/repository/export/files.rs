//! The distribution files: not in the store, but at the mirror; taken only where length and hash are the signed ones.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use moka::future::Cache;
use tokio::io::AsyncWriteExt as _;
use url::Url;

use crate::index::{ProjectName, Sources};
use crate::spool::Verifying;
use crate::store::{Store, layout};
use crate::tuf::{Digest, TargetPath};
use crate::upstream::{BodyError, Upstream};

use super::folder::{Folder, at, in_thread};
use super::{ExportError, RepositoryError};

/// Projects whose sources are kept: their files lie in all bins.
const KNOWN: u64 = 1000;
/// How often a file is asked for whose body breaks off.
const TRIES: usize = 3;

/// Fetches files into the folder.
pub(super) struct Files<'a> {
    store: &'a Store,
    upstream: &'a Upstream,
    folder: &'a Folder,
    sources: Cache<ProjectName, Arc<Sources>>,
}

impl<'a> Files<'a> {
    pub(super) fn new(store: &'a Store, upstream: &'a Upstream, folder: &'a Folder) -> Self {
        Self { store, upstream, folder, sources: Cache::new(KNOWN) }
    }

    /// Fetches the file that is the target `path` as `name`; `Ok(Err(_))` says why it cannot be had.
    ///
    /// # Errors
    /// Where the store, or the folder, fails.
    pub(super) async fn fetch(
        &self,
        path: &TargetPath,
        name: &str,
        digest: &Digest,
        length: u64,
    ) -> Result<Result<(), String>, ExportError> {
        if self.folder.has(name, digest).await? {
            return Ok(Ok(()));
        }
        let Some(url) = self.url(path).await? else {
            return Ok(Err("where it lies upstream is not known".into()));
        };
        let mut tries = 1;
        loop {
            match self.try_fetch(&url, name, digest, length).await? {
                Err(BodyError::Upstream(error)) if tries < TRIES => {
                    tracing::debug!(%error, path = path.as_str(), "asking again");
                    tries += 1;
                }
                fetched => return Ok(fetched.map_err(|error| error.to_string())),
            }
        }
    }

    async fn try_fetch(
        &self,
        url: &Url,
        name: &str,
        digest: &Digest,
        length: u64,
    ) -> Result<Result<(), BodyError>, ExportError> {
        let reply = match self.upstream.file(url).await {
            Ok(reply) => reply,
            Err(error) => return Ok(Err(error.into())),
        };
        let part = self.folder.part(name);
        let mut file = tokio::fs::File::create(&part).await.map_err(at(&part))?;
        let mut body = Verifying::new(reply.body, *digest, length, |_| ());
        while let Some(frame) = body.frame().await {
            match frame.map(http_body::Frame::into_data) {
                Ok(Ok(data)) => file.write_all(&data).await.map_err(at(&part))?,
                Ok(Err(_)) => {}
                Err(error) => {
                    drop(file);
                    tokio::fs::remove_file(&part).await.map_err(at(&part))?;
                    return Ok(Err(error));
                }
            }
        }
        file.flush().await.map_err(at(&part))?;
        let (folder, name) = (self.folder.clone(), name.to_owned());
        in_thread(move || folder.finish(&part, &name)).await?;
        Ok(Ok(()))
    }

    /// Where the file lies upstream.
    async fn url(&self, path: &TargetPath) -> Result<Option<Url>, ExportError> {
        let named = path.as_str().strip_prefix("files/").and_then(|rest| rest.split_once('/'));
        let Some((project, filename)) = named else { return Ok(None) };
        let Ok(project) = ProjectName::parse(project) else { return Ok(None) };
        let known = match self.sources.get(&project).await {
            Some(known) => known,
            None => {
                let read = self.store.read(&layout::sources(&project)).await;
                let read = read.map_err(RepositoryError::from)?.unwrap_or_default();
                // Advice that cannot be read is none.
                let known: Arc<Sources> =
                    Arc::new(serde_json::from_slice(&read).unwrap_or_default());
                self.sources.insert(project, known.clone()).await;
                known
            }
        };
        Ok(known.get(filename).map(|source| source.url.clone()))
    }
}
