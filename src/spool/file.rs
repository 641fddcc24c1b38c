//! Reading a spooled file.

use std::fs::{File, FileTimes, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures::stream::unfold;
use rustix::fs::OFlags;
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
}

/// By what a file is known again without reading it: whoever writes to it or replaces it breaks the seal. The time of the last
/// change cannot be put back, as that of the last modification can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seal {
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl SpooledFile {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        Ok(Self { length: metadata.len(), file: Arc::new(file) })
    }

    /// The seal that it has now. To rename the file or to set its times breaks an earlier one.
    pub(super) fn seal(&self) -> io::Result<Seal> {
        let metadata = self.file.metadata()?;
        Ok(Seal {
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Opens the file at `path`, if it is a regular one; others would block, or lead out of the folder.
    pub(super) async fn open(path: PathBuf) -> io::Result<Self> {
        blocking(move || {
            let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
            Self::new(OpenOptions::new().read(true).custom_flags(flags).open(path)?)
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

    /// Its seal, if the file has that digest. Marks it as used, for the order after a restart.
    pub(super) async fn verified(&self, digest: Digest) -> Option<Seal> {
        let file = self.clone();
        let verified = blocking(move || {
            // Only advice: the order of use is kept in memory. Before the seal, which it would break.
            let _ = file.file.set_times(FileTimes::new().set_accessed(SystemTime::now()));
            // Before the bytes are read: a change meanwhile must break it.
            let seal = file.seal()?;
            Ok((file.digest()? == digest).then_some(seal))
        });
        verified.await.ok()?
    }

    /// Whether it still has that seal.
    pub(super) async fn has(&self, seal: Seal) -> bool {
        let file = self.clone();
        blocking(move || file.seal()).await.is_ok_and(|found| found == seal)
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
