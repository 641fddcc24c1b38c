//! What lies in the spool's folder, in the order of its use.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::OnceCell;

use super::file::{Seal, SpooledFile};
use crate::tuf::Digest;

/// Whether a file was hashed since the start; the seal that it had then, if it was right.
pub(super) type Checked = Arc<OnceCell<Option<Seal>>>;

/// How the names of unfinished and outgoing files end.
const TEMPORARY: &str = ".part";

/// One file.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Bytes.
    pub(super) length: u64,
    pub(super) checked: Checked,
    used_at: u64,
}

/// The files that are kept. Names on disk change only in its methods, under its owner's lock.
#[derive(Debug)]
pub(super) struct Shelf {
    dir: PathBuf,
    capacity: u64,
    used: u64,
    entries: HashMap<Digest, Entry>,
    /// From the least to the most recently used.
    order: BTreeMap<u64, Digest>,
    clock: u64,
}

/// Where the file with that digest lies.
pub(super) fn path(dir: &Path, digest: &Digest) -> PathBuf {
    dir.join(digest.to_string())
}

impl Shelf {
    /// Reads the folder: earlier files in the order of their last use, temporary ones removed.
    pub(super) fn open(dir: &Path, capacity: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        fs::set_permissions(dir, Permissions::from_mode(0o700))?;
        let (entries, order) = (HashMap::new(), BTreeMap::new());
        let mut shelf = Self { dir: dir.to_owned(), capacity, used: 0, entries, order, clock: 0 };
        for (_, digest, length) in shelf.scan()? {
            shelf.insert(digest, length, Checked::default());
        }
        for path in shelf.evict() {
            fs::remove_file(path)?;
        }
        Ok(shelf)
    }

    fn scan(&self) -> io::Result<Vec<(SystemTime, Digest, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !metadata.is_file() {
                continue;
            } else if name.ends_with(TEMPORARY) {
                fs::remove_file(entry.path())?;
            } else if let Some(digest) =
                name.parse().ok().filter(|d: &Digest| d.to_string() == name)
            {
                found.push((metadata.accessed()?, digest, metadata.len()));
            }
        }
        found.sort();
        Ok(found)
    }

    /// How many bytes are kept.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// The file's entry; it is the most recently used one now.
    pub(super) fn touch(&mut self, digest: &Digest) -> Option<Entry> {
        self.clock += 1;
        let entry = self.entries.get_mut(digest)?;
        self.order.remove(&entry.used_at);
        entry.used_at = self.clock;
        self.order.insert(self.clock, *digest);
        Some(entry.clone())
    }

    /// A path that nothing has.
    pub(super) fn temporary(&mut self) -> PathBuf {
        self.clock += 1;
        self.dir.join(format!("{}{TEMPORARY}", self.clock))
    }

    /// Moves a verified file, which is open as `file`, in; gives the paths of what had to go, which are to be removed.
    pub(super) fn place(
        &mut self,
        from: &Path,
        digest: Digest,
        length: u64,
        file: &SpooledFile,
    ) -> io::Result<Vec<PathBuf>> {
        fs::rename(from, path(&self.dir, &digest))?;
        self.forget(&digest);
        // After the renaming, which would break it.
        let seal = file.seal()?;
        self.insert(digest, length, Arc::new(OnceCell::new_with(Some(Some(seal)))));
        Ok(self.evict())
    }

    /// Takes the file out whose entry has that `checked`; gives the path that is to be removed.
    pub(super) fn take(&mut self, digest: &Digest, checked: &Checked) -> Option<PathBuf> {
        let entry = self.entries.get(digest)?;
        if !Arc::ptr_eq(&entry.checked, checked) {
            return None;
        }
        Some(self.move_out(digest))
    }

    fn insert(&mut self, digest: Digest, length: u64, checked: Checked) {
        self.clock += 1;
        self.used += length;
        self.order.insert(self.clock, digest);
        self.entries.insert(digest, Entry { length, checked, used_at: self.clock });
    }

    fn forget(&mut self, digest: &Digest) {
        if let Some(entry) = self.entries.remove(digest) {
            self.order.remove(&entry.used_at);
            self.used -= entry.length;
        }
    }

    /// Gets back to the capacity; gives the paths of what had to go.
    fn evict(&mut self) -> Vec<PathBuf> {
        let mut evicted = Vec::new();
        while self.used > self.capacity {
            let Some(oldest) = self.order.first_key_value().map(|(_, digest)| *digest) else {
                break;
            };
            evicted.push(self.move_out(&oldest));
        }
        evicted
    }

    /// Forgets a file and gives it a temporary name: to remove it may take long, and is for later.
    fn move_out(&mut self, digest: &Digest) -> PathBuf {
        self.forget(digest);
        let (path, outgoing) = (path(&self.dir, digest), self.temporary());
        match fs::rename(&path, &outgoing) {
            Ok(()) => outgoing,
            Err(_) => path,
        }
    }
}
