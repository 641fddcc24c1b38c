//! The object store that holds the repository: immutable objects, created if absent.
//!
//! Nothing of what must agree is ever overwritten: see [`layout`] for the names.

mod error;
pub mod layout;
mod local;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Name;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};

pub use error::StoreError;

/// An object store with a repository in it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// The same objects without a sync after each write.
    unsynced: Arc<dyn ObjectStore>,
    place: Arc<Place>,
}

/// Where the objects lie.
#[derive(Debug)]
enum Place {
    /// A local folder, which one process at a time writes to.
    Folder { path: PathBuf, _lock: Option<File> },
    /// Where several processes may write.
    #[allow(dead_code)]
    Shared,
}

/// What became of a creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The object is new.
    New,
    /// An object of that name is there already; it is as it was. It may be our own: the answer to an earlier try may
    /// have been lost.
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

impl From<ObjectMeta> for Listed {
    fn from(meta: ObjectMeta) -> Self {
        let name = meta.location.filename().unwrap_or_default().to_owned();
        let modified = Timestamp::from_millisecond(meta.last_modified.timestamp_millis());
        Self { name, modified: modified.unwrap_or_default() }
    }
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

    /// A store over any objects, to which one process writes.
    #[cfg(test)]
    pub(crate) fn over_objects(objects: Arc<dyn ObjectStore>) -> Self {
        let place = Arc::new(Place::Folder { path: std::env::temp_dir(), _lock: None });
        Self { unsynced: objects.clone(), objects, place }
    }

    /// A store over any objects, to which several processes write.
    #[cfg(test)]
    #[allow(dead_code)]
    pub(crate) fn over_shared(objects: Arc<dyn ObjectStore>) -> Self {
        Self { unsynced: objects.clone(), objects, place: Arc::new(Place::Shared) }
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
            place: Arc::new(Place::Folder { path: folder.into(), _lock: lock }),
        })
    }

    /// Whether other processes may write to it, too. Its dates then come from a clock that is not this machine's.
    pub fn is_shared(&self) -> bool {
        matches!(*self.place, Place::Shared)
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

    /// Writes `name` anew and durably, with what it holds already. For what nobody can see yet.
    ///
    /// # Errors
    /// [`StoreError::Object`].
    pub async fn replace(
        &self,
        name: &str,
        bytes: impl Into<PutPayload>,
    ) -> Result<(), StoreError> {
        let put = self.objects.put(&Name::from(name), bytes.into()).await;
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

    /// When `name` was written, by the store's clock; `None` where it does not exist.
    ///
    /// # Errors
    /// [`StoreError::Object`].
    pub async fn date(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        match self.objects.head(&Name::from(name)).await {
            Ok(meta) => Ok(Some(Listed::from(meta).modified)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(failed("look at", name, source)),
        }
    }

    /// What time it is, by the store's clock: the date of an object that is written for this and deleted again.
    ///
    /// # Errors
    /// [`StoreError::Object`].
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        let mut bytes = [0; 8];
        // Without randomness two processes may use one name: then both see a date of just now.
        let _ = getrandom::fill(&mut bytes);
        let name = layout::watch(&format!("clock-{}", hex::encode(bytes)));
        self.put(&name, "").await?;
        let date = self.date(&name).await?;
        self.delete(vec![name]).await?;
        Ok(date.unwrap_or_else(Timestamp::now))
    }

    /// Lists the objects of `folder`, in the order of their names.
    ///
    /// # Errors
    /// [`StoreError::Object`].
    pub async fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        sorted(self.each(folder)).await
    }

    /// Lists the objects of `folder` whose name is greater than `name`, in the order of their names. What lies before costs a
    /// shared store nothing.
    ///
    /// # Errors
    /// [`StoreError::Object`].
    pub async fn list_after(&self, folder: &str, name: &str) -> Result<Vec<Listed>, StoreError> {
        let (prefix, offset) = (Name::from(folder), Name::from(format!("{folder}/{name}")));
        sorted(listed(folder, self.objects.list_with_offset(Some(&prefix), &offset))).await
    }

    /// The objects of `folder` one after the other, in no order: for folders too large for [`Store::list`].
    pub fn each(&self, folder: &str) -> BoxStream<'static, Result<Listed, StoreError>> {
        listed(folder, self.objects.list(Some(&Name::from(folder))))
    }

    /// Deletes `names`; one that does not exist is no error. How many were deleted.
    ///
    /// # Errors
    /// [`StoreError::Object`]: the first that could not be deleted; others may be left.
    pub async fn delete(&self, names: Vec<String>) -> Result<u64, StoreError> {
        let names = stream::iter(names).map(|name| Ok(Name::from(name)));
        let mut deleted = self.objects.delete_stream(names.boxed());
        let mut count = 0;
        while let Some(one) = deleted.next().await {
            match one {
                Ok(_) => count += 1,
                Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(failed("delete", "objects", source)),
            }
        }
        Ok(count)
    }

    /// Returns when everything written before is on the disk.
    ///
    /// # Errors
    /// [`StoreError::Folder`].
    pub async fn sync(&self) -> Result<(), StoreError> {
        let Place::Folder { path, .. } = &*self.place else { return Ok(()) };
        let folder = path.clone();
        let synced = tokio::task::spawn_blocking(move || local::sync(&folder)).await;
        synced.unwrap_or_else(|error| {
            let source = std::io::Error::other(error);
            Err(StoreError::Folder { folder: path.clone(), source })
        })
    }
}

fn listed(
    folder: &str,
    objects: BoxStream<'static, object_store::Result<ObjectMeta>>,
) -> BoxStream<'static, Result<Listed, StoreError>> {
    let folder = folder.to_owned();
    objects.map_ok(Listed::from).map_err(move |source| failed("list", &folder, source)).boxed()
}

async fn sorted(
    objects: BoxStream<'static, Result<Listed, StoreError>>,
) -> Result<Vec<Listed>, StoreError> {
    let mut all: Vec<Listed> = objects.try_collect().await?;
    all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
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
        let later: Vec<_> = store.list_after(layout::JOURNAL, &names[0].name).await.unwrap();
        assert_eq!(later, names[1..]);
        assert!(store.list("timestamps").await.unwrap().is_empty());
        let both: Vec<_> = [2, 10, 11].map(layout::commit).into();
        assert!(store.date(&both[0]).await.unwrap().is_some());
        store.delete(both).await.unwrap();
        assert!(store.list(layout::JOURNAL).await.unwrap().is_empty());
        assert_eq!(store.date(&layout::commit(2)).await.unwrap(), None);
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
