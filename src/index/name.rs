//! Normalized project names (PEP 503).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A project name in its normalized form (PEP 503): lower case, runs of `-`, `_` and `.` are one `-`.
///
/// Only names that PEP 508 allows (ASCII letters, digits, `-`, `_`, `.`; first and last
/// a letter or a digit) can be made, so that a name is always one safe path segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProjectName(String);

/// Why a text is no project name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a project name: use ASCII letters, digits, '-', '_' and '.', with a letter or digit at both ends (PEP 508)"
)]
pub struct NameError(String);

/// The longest name that is accepted, in bytes. Longer ones exist on no index and make paths
/// that file systems refuse.
pub(super) const LONGEST: usize = 200;

impl ProjectName {
    /// Normalizes `name`.
    ///
    /// # Errors
    /// [`NameError`] when PEP 508 does not allow the name, or it is longer than 200 bytes.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let bytes = name.as_bytes();
        let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        let inner = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if bytes.len() > LONGEST
            || !edge(bytes.first())
            || !edge(bytes.last())
            || !bytes.iter().all(inner)
        {
            return Err(NameError(name.chars().take(LONGEST).collect()));
        }
        let mut normalized = String::with_capacity(name.len());
        for c in name.chars() {
            match c {
                '-' | '_' | '.' if normalized.ends_with('-') => {}
                '-' | '_' | '.' => normalized.push('-'),
                c => normalized.push(c.to_ascii_lowercase()),
            }
        }
        Ok(Self(normalized))
    }

    /// The normalized name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ProjectName {
    type Error = NameError;
    fn try_from(name: String) -> Result<Self, NameError> {
        Self::parse(&name)
    }
}

impl From<ProjectName> for String {
    fn from(name: ProjectName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalizes_as_pep_503_does() {
        for (raw, normal) in [("Foo.Bar", "foo-bar"), ("a__-.b", "a-b"), ("x", "x"), ("A1", "a1")] {
            assert_eq!(ProjectName::parse(raw).unwrap().as_str(), normal);
        }
    }

    #[test]
    fn refuses_what_is_no_name() {
        for raw in ["", "-a", "a-", "a/b", "..", "a b", "é", "a%2f"] {
            assert!(ProjectName::parse(raw).is_err(), "{raw}");
        }
    }
}
