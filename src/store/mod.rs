//! The object store that holds the repository: immutable objects, created if absent.
//!
//! Nothing of what must agree is ever overwritten: see [`layout`] for the names.

pub mod layout;
mod local;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use jiff::Timestamp;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Name;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};

/// An object store with a repository in it.
#[derive(Debug, Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// The same objects without a sync after each write.
    unsynced: Arc<dyn ObjectStore>,
    folder: PathBuf,
    _lock: Option<Arc<File>>,
}

/// What became of a creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The object is new.
    New,
    /// An object of that name is there already; it is as it was.
    Taken,
}

/// When a write must have reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// Before the call returns.
    Now,
    /// Before the next [`Store::sync`] returns.
    AtSync,
}

/// One listed object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name below the listed folder.
    pub name: String,
    /// When the store wrote it, by the store's clock.
    pub modified: Timestamp,
}

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be used.
    #[error("cannot use the folder {folder}: {source}; check that it exists and may be written")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has the lock.
    #[error(
        "{0} is in use by another countersign process: stop it first, or choose another --data"
    )]
    Locked(PathBuf),
    /// One operation failed.
    #[error("cannot {action} {name} in the store: {source}")]
    Object {
        /// `read`, `create` …
        action: &'static str,
        /// Which object.
        name: String,
        /// Why.
        source: object_store::Error,
    },
}

impl Store {
    /// Opens the store in `folder`, making it where it is missing, and takes its lock; the lock is
    /// freed with the last clone, and by the end of the process however it ends.
    ///
    /// # Errors
    /// [`StoreError::Folder`], or [`StoreError::Locked`] where another process has it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        local::make_folder(folder)?;
        let lock = local::lock(folder)?;
        Self::over(folder, Some(lock))
    }

    /// Opens the store in `folder` to read it, beside whoever has the lock.
    ///
    /// # Errors
    /// [`StoreError::Folder`] where there is no such folder.
    pub fn open_to_read(folder: &Path) -> Result<Self, StoreError> {
        let found = std::fs::read_dir(folder);
        found.map_err(|source| StoreError::Folder { folder: folder.into(), source })?;
        Self::over(folder, None)
    }

    /// A store over any objects.
    #[cfg(test)]
    pub(crate) fn over_objects(objects: Arc<dyn ObjectStore>) -> Self {
        Self { unsynced: objects.clone(), objects, folder: std::env::temp_dir(), _lock: None }
    }

    fn over(folder: &Path, lock: Option<File>) -> Result<Self, StoreError> {
        let files = || {
            LocalFileSystem::new_with_prefix(folder).map_err(|error| StoreError::Folder {
                folder: folder.into(),
                source: std::io::Error::other(error),
            })
        };
        Ok(Self {
            objects: Arc::new(files()?.with_fsync(true)),
            unsynced: Arc::new(files()?),
            folder: folder.into(),
            _lock: lock.map(Arc::new),
        })
    }

    /// Creates `name` if it is absent. Where it is there already it stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Object`]; the object may or may not exist then.
    pub async fn create(
        &self,
        name: &str,
        bytes: impl Into<PutPayload>,
        durable: Durable,
    ) -> Result<Created, StoreError> {
        let objects = match durable {
            Durable::Now => &self.objects,
            Durable::AtSync => &self.unsynced,
        };
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match objects.put_opts(&Name::from(name), bytes.into(), options).await {
            Ok(_) => Ok(Created::New),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Created::Taken),
            Err(source) => Err(failed("create", name, source)),
        }
    }

    /// Writes `name`, whether or not it exists. For advice alone.
    ///
    /// # Errors
    /// [`StoreError::Object`].
    pub async fn put(&self, name: &str, bytes: impl Into<PutPayload>) -> Result<(), StoreError> {
        let put = self.unsynced.put(&Name::from(name), bytes.into()).await;
        put.map(drop).map_err(|source| failed("write", name, source))
    }

    /// Reads `name`; `None` where it does not exist.
    ///
    /// # Errors
    /// [`StoreError::Object`].
    pub async fn read(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let read = async { self.objects.get(&Name::from(name)).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(failed("read", name, source)),
        }
    }

    /// Lists the objects of `folder`, in the order of their names.
    ///
    /// # Errors
    /// [`StoreError::Object`].
    pub async fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        let listed = self.objects.list(Some(&Name::from(folder)));
        let mut listed: Vec<Listed> = listed
            .map_ok(|meta| Listed {
                name: meta.location.filename().unwrap_or_default().to_owned(),
                modified: Timestamp::from_second(meta.last_modified.timestamp())
                    .unwrap_or_default(),
            })
            .try_collect()
            .await
            .map_err(|source| failed("list", folder, source))?;
        listed.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// Returns when everything written before is on the disk.
    ///
    /// # Errors
    /// [`StoreError::Folder`].
    pub async fn sync(&self) -> Result<(), StoreError> {
        let folder = self.folder.clone();
        let synced = tokio::task::spawn_blocking(move || local::sync(&folder)).await;
        synced.unwrap_or_else(|error| {
            Err(StoreError::Folder {
                folder: self.folder.clone(),
                source: std::io::Error::other(error),
            })
        })
    }
}

fn failed(action: &'static str, name: &str, source: object_store::Error) -> StoreError {
    StoreError::Object { action, name: name.into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn creates_once_reads_and_lists() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for durable in [Durable::Now, Durable::AtSync] {
            let name = layout::commit(if durable == Durable::Now { 2 } else { 10 });
            assert_eq!(store.create(&name, "a", durable).await.unwrap(), Created::New);
            assert_eq!(store.create(&name, "b", durable).await.unwrap(), Created::Taken);
            assert_eq!(store.read(&name).await.unwrap().unwrap(), "a");
        }
        store.sync().await.unwrap();
        assert_eq!(store.read("journal/none.json").await.unwrap(), None);
        let names: Vec<_> = store.list(layout::JOURNAL).await.unwrap();
        let numbers: Vec<_> = names.iter().map(|l| layout::number(&l.name)).collect();
        assert_eq!(numbers, [Some(2), Some(10)]);
        assert!(store.list("timestamps").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn of_eight_creators_one_wins() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let racers = (0..8).map(|n| {
            let store = store.clone();
            async move { store.create("journal/1.json", n.to_string(), Durable::Now).await.unwrap() }
        });
        let won = futures::future::join_all(racers).await;
        assert_eq!(won.iter().filter(|c| **c == Created::New).count(), 1);
    }

    #[test]
    fn a_second_opener_is_refused_until_the_first_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let error = Store::open(folder.path()).unwrap_err();
        assert!(matches!(error, StoreError::Locked(_)), "{error}");
        assert!(Store::open_to_read(folder.path()).is_ok());
        drop(store);
        assert!(Store::open(folder.path()).is_ok());
    }
}
