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
