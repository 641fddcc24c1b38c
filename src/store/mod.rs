//! The object store that holds the repository: immutable objects, created if absent.
//!
//! Nothing of what must agree is ever overwritten: see [`layout`] for the names. A store is a folder of this machine, which
//! one process at a time writes to, or a bucket, which several may write to. [`Store::at`] opens either.

#[cfg(any(feature = "aws", feature = "gcp", feature = "azure"))]
mod bucket;
mod create;
mod error;
mod failpoint;
pub mod layout;
mod local;
mod open;
mod selftest;
mod tally;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use object_store::path::Path as Name;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, PutPayload};

pub use crate::config::StoreLocation;
use crate::telemetry::{StoreOperation, StoreOutcome};
pub use error::StoreError;
use tally::Tally;

/// An object store with a repository in it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// The same objects without a sync after each write.
    unsynced: Arc<dyn ObjectStore>,
    place: Arc<Place>,
    tally: Tally,
}

/// Where the objects lie.
#[derive(Debug)]
enum Place {
    /// A local folder, which one process at a time writes to.
    Folder(local::Folder),
    /// Where several processes may write.
    #[cfg_attr(not(any(feature = "aws", feature = "gcp", feature = "azure")), allow(dead_code))]
    Shared,
    /// Where a test keeps them.
    #[cfg(test)]
    Memory,
}

/// What became of a creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The object is new.
    New,
    /// An object of that name is there already; it is as it was. It may be our own: a request whose answer was lost is
    /// sent again, and then finds what it created. Who must know reads it back and compares. On a shared store it may be
    /// gone again by then, where the name is one that garbage collection frees.
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
        let underway = self.tally.begin(StoreOperation::Create);
        failpoint::here("create", name, "before");
        let created = self.create_in_order(name, bytes.into(), durable).await;
        failpoint::here("create", name, "after");
        underway.end(created)
    }

    /// Writes `name`, whether or not it exists. For advice alone.
    ///
    /// # Errors
    /// [`StoreError::Object`].
    pub async fn put(&self, name: &str, bytes: impl Into<PutPayload>) -> Result<(), StoreError> {
        let underway = self.tally.begin(StoreOperation::Put);
        failpoint::here("put", name, "before");
        let put = self.unsynced.put(&Name::from(name), bytes.into()).await;
        failpoint::here("put", name, "after");
        underway.end(put.map(drop).map_err(|source| failed("write", name, source)))
    }

    /// Writes `name` durably, whether or not it exists. For what nobody can see yet, where nobody else writes.
    ///
    /// # Errors
    /// [`StoreError::Object`].
    pub async fn replace(
        &self,
        name: &str,
        bytes: impl Into<PutPayload>,
    ) -> Result<(), StoreError> {
        let underway = self.tally.begin(StoreOperation::Put);
        let put = self.objects.put(&Name::from(name), bytes.into()).await;
        underway.end(put.map(drop).map_err(|source| failed("write", name, source)))
    }

    /// Reads `name`; `None` where it does not exist.
    ///
    /// # Errors
    /// [`StoreError::Object`].
    pub async fn read(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let underway = self.tally.begin(StoreOperation::Read);
        underway.end(self.get(name).await)
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let read = async { self.objects.get(&Name::from(name)).await?.bytes().await };
        found(read.await, "read", name)
    }

    /// When `name` was written, by the store's clock; `None` where it does not exist.
    ///
    /// # Errors
    /// [`StoreError::Object`].
    pub async fn date(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        let underway = self.tally.begin(StoreOperation::Date);
        underway.end(self.find(name).await.map(|found| found.map(|found| found.modified)))
    }

    async fn find(&self, name: &str) -> Result<Option<Listed>, StoreError> {
        let meta = self.objects.head(&Name::from(name)).await;
        Ok(found(meta, "look at", name)?.map(Listed::from))
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
        sorted(self.listed(folder, self.objects.list_with_offset(Some(&prefix), &offset))).await
    }

    /// The objects of `folder` one after the other, in no order: for folders too large for [`Store::list`].
    pub fn each(&self, folder: &str) -> BoxStream<'static, Result<Listed, StoreError>> {
        self.listed(folder, self.objects.list(Some(&Name::from(folder))))
    }

    fn listed(
        &self,
        folder: &str,
        objects: BoxStream<'static, object_store::Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<Listed, StoreError>> {
        let folder = folder.to_owned();
        // Nothing of ours lies in folders below.
        let depth = Name::from(folder.as_str()).parts().count() + 1;
        let objects = objects
            .try_filter(move |meta| std::future::ready(meta.location.parts().count() == depth));
        let mut underway = self.tally.begin(StoreOperation::List);
        underway.became(StoreOutcome::Ok);
        let listed = objects.map(move |object| {
            if object.is_err() {
                underway.became(StoreOutcome::Error);
            }
            object.map(Listed::from).map_err(|source| failed("list", &folder, source))
        });
        listed.boxed()
    }

    /// Deletes `names`; one that does not exist is no error. How many were deleted.
    ///
    /// # Errors
    /// [`StoreError::Object`]: the first that could not be deleted; others may be left.
    pub async fn delete(&self, names: Vec<String>) -> Result<u64, StoreError> {
        let underway = self.tally.begin(StoreOperation::Delete);
        underway.end(self.delete_each(names).await)
    }

    async fn delete_each(&self, names: Vec<String>) -> Result<u64, StoreError> {
        let names = stream::iter(names).map(|name| {
            failpoint::here("delete", &name, "before");
            Ok(Name::from(name))
        });
        let mut deleted = self.objects.delete_stream(names.boxed());
        let mut count = 0;
        while let Some(one) = deleted.next().await {
            match one {
                Ok(name) => {
                    failpoint::here("delete", name.as_ref(), "after");
                    count += 1;
                }
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
        let underway = self.tally.begin(StoreOperation::Sync);
        failpoint::sync("before");
        let synced = self.on_disk(local::Folder::sync).await;
        failpoint::sync("after");
        underway.end(synced)
    }

    /// Removes what was left, more than `age` ago, by writes that were cut short: files that are no objects yet, and objects of
    /// self-tests. How many.
    ///
    /// # Errors
    /// [`StoreError::Folder`], [`StoreError::Object`].
    pub async fn sweep(&self, age: Duration) -> Result<u64, StoreError> {
        let staged = self.on_disk(move |folder| folder.sweep(age)).await?;
        let now = Timestamp::now();
        let old = |test: &Listed| now.duration_since(test.modified).unsigned_abs() > age;
        let left = self.list(layout::SELF_TEST).await?.into_iter().filter(old);
        let left: Vec<_> = left.map(|test| layout::self_test(&test.name)).collect();
        Ok(staged + if left.is_empty() { 0 } else { self.delete(left).await? })
    }

    fn objects_for(&self, durable: Durable) -> &Arc<dyn ObjectStore> {
        match durable {
            Durable::Now => &self.objects,
            Durable::AtSync => &self.unsynced,
        }
    }

    /// Does `work` on the folder, where there is one.
    async fn on_disk<T: Default + Send + 'static>(
        &self,
        work: impl FnOnce(&local::Folder) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = self.place.clone();
        let work = move || match &*place {
            Place::Folder(folder) => work(folder),
            _ => Ok(T::default()),
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(source) => {
                Err(failed("work in", "the folder", object_store::Error::JoinError { source }))
            }
        }
    }
}

async fn sorted(
    objects: BoxStream<'static, Result<Listed, StoreError>>,
) -> Result<Vec<Listed>, StoreError> {
    let mut all: Vec<Listed> = objects.try_collect().await?;
    all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// What is not there is no error.
fn found<T>(
    result: object_store::Result<T>,
    action: &'static str,
    name: &str,
) -> Result<Option<T>, StoreError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(source) => Err(failed(action, name, source)),
    }
}

fn failed(action: &'static str, name: &str, source: object_store::Error) -> StoreError {
    StoreError::Object { action, name: name.into(), source }
}
