//! Why a repository's word is not taken, or cannot be had.

use std::path::PathBuf;
use std::sync::Arc;

use super::RemoteError;
use crate::tuf::Distrust;

/// What went wrong on the way to something verified.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// A check of the TUF specification failed: whoever sent this must not be believed.
    #[error(transparent)]
    Distrust(#[from] Distrust),
    /// It could not be had; nothing is known of it.
    #[error(transparent)]
    Unavailable(#[from] RemoteError),
    /// Trusted metadata could not be read or kept.
    #[error("cannot {action} {path:?}: {source}", path = path.display())]
    State {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: Arc<std::io::Error>,
    },
    /// Verified metadata says that there is no such target.
    #[error("{}: the verified metadata of the repository has no such target", path.escape_debug())]
    NoTarget {
        /// Its path.
        path: String,
    },
    /// What is stored is not enough to go on without the repository.
    #[error("there is no verified {role} in {path:?} yet, and the repository cannot be reached", path = path.display())]
    Incomplete {
        /// The folder.
        path: PathBuf,
        /// The first role that is missing.
        role: &'static str,
    },
    /// Other processes kept writing the state.
    #[error("{path:?} was changed by other processes again and again: try later, or give this process a folder of its own", path = path.display())]
    Contended {
        /// The folder.
        path: PathBuf,
    },
    /// The trusted root itself is not what was written.
    #[error(
        "the trusted root in {path:?} is damaged ({flaw}): begin again with a root from a source that you trust; `countersign trust \
remove` forgets a pinned one, with all that was trusted under it",
        path = path.display()
    )]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        flaw: Distrust,
    },
    /// There is no trusted root to begin with.
    #[error("there is no trusted root in {path:?}: {why}", path = path.display())]
    NoRoot {
        /// The folder.
        path: PathBuf,
        /// What to do.
        why: &'static str,
    },
}

impl ClientError {
    /// Whether a check failed, as against something that could not be had or kept.
    pub fn is_distrust(&self) -> bool {
        matches!(self, Self::Distrust(_))
    }
}
