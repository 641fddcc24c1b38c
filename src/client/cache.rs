//! Verified files on disk, from one process to the next.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::spool::{Spool, SpoolError};

/// The spool, in the folder of the cache.
const FILES: &str = "files";
/// Held by the one process that has it.
const LOCK: &str = "files.lock";
/// How temporary folders' names begin; the process's number and random digits follow.
const PREFIX: &str = "countersign-";

/// A spool for one process: the user's own, or a temporary one where another process has that.
pub struct FileCache {
    spool: Spool,
    /// Freed when the process ends, however it does.
    _lock: File,
    temporary: Option<PathBuf>,
}

impl FileCache {
    /// Opens the spool in `cache`, or in a temporary folder where that is in use, cannot be written, or is not there
    /// (`None`); at most `capacity` bytes are kept. Blocks.
    ///
    /// # Errors
    /// Where no folder can be made.
    pub fn open(cache: Option<&Path>, capacity: u64) -> Result<Self, SpoolError> {
        let temp = std::env::temp_dir();
        sweep(&temp);
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
        Self::aside(&temp, capacity)
    }

    /// A new folder in `temp`, for as long as this process runs. It has its name only when it is locked: see [`sweep`].
    fn aside(temp: &Path, capacity: u64) -> Result<Self, SpoolError> {
        let folder = temp.join(temporary());
        let failed = |error| SpoolError::Disk {
            action: "keep files",
            dir: folder.clone(),
            source: std::sync::Arc::new(error),
        };
        let making = folder.with_extension("new");
        DirBuilder::new().mode(0o700).create(&making).map_err(failed)?;
        let lock = lock_file(&making).map_err(failed)?;
        lock.try_lock().map_err(|error| failed(error.into()))?;
        fs::rename(&making, &folder).map_err(failed)?;
        let spool = Spool::open(&folder.join(FILES), capacity)?;
        Ok(Self { spool, _lock: lock, temporary: Some(folder) })
    }

    /// The spool.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// `None` where another process has it.
    fn locked(cache: &Path, capacity: u64) -> Result<Option<Self>, CacheError> {
        let at = |source| CacheError::Disk { path: cache.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(cache).map_err(at)?;
        let lock = lock_file(cache).map_err(at)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            Err(fs::TryLockError::Error(error)) => return Err(at(error)),
        }
        let spool = Spool::open(&cache.join(FILES), capacity)?;
        Ok(Some(Self { spool, _lock: lock, temporary: None }))
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

fn lock_file(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).open(folder.join(LOCK))
}

/// The name of a folder that nobody else has.
fn temporary() -> String {
    let mut random = [0; 8];
    // Where there is no randomness, the number of the process must do.
    let _ = getrandom::fill(&mut random);
    format!("{PREFIX}{}-{}", std::process::id(), hex::encode(random))
}

fn is_temporary(name: &str) -> bool {
    let parts = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(process, random)| {
        process.parse::<u32>().is_ok()
            && random.len() == 16
            && random.chars().all(|c| c.is_ascii_hexdigit())
    })
}

/// Removes the temporary folders in `temp` of this user's processes that were killed: their locks are free.
fn sweep(temp: &Path) {
    let own = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(temp).into_iter().flatten().flatten() {
        let folder = entry.path();
        let ours = is_temporary(&entry.file_name().to_string_lossy())
            && entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == own);
        if !ours {
            continue;
        }
        let Ok(lock) = OpenOptions::new().write(true).open(folder.join(LOCK)) else { continue };
        if lock.try_lock().is_ok()
            && let Err(error) = fs::remove_dir_all(&folder)
        {
            tracing::debug!(%error, folder = %folder.display(), "an abandoned folder stays");
        }
    }
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

    #[test]
    fn folders_of_killed_processes_are_swept() {
        let temp = tempfile::tempdir().unwrap();
        let alive = FileCache::aside(temp.path(), 100).unwrap();
        let mut killed = FileCache::aside(temp.path(), 100).unwrap();
        // So it stays when the lock is freed.
        let abandoned = killed.temporary.take().unwrap();
        sweep(temp.path());
        assert!(abandoned.is_dir());
        drop(killed);
        for name in ["countersign-work", "countersign-1-0123456789abcdeg", "other"] {
            fs::create_dir(temp.path().join(name)).unwrap();
            fs::write(temp.path().join(name).join(LOCK), "").unwrap();
        }
        sweep(temp.path());
        assert!(!abandoned.exists());
        assert!(alive.temporary.as_ref().unwrap().join(FILES).is_dir());
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 4);
    }
}
