//! From the mirror into a temporary file, hashing on the way.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt as _;

use super::{SpoolError, SpooledFile, disk};
use crate::tuf::Digest;
use crate::upstream::{FileReply, Found};

/// A download that is complete, and not yet in its place. Dropped, it leaves nothing.
#[derive(Debug)]
pub(super) struct Partial {
    temporary: Temporary,
    pub(super) digest: Digest,
    /// Bytes.
    pub(super) length: u64,
    /// Whether it was broken off, having passed its expected length.
    cut: bool,
}

/// A file that is removed when it is dropped, unless it was moved away.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone is good: it was moved to its place.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Partial {
    pub(super) fn path(&self) -> &Path {
        &self.temporary.0
    }

    pub(super) fn open(&self) -> io::Result<SpooledFile> {
        SpooledFile::new(File::open(self.path())?)
    }

    /// Checks what came.
    pub(super) fn expect(&self, expected: Digest, length: Option<u64>) -> Result<(), SpoolError> {
        let found = match length {
            Some(length) if self.cut || length != self.length => {
                Found::Length { expected: length, found: self.length }
            }
            _ if self.digest != expected => Found::Sha256(self.digest),
            _ => return Ok(()),
        };
        Err(SpoolError::Mismatch { expected, found })
    }
}

/// Downloads into `path`, at most `capacity` bytes. Where more comes than `expected`, the rest is not waited for.
pub(super) async fn run(
    dir: &Path,
    path: PathBuf,
    capacity: u64,
    expected: Option<u64>,
    reply: FileReply,
) -> Result<Partial, SpoolError> {
    let announced = expected.or(reply.length);
    if announced.is_some_and(|length| length > capacity) {
        return Err(SpoolError::TooLarge { capacity });
    }
    let failed = |error| disk("write a file", dir, error);
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).await;
    let mut file = open.map_err(failed)?;
    let temporary = Temporary(path);
    let mut body = reply.body;
    let mut hasher = Sha256::new();
    let mut length = 0;
    let mut cut = false;
    while let Some(data) = next(&mut body).await? {
        length += data.len() as u64;
        if expected.is_some_and(|expected| length > expected) {
            cut = true;
            break;
        }
        if length > capacity {
            return Err(SpoolError::TooLarge { capacity });
        }
        // Queues the bytes; they are written while the next are hashed.
        file.write_all(&data).await.map_err(failed)?;
        hasher.update(&data);
    }
    file.flush().await.map_err(failed)?;
    Ok(Partial { temporary, digest: hasher.into(), length, cut })
}

/// The next bytes of the body.
async fn next(body: &mut crate::upstream::Body) -> Result<Option<Bytes>, SpoolError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
