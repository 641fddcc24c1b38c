//! What a local folder needs beside the objects: a lock, and one sync for many writes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use super::StoreError;

/// The file that is locked.
const LOCK: &str = "lock";

pub(super) fn make_folder(folder: &Path) -> Result<(), StoreError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))
}

/// Takes the lock: `flock` is kept while the process is stopped and freed when it is killed.
pub(super) fn lock(folder: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK))
        .map_err(at(folder))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(folder.into())),
        Err(TryLockError::Error(error)) => Err(at(folder)(error)),
    }
}

/// Waits until the file system of `folder` has everything on the disk.
pub(super) fn sync(folder: &Path) -> Result<(), StoreError> {
    let opened = File::open(folder).map_err(at(folder))?;
    rustix::fs::syncfs(&opened).map_err(|error| at(folder)(error.into()))
}

fn at(folder: &Path) -> impl Fn(std::io::Error) -> StoreError {
    move |source| StoreError::Folder { folder: folder.into(), source }
}
