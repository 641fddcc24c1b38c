//! Why there is no going back.

use super::super::RepositoryError;

/// Why nothing was recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The newest state cannot be read, or nothing can be published.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The good state is not whole.
    #[error(
        "{object} of the good state is not there: garbage collection takes what was superseded. Name a copy of the store that has it \
         with --from"
    )]
    Gone {
        /// Which object.
        object: String,
    },
    /// The copy is another repository's.
    #[error(
        "the copy that --from names is of another repository: its root/1.root.json is not the one of this store"
    )]
    Another,
    /// The snapshot was never published.
    #[error(
        "snapshot {version} was never published: {reason}. `countersign log --json` tells which were"
    )]
    Unpublished {
        /// Its version.
        version: u64,
        /// How that shows.
        reason: String,
    },
    /// No root of this repository vouches for it.
    #[error("no root of this repository vouches for {object}: it is not the good state")]
    Unsigned {
        /// Which object.
        object: String,
    },
    /// The snapshot is newer than the newest.
    #[error(
        "snapshot {version} is newer than the newest one here, {newest}: name the last one that is known to be good"
    )]
    NotOlder {
        /// The version that was named.
        version: u64,
        /// The newest.
        newest: u64,
    },
    /// There are no higher numbers.
    #[error(
        "version {version} of {role} is so near the end of the numbers that clients can hold that nothing can follow it. Put back a copy \
         of the store from before it, publish the root with the new online key there, then run `countersign restore --advance --past N`, \
         N being the highest version that clients may have seen and accept under that root"
    )]
    NoRoom {
        /// The role.
        role: String,
        /// Its version.
        version: u64,
    },
}
