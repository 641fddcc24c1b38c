//! Opening a store.

use std::path::Path;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

#[cfg(any(feature = "aws", feature = "gcp", feature = "azure"))]
use super::bucket;
use super::local::Folder;
use super::tally::Tally;
use super::{Place, Store, StoreError};
use crate::config::StoreLocation;
use crate::telemetry::Metrics;

impl Store {
    /// Opens the store at `location` to write to it. A folder is made where it is missing, and its lock is taken; the
    /// lock is freed with the last clone, and by the end of the process however it ends. A bucket is not asked for
    /// anything yet.
    ///
    /// # Errors
    /// [`StoreError::Folder`], [`StoreError::Locked`] where another process has it, [`StoreError::Client`] and
    /// [`StoreError::Plain`] where the environment is not right.
    pub fn at(location: &StoreLocation) -> Result<Self, StoreError> {
        match location {
            StoreLocation::Folder(path) => Self::open(path),
            StoreLocation::Bucket { .. } => Self::shared(location),
        }
    }

    /// Opens the store at `location` to read it, beside whoever writes to it.
    ///
    /// # Errors
    /// As [`Store::at`], and [`StoreError::Folder`] where there is no such folder.
    pub fn at_to_read(location: &StoreLocation) -> Result<Self, StoreError> {
        match location {
            StoreLocation::Folder(path) => Self::open_to_read(path),
            StoreLocation::Bucket { .. } => Self::shared(location),
        }
    }

    /// As [`Store::at`], of a folder.
    ///
    /// # Errors
    /// [`StoreError::Folder`], or [`StoreError::Locked`] where another process has it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::over_folder(Folder::open(folder)?)
    }

    /// As [`Store::at_to_read`], of a folder.
    ///
    /// # Errors
    /// [`StoreError::Folder`] where there is no such folder.
    pub fn open_to_read(folder: &Path) -> Result<Self, StoreError> {
        Self::over_folder(Folder::open_to_read(folder)?)
    }

    /// The same store; its operations are counted in `metrics`.
    pub fn with_metrics(self, metrics: Arc<Metrics>) -> Self {
        Self { tally: Tally(Some(metrics)), ..self }
    }

    /// A store over any objects, to which one process writes.
    #[cfg(test)]
    pub(crate) fn over_objects(objects: Arc<dyn ObjectStore>) -> Self {
        Self::over(objects.clone(), objects, Place::Memory)
    }

    /// A store over any objects, to which several processes write.
    #[cfg(test)]
    #[allow(dead_code)]
    pub(crate) fn over_shared(objects: Arc<dyn ObjectStore>) -> Self {
        Self::over(objects.clone(), objects, Place::Shared)
    }

    #[cfg(not(any(feature = "aws", feature = "gcp", feature = "azure")))]
    fn shared(location: &StoreLocation) -> Result<Self, StoreError> {
        Err(not_built(location))
    }

    #[cfg(any(feature = "aws", feature = "gcp", feature = "azure"))]
    fn shared(location: &StoreLocation) -> Result<Self, StoreError> {
        let objects = bucket::open(location)?;
        Ok(Self::over(objects.clone(), objects, Place::Shared))
    }

    fn over_folder(folder: Folder) -> Result<Self, StoreError> {
        let files = || {
            LocalFileSystem::new_with_prefix(&folder.path).map_err(|error| StoreError::Folder {
                folder: folder.path.clone(),
                source: std::io::Error::other(error),
            })
        };
        let (synced, unsynced) = (files()?.with_fsync(true), files()?);
        Ok(Self::over(Arc::new(synced), Arc::new(unsynced), Place::Folder(folder)))
    }

    fn over(objects: Arc<dyn ObjectStore>, unsynced: Arc<dyn ObjectStore>, place: Place) -> Self {
        Self { objects, unsynced, place: Arc::new(place), tally: Tally::default() }
    }
}

/// A location that this build has no client for is refused when it is read.
pub(super) fn not_built(location: &StoreLocation) -> StoreError {
    let source = object_store::Error::NotImplemented {
        operation: "a client".into(),
        implementer: "this build".into(),
    };
    StoreError::Client { location: Box::new(location.clone()), source }
}
