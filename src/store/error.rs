//! What can fail in the store.

use std::path::PathBuf;

use crate::config::StoreLocation;

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
    /// The client of an object store cannot be made.
    #[error(
        "cannot use the store {location}: {source}; check the variables that configure it (AWS_ENDPOINT_URL, AWS_REGION …)"
    )]
    Client {
        /// Which.
        location: Box<StoreLocation>,
        /// Why.
        source: object_store::Error,
    },
    /// An endpoint without TLS, which nobody allowed.
    #[error(
        "AWS_ENDPOINT_URL is {0}, without TLS: take one with https://, or allow it with AWS_ALLOW_HTTP=true"
    )]
    Plain(String),
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
    /// Others were creating the same name, time and again, and none of them is there.
    #[error(
        "cannot create {0} in the store: others are busy with that name, and none of them succeeded; try again"
    )]
    Busy(String),
    /// Of several creates of one name more than one succeeded.
    #[error(
        "of {racers} creates of one name at once {winners} succeeded in this store, and one may: two replicas would both \
         believe that they published, and clients would see versions with two contents. Use a store whose conditional \
         writes (If-None-Match: *) hold"
    )]
    NoExclusion {
        /// How many tried.
        racers: usize,
        /// How many were told that theirs is new.
        winners: usize,
    },
    /// Of several creates of one name none succeeded, time and again.
    #[error(
        "of {0} creates of one name at once none succeeded in this store, time and again: nothing could ever be \
         published. Check that it supports conditional writes (If-None-Match: *)"
    )]
    NobodyWins(usize),
}
