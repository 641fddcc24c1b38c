//! What went wrong below, as problems: the one place where the errors of the repository and of the watcher become answers.

use crate::repository::RepositoryError;
use crate::serving::problem::{Kind, Problem, SOON};
use crate::upstream::UpstreamError;
use crate::watch::WatchError;

impl From<RepositoryError> for Problem {
    fn from(error: RepositoryError) -> Self {
        match &error {
            RepositoryError::Damaged { .. } => {
                tracing::error!(%error, "the repository cannot be read");
            }
            // A store that is away is told once, not once a request.
            error => tracing::debug!(%error, "the repository cannot be read"),
        }
        Self::unavailable("the repository cannot be read; countersign's log says why", SOON)
    }
}

impl From<WatchError> for Problem {
    fn from(error: WatchError) -> Self {
        match error {
            WatchError::Upstream(UpstreamError::Status { code: 404 | 410, .. }) => {
                Self::upstream(error.to_string())
            }
            WatchError::Upstream(error) => error.into(),
            WatchError::Repository(error) => error.into(),
            WatchError::Blocked(_) => Self::new(Kind::Blocked, error.to_string()),
            WatchError::NotReady(_) => Self::unavailable(error.to_string(), SOON),
            other => Self::upstream(other.to_string()),
        }
    }
}
