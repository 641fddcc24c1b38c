//! What can fail in the repository.

use crate::signer::SignerError;
use crate::store::StoreError;
use crate::tuf::MetadataError;
use crate::tuf::canonical::CanonicalError;

use super::roles::RolesError;

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
    /// Too few of the loaded keys may sign an online role.
    #[error("{}", unauthorized(role, *needed, expected))]
    Unauthorized {
        /// The role.
        role: String,
        /// How many must.
        needed: u64,
        /// The key ids that may.
        expected: String,
    },
    /// A new root is under way, and too few of the loaded keys may sign under it.
    #[error(
        "root {root} is about to be published, and too few of the loaded keys may sign {role} under it: nothing is signed before          {needed} of {expected} are loaded"
    )]
    Awaited {
        /// Its version.
        root: u64,
        /// The role.
        role: String,
        /// How many must.
        needed: u64,
        /// The key ids that may.
        expected: String,
    },
    /// New versions of root, targets or bins cannot be published.
    #[error(transparent)]
    Roles(#[from] RolesError),
    /// The bins would grow past what clients take.
    #[error(
        "{role} would have {bytes} bytes, more than clients take: publish a new version of bins with more bins \
         (`countersign bins draft --bins`)"
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
    /// The clock cannot be right.
    #[error(
        "the clock of this machine seems wrong: it says {now:.0}, while {what} says {other:.0}. Nothing is signed until that is \
         mended; where the clock is right, set store.clock = \"trust\" until the other has caught up"
    )]
    Clock {
        /// This machine's.
        now: jiff::Timestamp,
        /// What contradicts it.
        what: &'static str,
        /// Its time.
        other: jiff::Timestamp,
    },
    /// The store knows less than this process: it was put back to an earlier state.
    #[error(
        "the store has no {what} {known} any more, which was published: it seems to have been put back to an earlier state. \
         Nothing is signed; stop all writers, then run `countersign restore --advance`"
    )]
    Ahead {
        /// `commit` or `timestamp`.
        what: &'static str,
        /// Its number.
        known: u64,
    },
    /// A look at the upstream began before a commit that changed the same project was read.
    #[error("{project} was changed by commit {commit} while it was looked at: look again")]
    Stale {
        /// The project.
        project: crate::index::ProjectName,
        /// The commit.
        commit: u64,
    },
    /// A look at the store is not answered.
    #[error("the store does not answer; what is in memory is served until it does")]
    Lost,
    /// Looks at the store take longer than half the grace period.
    #[error(
        "looks at the store take longer than half of store.grace: what they find may be gone before a client has it. Find out \
         why the store is slow, or lengthen store.grace"
    )]
    Slow,
    /// Other writers came first, again and again.
    #[error("other replicas published first, {0} times in a row: the store is busy")]
    Contended(usize),
    /// The publisher has ended.
    #[error("the publisher has stopped")]
    Stopped,
}

fn unauthorized(role: &str, needed: u64, expected: &str) -> String {
    match needed {
        1 => format!(
            "none of the loaded keys may sign {role}: the trust root names {expected}; load the online key that it names"
        ),
        needed => format!(
            "too few of the loaded keys may sign {role}: {needed} must of those that the trust root names, {expected}; load the \
             online keys that it names"
        ),
    }
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
    /// Whether a key is away that may be back soon: what is to be published waits for it.
    pub fn is_wait(&self) -> bool {
        matches!(self, Self::Signer(error) if error.is_temporary())
    }

    /// The same, of a root that is about to be published.
    pub(super) fn awaiting(self, root: u64) -> Self {
        match self {
            Self::Unauthorized { role, needed, expected } => {
                Self::Awaited { root, role, needed, expected }
            }
            other => other,
        }
    }

    /// `object` is not what it should be.
    pub(crate) fn damaged(object: impl Into<String>, reason: impl ToString) -> Self {
        Self::Damaged { object: object.into(), reason: reason.to_string() }
    }

    /// `object` holds metadata that does not count.
    pub(crate) fn metadata(object: &str) -> impl FnOnce(MetadataError) -> Self + '_ {
        move |error| Self::damaged(object, error)
    }
}
