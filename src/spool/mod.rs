//! Verified distribution files on disk, named by their SHA-256; the least recently used goes first.
//!
//! ```text
//! mod       the spool: open, look up, put in
//! shelf     what lies on disk, in the order of use
//! download  from the mirror into a file, hashing
//! flight    concurrent requests for one thing share one task
//! file      reading a spooled file, whole or a range
//! verify    streaming a file that is too large, its last part held back
//! ```
//!
//! What lies here is advice: a file that is missing or wrong is fetched again, so nothing is synced to disk.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use url::Url;

use crate::tuf::Digest;
use crate::upstream::{BodyError, FileReply, Found, UpstreamError};

mod download;
mod file;
mod flight;
mod shelf;
#[cfg(test)]
mod tests;
pub mod verify;

pub use file::{SpooledFile, part};
pub use verify::{Verifying, hash_stream};

use download::Partial;
use flight::Flights;
use shelf::{Checked, Shelf};

/// Why a file could not be spooled. Every request that waited for it gets the same.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SpoolError {
    /// The bytes are not those that were signed; nothing was kept.
    #[error("expected SHA-256 {expected}, found {found}")]
    Mismatch {
        /// What was signed.
        expected: Digest,
        /// What came.
        found: Found,
    },
    /// The file is larger than the whole spool.
    #[error(
        "a file of more than {capacity} bytes does not fit into the spool: raise --files (of `serve`: cache.files, or lower cache.file-limit to stream it)"
    )]
    TooLarge {
        /// The spool's capacity, bytes.
        capacity: u64,
    },
    /// The mirror failed.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The disk is full.
    #[error("no space is left for the spool in {dir:?}: free some, or lower --files (of `serve`: cache.files)", dir = dir.display())]
    DiskFull {
        /// The spool's folder.
        dir: PathBuf,
    },
    /// The disk failed otherwise.
    #[error("cannot {action} in the spool {dir:?}: {source}", dir = dir.display())]
    Disk {
        /// What was tried.
        action: &'static str,
        /// The spool's folder.
        dir: PathBuf,
        /// Why not.
        source: Arc<io::Error>,
    },
    /// The task that fetched the file ended before its time.
    #[error("the download was broken off: {0}")]
    Aborted(String),
}

/// The spool. Cheap to clone.
#[derive(Clone)]
pub struct Spool {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    capacity: u64,
    shelf: Mutex<Shelf>,
    by_digest: Flights<Digest, Result<SpooledFile, SpoolError>>,
    by_url: Flights<Url, Result<(Digest, SpooledFile), SpoolError>>,
}

impl Spool {
    /// Opens the spool in `dir`, which is made (mode 0700) where it is missing. At most `capacity` bytes are kept, beside
    /// the files that are just being fetched. Blocks.
    ///
    /// # Errors
    /// Where the folder cannot be made or read.
    pub fn open(dir: &Path, capacity: u64) -> Result<Self, SpoolError> {
        let shelf = Shelf::open(dir, capacity).map_err(|error| disk("open", dir, error))?;
        let inner = Inner {
            dir: dir.to_owned(),
            capacity,
            shelf: Mutex::new(shelf),
            by_digest: Flights::default(),
            by_url: Flights::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How many bytes are kept, at the most.
    pub fn capacity(&self) -> u64 {
        self.inner.capacity
    }

    /// How many bytes are kept now.
    pub fn used(&self) -> u64 {
        self.shelf().used()
    }

    /// The file with that digest, if it is here. Its first use after a restart hashes it again; one that was written to
    /// since is fetched anew.
    pub async fn get(&self, digest: &Digest) -> Option<SpooledFile> {
        let entry = self.shelf().touch(digest)?;
        let path = shelf::path(&self.inner.dir, digest);
        let file = SpooledFile::open(path).await.ok().filter(|file| file.length == entry.length);
        let right = match &file {
            Some(file) => match *entry.checked.get_or_init(|| file.verified(*digest)).await {
                Some(seal) => file.has(seal).await,
                None => false,
            },
            None => false,
        };
        if !right {
            self.discard(digest, &entry.checked);
        }
        file.filter(|_| right)
    }

    /// The file with that digest: from here, or else from what `get` opens, verified whole. Requests for one digest share one
    /// download, which goes on when those who wait for it go away.
    ///
    /// # Errors
    /// [`SpoolError::Mismatch`] where hash or length are wrong; the mirror's errors; the disk's.
    pub async fn fetch<F, Fut>(
        &self,
        digest: &Digest,
        length: Option<u64>,
        get: F,
    ) -> Result<SpooledFile, SpoolError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<FileReply, UpstreamError>> + Send,
    {
        if let Some(file) = self.get(digest).await {
            return Ok(file);
        }
        let (spool, digest) = (self.clone(), *digest);
        let job = async move {
            // It may have come while this task was not yet known to others.
            if let Some(file) = spool.get(&digest).await {
                return Ok(file);
            }
            let partial = spool.download(length, get().await?).await?;
            partial.expect(digest, length)?;
            spool.keep(partial).await.map(|(_, file)| file)
        };
        self.inner.by_digest.join(digest, job).await.unwrap_or_else(aborted)
    }

    /// Fetches a file whose digest is not known, and keeps it under the digest that it proves to have. Requests for one
    /// URL share one download.
    ///
    /// # Errors
    /// The mirror's errors; the disk's.
    pub async fn fetch_unknown<F, Fut>(
        &self,
        url: &Url,
        get: F,
    ) -> Result<(Digest, SpooledFile), SpoolError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<FileReply, UpstreamError>> + Send,
    {
        let spool = self.clone();
        let job = async move {
            let partial = spool.download(None, get().await?).await?;
            spool.keep(partial).await
        };
        self.inner.by_url.join(url.clone(), job).await.unwrap_or_else(aborted)
    }

    async fn download(
        &self,
        expected: Option<u64>,
        reply: FileReply,
    ) -> Result<Partial, SpoolError> {
        let temporary = self.shelf().temporary();
        download::run(&self.inner.dir, temporary, self.inner.capacity, expected, reply).await
    }

    /// Puts a download in its place, and what had to make room out of the way.
    async fn keep(&self, partial: Partial) -> Result<(Digest, SpooledFile), SpoolError> {
        let spool = self.clone();
        let kept = tokio::task::spawn_blocking(move || {
            let file = partial.open().map_err(|error| disk("read", &spool.inner.dir, error))?;
            let placed = spool.shelf().place(partial.path(), partial.digest, partial.length, &file);
            let evicted = placed.map_err(|error| disk("rename a file", &spool.inner.dir, error))?;
            evicted.into_iter().for_each(remove);
            Ok((partial.digest, file))
        });
        kept.await.unwrap_or_else(|error| aborted(error.to_string()))
    }

    /// Takes a file out that is not what it should be, unless it was replaced meanwhile.
    fn discard(&self, digest: &Digest, checked: &Checked) {
        let gone = self.shelf().take(digest, checked);
        if let Some(path) = gone {
            tracing::warn!(%digest, "a spooled file was missing or altered on disk; it will be fetched again");
            remove(path);
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // The shelf is consistent between its methods' statements; a panic elsewhere does not harm it.
        self.inner.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remove(path: PathBuf) {
    if let Err(error) = std::fs::remove_file(&path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "cannot remove a spooled file");
    }
}

fn aborted<T>(error: impl Display) -> Result<T, SpoolError> {
    Err(SpoolError::Aborted(error.to_string()))
}

/// Sorts out what the disk reports.
fn disk(action: &'static str, dir: &Path, error: io::Error) -> SpoolError {
    let dir = dir.to_owned();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SpoolError::DiskFull { dir },
        _ => SpoolError::Disk { action, dir, source: Arc::new(error) },
    }
}

impl From<BodyError> for SpoolError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Upstream(error) => Self::Upstream(error),
            BodyError::Mismatch { expected, found } => Self::Mismatch { expected, found },
            other @ (BodyError::Disk(_) | BodyError::Client(_)) => Self::Aborted(other.to_string()),
        }
    }
}
