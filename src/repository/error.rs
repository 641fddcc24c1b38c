//! What can fail in the repository.

use crate::signer::SignerError;
use crate::store::StoreError;
use crate::tuf::MetadataError;
use crate::tuf::canonical::CanonicalError;

/// Why the repository cannot be read or changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RepositoryError {
    /// There is none.
    #[error("there is no repository here: run `countersign init` first")]
    Missing,
    /// The store failed.
    #[error(transparent)]
    Store(std::sync::Arc<StoreError>),
    /// A key cannot be used.
    #[error(transparent)]
    Signer(std::sync::Arc<SignerError>),
    /// An object is not what the published state says.
    #[error("{object} in the store is damaged: {reason}; restore it from a copy")]
    Damaged {
        /// Which object.
        object: String,
        /// What is wrong.
        reason: String,
    },
    /// No loaded key may sign an online role.
    #[error(
        "none of the loaded keys may sign {role}: the trust root names {expected}; load the online key that it names"
    )]
    Unauthorized {
        /// The role.
        role: String,
        /// The key ids that may.
        expected: String,
    },
    /// The bins would grow past what clients take.
    #[error(
        "{role} would have {bytes} bytes, more than clients take: make a new repository with more bins"
    )]
    TooLarge {
        /// The role.
        role: String,
        /// Its size.
        bytes: usize,
    },
    /// An offline role expires, or the clock is far off.
    #[error("{role} would be signed with an expiry in the past: check the clock")]
    Expired {
        /// The role.
        role: String,
    },
    /// The publisher has ended.
    #[error("the publisher has stopped")]
    Stopped,
}

impl From<StoreError> for RepositoryError {
    fn from(error: StoreError) -> Self {
        Self::Store(std::sync::Arc::new(error))
    }
}

impl From<SignerError> for RepositoryError {
    fn from(error: SignerError) -> Self {
        Self::Signer(std::sync::Arc::new(error))
    }
}

impl From<CanonicalError> for RepositoryError {
    fn from(error: CanonicalError) -> Self {
        SignerError::from(error).into()
    }
}

impl RepositoryError {
    /// `object` is not what it should be.
    pub(crate) fn damaged(object: impl Into<String>, reason: impl ToString) -> Self {
        Self::Damaged { object: object.into(), reason: reason.to_string() }
    }

    /// `object` holds metadata that does not count.
    pub(crate) fn metadata(object: &str) -> impl FnOnce(MetadataError) -> Self + '_ {
        move |error| Self::damaged(object, error)
    }
}
