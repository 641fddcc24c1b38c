//! Why a client does not trust what a repository sent (TUF specification, section 5).

use std::fmt;

use super::{Expiry, MetadataError};

/// The most characters that are said of a flaw: much of the text comes from the metadata itself.
const LONGEST: usize = 600;

/// A check that failed, and on what. It reads as one line of bounded length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distrust {
    /// The role (`timestamp`, `bins-0f`) or target path.
    pub what: String,
    /// What is wrong with it.
    pub flaw: Flaw,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}: {}", self.what, self.flaw);
        let mut rest = text.chars();
        let shown: String = rest.by_ref().take(LONGEST).map(shown).collect();
        let more = if rest.next().is_some() { "…" } else { "" };
        write!(f, "{shown}{more}")
    }
}

/// Nothing that a terminal would act on.
fn shown(c: char) -> char {
    if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }
}

impl std::error::Error for Distrust {}

/// The check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Not metadata of the role that was asked for.
    #[error("it cannot be read as metadata: {0}")]
    Malformed(String),
    /// A version of the specification that may mean something else.
    #[error("its spec_version is {0:?}, this client knows 1.x")]
    SpecVersion(String),
    /// Too few valid signatures (5.3.4, 5.4.2, 5.5.3, 5.6.3).
    #[error(
        "it is signed by {found} of the {needed} trusted keys that it needs (arbitrary software attack, or keys were changed without a new root)"
    )]
    Threshold {
        /// Valid signatures by different keys.
        found: u64,
        /// The threshold.
        needed: u64,
    },
    /// Too few valid signatures, and a key of those that may sign cannot be used.
    #[error("it is signed by {found} of the {needed} trusted keys that it needs, and {why}")]
    UnusableKey {
        /// Valid signatures by different keys.
        found: u64,
        /// The threshold.
        needed: u64,
        /// Why the key cannot be used.
        why: String,
    },
    /// The delegating role does not know it.
    #[error("no trusted role delegates to it")]
    NotDelegated,
    /// A lower version than was trusted before (5.4.3, 5.5.5).
    #[error(
        "version {found} is older than version {trusted}, which was seen before (rollback attack)"
    )]
    Rollback {
        /// What was trusted.
        trusted: u64,
        /// What came.
        found: u64,
    },
    /// Another version than the role above names (5.3.5, 5.5.4, 5.6.4).
    #[error("it is version {found}, and version {expected} was announced (mix-and-match attack)")]
    Version {
        /// What was announced.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// It has expired (5.3.10, 5.4.4, 5.5.6, 5.6.5).
    #[error(
        "it expired at {0}: nothing newer was signed, or it is withheld (freeze attack); if it should be valid, check this machine's clock"
    )]
    Expired(Expiry),
    /// The length differs from what is signed.
    #[error("it is {found} bytes long, and {expected} bytes are signed")]
    Length {
        /// What is signed.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// More bytes came than may.
    #[error("it is longer than {limit} bytes (endless data attack)")]
    TooLong {
        /// The limit, bytes.
        limit: u64,
    },
    /// A hash differs from what is signed (5.5.2, 5.6.2, 5.7.3).
    #[error("its {algorithm} is {found}, and {expected} is signed")]
    Hash {
        /// The algorithm.
        algorithm: String,
        /// What is signed.
        expected: String,
        /// What came.
        found: String,
    },
    /// No hash that this client can compute is signed.
    #[error("none of its hashes can be checked: {0}")]
    NoHash(String),
    /// An entry that the snapshot had is gone (5.5.5), or one that it needs is not there.
    #[error("the snapshot does not list it")]
    NotListed,
    /// It is what was signed as another bin: the same keys sign all of them, and versions may be equal.
    #[error("it is another bin's metadata, of {0:?} (mix-and-match attack)")]
    AnotherBin(String),
    /// Delegations go too deep, or in too many steps.
    #[error("the search visited {limit} roles without an answer")]
    TooManyRoles {
        /// The limit.
        limit: usize,
    },
    /// More new roots than are taken at once.
    #[error("more than {limit} new versions of it")]
    TooManyRoots {
        /// The limit.
        limit: u64,
    },
}

impl Flaw {
    /// The flaw, on `what`.
    pub fn of(self, what: impl Into<String>) -> Distrust {
        Distrust { what: what.into(), flaw: self }
    }

    /// One word for logs and answers.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::SpecVersion(_) => "spec-version",
            Self::Threshold { .. } | Self::UnusableKey { .. } => "signature",
            Self::NotDelegated => "not-delegated",
            Self::Rollback { .. } => "rollback",
            Self::Version { .. } => "version",
            Self::Expired(_) => "expired",
            Self::Length { .. } => "length",
            Self::TooLong { .. } => "too-long",
            Self::Hash { .. } => "hash",
            Self::NoHash(_) => "no-hash",
            Self::NotListed => "not-listed",
            Self::AnotherBin(_) => "bin",
            Self::TooManyRoles { .. } => "delegations",
            Self::TooManyRoots { .. } => "roots",
        }
    }
}

impl From<MetadataError> for Flaw {
    fn from(error: MetadataError) -> Self {
        match error {
            MetadataError::Malformed { source, .. } => Self::Malformed(source.to_string()),
            MetadataError::Canonical(error) => Self::Malformed(error.to_string()),
            MetadataError::Threshold { found, needed, .. } => Self::Threshold { found, needed },
            MetadataError::UnusableKey { found, needed, why, .. } => {
                Self::UnusableKey { found, needed, why }
            }
            MetadataError::NotDelegated(_) => Self::NotDelegated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_does_not_write_on_the_terminal() {
        let error = Flaw::NotListed.of("role\n\u{1b}[2J\u{7}");
        assert_eq!(
            error.to_string(),
            "role\u{fffd}\u{fffd}[2J\u{fffd}: the snapshot does not list it"
        );
        let error = Flaw::NoHash("x".repeat(1_000_000)).of("role");
        assert_eq!(error.to_string().chars().count(), LONGEST + 1);
    }
}
