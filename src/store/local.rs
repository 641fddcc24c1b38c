//! What a local folder needs beside the objects: a lock, and care that what is seen is on the disk.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::StoreError;

/// The file that is locked.
const LOCK: &str = "lock";

/// A folder with objects in it.
#[derive(Debug)]
pub(super) struct Folder {
    pub path: PathBuf,
    /// Kept open: the kernel tells each open file once of every write that failed since it was opened.
    directory: File,
    /// Folders with a name that is perhaps not on the disk: its create failed after it became visible.
    doubtful: Mutex<BTreeSet<PathBuf>>,
    _lock: Option<File>,
}

impl Folder {
    /// Makes the folder where it is missing and takes its lock: `flock` is kept while the process is stopped and freed
    /// when it is killed.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))?;
        let lock = lock(path)?;
        let folder = Self { _lock: Some(lock), ..Self::open_to_read(path)? };
        folder.settle_all().map_err(at(path))?;
        Ok(folder)
    }

    /// Opens a folder that exists, without its lock.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let path = fs::canonicalize(path).map_err(at(path))?;
        if path.to_str().is_none() {
            let reason = io::Error::new(io::ErrorKind::InvalidInput, "its path is not UTF-8");
            return Err(at(&path)(reason));
        }
        fs::read_dir(&path).map_err(at(&path))?;
        let directory = File::open(&path).map_err(at(&path))?;
        Ok(Self { path, directory, doubtful: Mutex::default(), _lock: None })
    }

    /// Waits until the file system has everything on the disk.
    pub fn sync(&self) -> Result<(), StoreError> {
        rustix::fs::syncfs(&self.directory).map_err(|error| at(&self.path)(error.into()))?;
        self.doubtful().clear();
        Ok(())
    }

    /// Remembers that a create of `name` failed: it may be visible and yet be lost when the power goes.
    pub fn doubt(&self, name: &str) {
        let file = self.path.join(name);
        self.doubtful().insert(file.parent().unwrap_or(&self.path).into());
    }

    /// Waits until everything that was doubted is on the disk: whoever saw it may build on it next.
    pub fn settle_doubts(&self) -> Result<(), StoreError> {
        let mut doubtful = self.doubtful();
        while let Some(folder) = doubtful.first() {
            match File::open(folder).and_then(|open| open.sync_all()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(at(folder)(error));
                }
                _ => doubtful.pop_first(),
            };
        }
        Ok(())
    }

    /// Whether there is anything to settle.
    pub fn is_doubtful(&self) -> bool {
        !self.doubtful().is_empty()
    }

    fn doubtful(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.doubtful.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the object `name` and its name are on the disk: who wrote it may have failed or died before that.
    pub fn settle(&self, name: &str) -> Result<(), StoreError> {
        let file = self.path.join(name);
        let settled = File::open(&file).and_then(|open| open.sync_all());
        let parent = file.parent().unwrap_or(&self.path);
        settled.and_then(|()| File::open(parent)?.sync_all()).map_err(at(&file))
    }

    /// Waits until all names are on the disk: a process that was killed may have seen some that are not.
    fn settle_all(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                File::open(entry.path())?.sync_all()?;
            }
        }
        self.directory.sync_all()
    }

    /// Removes what writes that were cut short left, older than `age`. How many files.
    ///
    /// An object is written as `name#1`, then linked or renamed to its name; what was killed between the two lies there
    /// for ever and is never listed.
    pub fn sweep(&self, age: Duration) -> Result<u64, StoreError> {
        let before = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut removed = 0;
        for folder in fs::read_dir(&self.path).map_err(at(&self.path))? {
            let folder = folder.map_err(at(&self.path))?.path();
            if folder.is_dir() {
                removed += sweep(&folder, before).map_err(at(&folder))?;
            }
        }
        Ok(removed)
    }
}

fn sweep(folder: &Path, before: SystemTime) -> io::Result<u64> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if is_staged(&entry.file_name().to_string_lossy()) && entry.metadata()?.modified()? < before
        {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn is_staged(name: &str) -> bool {
    let number = name.rsplit_once('#').map(|(_, number)| number);
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|digit| digit.is_ascii_digit()))
}

fn lock(folder: &Path) -> Result<File, StoreError> {
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

fn at(folder: &Path) -> impl Fn(io::Error) -> StoreError {
    move |source| StoreError::Folder { folder: folder.into(), source }
}
