//! Why a root is not pinned, or a pin cannot be used.

use std::io;
use std::path::PathBuf;

use url::Url;

use super::RootFlaw;
use crate::tuf::Digest;

/// Stands for an index that only the damaged file knows.
pub(super) const UNKNOWN: &str = "URL";

/// What is wrong with the trust store, or with what is to go into it.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file or folder of the store.
    #[error("cannot {action} {path:?} of the trust store: {source}; --data DIR names another folder for it", path = path.display())]
    Files {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file of the store is not what was written.
    #[error(
        "{path:?} of the trust store is damaged ({why}): forget it with `countersign trust remove {index}`, and pin the root again from a \
source that you trust",
        path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
        /// The index, or a word for one that is not known.
        index: String,
    },
    /// A later version wrote it.
    #[error(
        "{path:?} was written by a newer countersign (format {format}): use that one, or forget it with `countersign trust remove {index}`",
        path = path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u64,
        /// The index, or a word for one that is not known.
        index: String,
    },
    /// Another root is trusted.
    #[error(
        "another root is pinned for {index}: its SHA-256 is {pinned}, and {given} was given. If the repository was really made anew, \
ask whoever runs it, then `countersign trust remove {index}` first"
    )]
    OtherRoot {
        /// The index.
        index: String,
        /// What is trusted.
        pinned: Digest,
        /// What was given.
        given: Digest,
    },
    /// The file is no root to begin with.
    #[error("{path:?} cannot be trusted as a root: {flaw}", path = path.display())]
    Root {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        flaw: RootFlaw,
    },
    /// Some two thousand indexes are pinned.
    #[error("no port is left for another index: forget one with `countersign trust remove URL`")]
    NoPort,
}

impl TrustError {
    /// Names the index, where it was unknown.
    pub(super) fn of(mut self, known: &Url) -> Self {
        if let Self::Damaged { index, .. } | Self::Newer { index, .. } = &mut self {
            *index = known.to_string();
        }
        self
    }
}
