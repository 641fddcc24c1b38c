//! Reading a spooled file.

use std::fs::{File, FileTimes};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures::stream::unfold;
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use crate::tuf::Digest;
use crate::upstream::{Body, BodyError, body};

/// How much is read at once, bytes.
const CHUNK: u64 = 256 * 1024;

/// A verified file. It stays readable when the spool drops it. Cheap to clone; readers do not disturb each other.
#[derive(Debug, Clone)]
pub struct SpooledFile {
    /// Bytes.
    pub length: u64,
    file: Arc<File>,
    seal: Seal,
}

/// By what a file is known again without reading it: whoever writes to it or replaces it breaks the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seal {
    inode: u64,
    modified: (i64, i64),
}

impl SpooledFile {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        let seal = Seal { inode: metadata.ino(), modified };
        Ok(Self { length: metadata.len(), file: Arc::new(file), seal })
    }

    /// The seal that it had when it was opened.
    pub(super) fn seal(&self) -> Seal {
        self.seal
    }

    /// Opens the file at `path`, and marks it as used for the order after a restart.
    pub(super) async fn open(path: PathBuf) -> io::Result<Self> {
        blocking(move || {
            let file = File::open(path)?;
            // Only advice: the order of use is kept in memory.
            let _ = file.set_times(FileTimes::new().set_accessed(SystemTime::now()));
            Self::new(file)
        })
        .await
    }

    /// The whole file as a body.
    pub fn body(&self) -> Body {
        self.range(0..self.length)
    }

    /// Part of the file as a body of exactly that length; what lies beyond the end is left out.
    pub fn range(&self, range: Range<u64>) -> Body {
        let end = range.end.min(self.length);
        part(&self.file, range.start.min(end)..end)
    }

    /// The whole file in memory; for small ones.
    ///
    /// # Errors
    /// Where the disk fails.
    pub async fn bytes(&self) -> io::Result<Bytes> {
        let (file, length) = (self.file.clone(), self.length);
        blocking(move || read(&file, 0, length)).await
    }

    /// Its seal, if the file has that digest.
    pub(super) async fn verified(&self, digest: Digest) -> Option<Seal> {
        let file = self.clone();
        let found = blocking(move || file.digest()).await.ok()?;
        (found == digest).then_some(self.seal)
    }

    fn digest(&self) -> io::Result<Digest> {
        let mut hasher = Sha256::new();
        let mut at = 0;
        while at < self.length {
            let size = CHUNK.min(self.length - at);
            hasher.update(read(&self.file, at, size)?);
            at += size;
        }
        Ok(hasher.into())
    }
}

/// Part of a file, which must be that long, as a body.
pub fn part(file: &Arc<File>, range: Range<u64>) -> Body {
    let file = file.clone();
    let Range { start, end } = range;
    let chunks = unfold(start, move |at| {
        let file = file.clone();
        let size = CHUNK.min(end.saturating_sub(at));
        async move {
            if size == 0 {
                return None;
            }
            let chunk = blocking(move || read(&file, at, size)).await;
            // After an error nothing more comes.
            let next = if chunk.is_ok() { at + size } else { end };
            Some((chunk.map_err(BodyError::from), next))
        }
    });
    body::sized(end.saturating_sub(start), body::stream(chunks))
}

fn read(file: &File, at: u64, size: u64) -> io::Result<Bytes> {
    let size = usize::try_from(size).map_err(io::Error::other)?;
    let mut chunk = vec![0; size];
    file.read_exact_at(&mut chunk, at)?;
    Ok(chunk.into())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}
