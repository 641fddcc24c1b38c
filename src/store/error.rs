//! What can fail in the store.

use std::path::PathBuf;

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
