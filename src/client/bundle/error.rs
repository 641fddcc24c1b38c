//! What can go wrong with a bundle.

use std::io;
use std::path::{Path, PathBuf};

use super::contents::Flaw;

/// Why a bundle cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The disk failed.
    #[error("cannot {action} {path:?}: {source}", path = path.display())]
    Disk {
        /// What was tried.
        action: &'static str,
        /// The bundle.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not what `bundle create` writes.
    #[error("{path:?} is no whole bundle of countersign: {flaw}; get it again, or make it anew", path = path.display())]
    Flawed {
        /// The bundle.
        path: PathBuf,
        /// What is wrong.
        flaw: Flaw,
    },
    /// Its description cannot be used.
    #[error("{path:?} cannot be used: {why}", path = path.display())]
    Manifest {
        /// The bundle.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl BundleError {
    pub(super) fn disk(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Disk { action, path, source }
    }
}
