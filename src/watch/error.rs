//! Why a look came to nothing.

use crate::index::ProjectName;
use crate::repository::RepositoryError;
use crate::upstream::UpstreamError;

/// Why a project, or the project list, could not be looked at.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WatchError {
    /// The mirror failed.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// What the mirror sent is no page of the project, or no project list.
    #[error("what {url} answered cannot be used: {why}")]
    Page {
        /// What was asked for.
        url: String,
        /// Why not.
        why: String,
    },
    /// The repository failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The operator blocked the project.
    #[error("{0} is blocked by the operator; `countersign block --undo {0}` takes that back")]
    Blocked(ProjectName),
    /// The mirror gives no hashes, and not one file has been fetched and hashed yet.
    #[error("the files of {0} are being fetched to be hashed: ask again a little later")]
    NotReady(ProjectName),
    /// The mirror wants a login from everybody.
    #[error(
        "the mirror wants a login ({0}). To serve what a login may read to everybody who reaches countersign, set \
         upstream.credentials and access = \"open\""
    )]
    LoginWanted(UpstreamError),
    /// The configured login is refused.
    #[error("the mirror refuses the login of upstream.credentials ({0}): check user and password")]
    LoginRefused(UpstreamError),
    /// There is a login, and nobody said that what it may read may be served to all.
    #[error(
        "a login for the mirror is configured: what it may read would be served to everybody who reaches \
         countersign. Set access = \"open\" if that is meant, or remove upstream.credentials"
    )]
    NotOpen,
    /// The mirror fails so often, or wants so much rest, that it is left alone for now.
    #[error("the mirror does not answer; it is left alone until the next poll")]
    Down,
    /// The process is stopping.
    #[error("countersign is stopping")]
    Stopping,
}
