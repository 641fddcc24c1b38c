//! What a bundle has of its projects: pages, files and core metadata, each verified as it is fetched.

use std::fs;
use std::io::{self, Seek as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use glob::Pattern;
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use super::CreateError;
use crate::client::{Remote, RemoteError, View};
use crate::index::{CoreMetadata, ProjectName, parse_signed};
use crate::tuf::{Digest, TargetFile};
use crate::upstream::{BodyError, Found};

/// The longest page or core metadata, bytes.
const LONGEST_PAGE: u64 = 64 << 20;
/// How many things are fetched at once.
const AT_ONCE: usize = 8;
/// How often a download is tried that breaks off.
const TRIES: usize = 3;

/// A page that is signed.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub project: ProjectName,
    pub path: String,
    pub target: TargetFile,
}

/// Something verified, and the path that it is fetched under.
pub(super) struct Piece {
    pub path: String,
    pub content: Content,
}

pub(super) enum Content {
    /// A page, or core metadata.
    Small(Bytes),
    /// A distribution file, to be read from its beginning, and its length in bytes.
    Large(fs::File, u64),
}

/// What is still to be fetched.
enum Job {
    Page(String, Bytes),
    File { path: String, digest: Digest, size: Option<u64> },
    CoreMetadata { path: String, digest: Digest },
}

/// Where pieces come from, and which are wanted.
#[derive(Clone)]
pub(super) struct Source {
    pub remote: Arc<dyn Remote>,
    pub view: View,
    /// File names; all where there are none.
    pub wanted: Arc<[Pattern]>,
    /// Where files lie until they are written.
    pub folder: Arc<Path>,
    pub counts: Arc<Counts>,
}

/// How far it is.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Pages, files and core metadata that are known to be needed.
    pub known: AtomicU64,
    /// Files that are not wanted.
    pub left_out: AtomicU64,
}

impl Source {
    /// All pieces of the projects, in order; several are fetched at once.
    pub fn pieces(
        self,
        pages: Vec<Page>,
    ) -> impl Stream<Item = Result<Piece, CreateError>> + Send + 'static {
        self.counts.known.store(pages.len() as u64, Ordering::Relaxed);
        let (one, other) = (self.clone(), self);
        stream::iter(pages)
            .map(move |page| one.clone().jobs(page))
            .buffered(AT_ONCE)
            .map_ok(|jobs| stream::iter(jobs.into_iter().map(Ok)))
            .try_flatten()
            .map_ok(move |job| other.clone().fetch(job))
            .try_buffered(AT_ONCE)
    }

    /// The page, and what it lists.
    async fn jobs(self, page: Page) -> Result<Vec<Job>, CreateError> {
        let Page { project, path, target } = page;
        let fetched_as = self.view.fetched_as(&path, &target);
        let limit = target.length.min(LONGEST_PAGE);
        let bytes = self.remote.target(&fetched_as, limit).await;
        let bytes = bytes.map_err(|error| CreateError::unavailable(&path, error))?;
        target.check(&path, &bytes).map_err(crate::client::ClientError::from)?;
        let unreadable = |why: String| CreateError::Page { project: project.clone(), why };
        let (page, _) = parse_signed(&bytes).map_err(|error| unreadable(error.to_string()))?;
        if page.name != project {
            return Err(unreadable(format!("it is the page of {}", page.name)));
        }
        let mut jobs = vec![Job::Page(fetched_as, bytes)];
        for file in &page.files {
            if !self.wants(&file.filename) {
                self.counts.left_out.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            // The page promises nothing that it does not pin.
            let Some(digest) = file.sha256().and_then(|hex| hex.parse::<Digest>().ok()) else {
                continue;
            };
            let path = format!("files/{project}/{digest}.{}", file.filename);
            if let CoreMetadata::Hashes(hashes) = &file.core_metadata
                && let Some(digest) = hashes.get("sha256").and_then(|hex| hex.parse().ok())
            {
                jobs.push(Job::CoreMetadata { path: format!("{path}.metadata"), digest });
            }
            jobs.push(Job::File { path, digest, size: file.size });
        }
        self.counts.known.fetch_add(jobs.len() as u64 - 1, Ordering::Relaxed);
        Ok(jobs)
    }

    fn wants(&self, filename: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|pattern| pattern.matches(filename))
    }

    async fn fetch(self, job: Job) -> Result<Piece, CreateError> {
        match job {
            Job::Page(path, bytes) => Ok(Piece { path, content: Content::Small(bytes) }),
            Job::CoreMetadata { path, digest } => {
                let bytes = self.remote.target(&path, LONGEST_PAGE).await;
                let bytes = bytes.map_err(|error| CreateError::unavailable(&path, error))?;
                same(&path, digest, Digest::of(&bytes))?;
                Ok(Piece { path, content: Content::Small(bytes) })
            }
            Job::File { path, digest, size } => {
                let mut tries = 1;
                loop {
                    match self.download(&path, digest, size).await {
                        Err(CreateError::Unavailable { error, .. })
                            if tries < TRIES && is_transient(&error) =>
                        {
                            tracing::info!(path, %error, "tried again");
                            tries += 1;
                        }
                        ended => return ended,
                    }
                }
            }
        }
    }

    /// A file of any size, through the disk.
    async fn download(
        &self,
        path: &str,
        digest: Digest,
        size: Option<u64>,
    ) -> Result<Piece, CreateError> {
        let failed = |error: io::Error| CreateError::disk("keep a file in", &self.folder, error);
        let unavailable = |error: RemoteError| CreateError::unavailable(path, error);
        let reply = self.remote.open(path).await;
        let mut body = reply.map_err(|error| unavailable(error.into()))?.body;
        let mut file = File::from_std(tempfile::tempfile_in(&self.folder).map_err(failed)?);
        let (mut hasher, mut length) = (Sha256::new(), 0);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| unavailable(broken(path, error)))?.into_data()
            else {
                continue;
            };
            length += data.len() as u64;
            if let Some(expected) = size.filter(|size| length > *size) {
                return Err(mismatch(path, digest, Found::Length { expected, found: length }));
            }
            hasher.update(&data);
            file.write_all(&data).await.map_err(failed)?;
        }
        same(path, digest, hasher.into())?;
        file.flush().await.map_err(failed)?;
        let mut file = file.into_std().await;
        file.rewind().map_err(failed)?;
        Ok(Piece { path: path.to_owned(), content: Content::Large(file, length) })
    }
}

fn same(path: &str, expected: Digest, found: Digest) -> Result<(), CreateError> {
    if expected == found { Ok(()) } else { Err(mismatch(path, expected, Found::Sha256(found))) }
}

fn mismatch(path: &str, expected: Digest, found: Found) -> CreateError {
    CreateError::Mismatch { path: path.to_owned(), expected, found }
}

fn broken(path: &str, error: BodyError) -> RemoteError {
    match error {
        BodyError::Upstream(error) => error.into(),
        error => RemoteError::Broken { name: path.to_owned(), why: error.to_string() },
    }
}

fn is_transient(error: &RemoteError) -> bool {
    match error {
        RemoteError::Upstream(error) => error.is_transient(),
        RemoteError::Broken { .. } => true,
        _ => false,
    }
}
