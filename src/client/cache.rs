//! Verified files on disk, from one process to the next.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::spool::{Spool, SpoolError};

/// The spool, in the folder of the cache.
const FILES: &str = "files";
/// Held by the one process that has it.
const LOCK: &str = "files.lock";

/// A spool for one process: the user's own, or a temporary one where another process has that.
pub struct FileCache {
    spool: Spool,
    /// Freed when the process ends, however it does.
    _lock: Option<File>,
    temporary: Option<PathBuf>,
}

impl FileCache {
    /// Opens the spool in `cache`, or in a temporary folder where that is in use, cannot be written, or is not there
    /// (`None`); at most `capacity` bytes are kept. Blocks.
    ///
    /// # Errors
    /// Where no folder can be made.
    pub fn open(cache: Option<&Path>, capacity: u64) -> Result<Self, SpoolError> {
        match cache.map(|cache| Self::locked(cache, capacity)) {
            Some(Ok(Some(own))) => return Ok(own),
            Some(Ok(None)) => {
                tracing::info!(
                    "another process has the cache of verified files: this one keeps its own, for as long as it runs"
                );
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "the cache of verified files cannot be used: files are kept for as long as this process runs");
            }
            None => {}
        }
        let folder = temporary();
        let spool = Spool::open(&folder, capacity)?;
        Ok(Self { spool, _lock: None, temporary: Some(folder) })
    }

    /// The spool.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// `None` where another process has it.
    fn locked(cache: &Path, capacity: u64) -> Result<Option<Self>, CacheError> {
        let at = |source| CacheError::Disk { path: cache.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(cache).map_err(at)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(cache.join(LOCK)).map_err(at)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            Err(fs::TryLockError::Error(error)) => return Err(at(error)),
        }
        let spool = Spool::open(&cache.join(FILES), capacity)?;
        Ok(Some(Self { spool, _lock: Some(lock), temporary: None }))
    }
}

impl Drop for FileCache {
    fn drop(&mut self) {
        if let Some(folder) = &self.temporary
            && let Err(error) = fs::remove_dir_all(folder)
        {
            tracing::warn!(%error, folder = %folder.display(), "a temporary folder is left behind");
        }
    }
}

/// Why the user's own cache cannot be used.
#[derive(Debug, thiserror::Error)]
enum CacheError {
    #[error("{path:?}: {source}", path = path.display())]
    Disk { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// A folder that nobody else has.
fn temporary() -> PathBuf {
    let mut random = [0; 8];
    // Where there is no randomness, the number of the process must do.
    let _ = getrandom::fill(&mut random);
    let name = format!("countersign-{}-{}", std::process::id(), hex::encode(random));
    std::env::temp_dir().join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_process_has_a_folder_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let first = FileCache::open(Some(dir.path()), 100).unwrap();
        assert!(dir.path().join("files").is_dir() && first.temporary.is_none());
        let second = FileCache::open(Some(dir.path()), 100).unwrap();
        let folder = second.temporary.clone().unwrap();
        assert!(folder.is_dir() && !folder.starts_with(dir.path()));
        drop(second);
        assert!(!folder.exists());
        drop(first);
        assert!(FileCache::open(Some(dir.path()), 100).unwrap().temporary.is_none());
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_done_without() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(FileCache::open(Some(&file), 100).unwrap().temporary.is_some());
        assert!(FileCache::open(None, 100).unwrap().temporary.is_some());
    }
}
