//! What can go wrong with a bundle.

use std::io;
use std::path::{Path, PathBuf};

use super::contents::Flaw;
use crate::client::{ClientError, RemoteError};
use crate::index::ProjectName;
use crate::tuf::Digest;
use crate::upstream::Found;

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
    /// A device, a pipe, a folder or a link lies there, and would be replaced.
    #[error(
        "{path:?} is no regular file, and a bundle would take its place: name another",
        path = path.display()
    )]
    Occupied {
        /// Where the bundle was to lie.
        path: PathBuf,
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

/// Why no bundle was made. What lay in its place is untouched.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The repository's metadata: a check failed, or something could not be had or kept.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The bundle itself.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Projects that nobody signed.
    #[error(
        "the repository has no page of {}: look at the spelling, and whether the index has it",
        projects.iter().map(ProjectName::as_str).collect::<Vec<_>>().join(", ")
    )]
    Unknown {
        /// The projects.
        projects: Vec<ProjectName>,
    },
    /// A page that cannot be read, though it is signed.
    #[error("the signed page of {project} cannot be used: {why}")]
    Page {
        /// The project.
        project: ProjectName,
        /// Why.
        why: String,
    },
    /// A file that is not what the signed page lists.
    #[error(
        "{path} is refused: its signed page lists it with SHA-256 {expected}, and what came has {found}. Somebody changed it on the \
way, or the mirror is broken; --file GLOB can leave it out"
    )]
    Mismatch {
        /// The path that it is fetched under.
        path: String,
        /// What is signed.
        expected: Digest,
        /// What came.
        found: Found,
    },
    /// Something that is listed cannot be had.
    #[error("{path} cannot be had: {error}; --file GLOB can leave it out")]
    Unavailable {
        /// The path that it is fetched under.
        path: String,
        /// Why.
        error: RemoteError,
    },
    /// The disk failed.
    #[error("cannot {action} {path:?}: {source}", path = path.display())]
    Disk {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl CreateError {
    pub(super) fn disk(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Disk { action, path: path.to_owned(), source }
    }

    pub(super) fn unavailable(path: &str, error: RemoteError) -> Self {
        Self::Unavailable { path: path.to_owned(), error }
    }
}
