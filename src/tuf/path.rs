//! Target paths (TUF specification, section 4.5; what real clients can take).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A target path that every client can take: printable ASCII without `%`, `#`, `?`, `:` and `\`, relative, no
/// empty segment, none that begins with a dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TargetPath(String);

/// Why a text is no target path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} cannot be a target path: {why}")]
pub struct PathError {
    path: String,
    why: &'static str,
}

/// The longest segment, in bytes: what file systems take.
const LONGEST_SEGMENT: usize = 255;

impl TargetPath {
    /// Takes `path` as it is.
    ///
    /// # Errors
    /// [`PathError`] says which rule it breaks.
    pub fn new(path: impl Into<String>) -> Result<Self, PathError> {
        let path = path.into();
        match flaw(&path) {
            None => Ok(Self(path)),
            Some(why) => {
                Err(PathError { path: path.chars().take(2 * LONGEST_SEGMENT).collect(), why })
            }
        }
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Splits into the part up to and with the last slash, and the name.
    pub fn split(&self) -> (&str, &str) {
        self.0.split_at(self.0.rfind('/').map_or(0, |slash| slash + 1))
    }
}

fn flaw(path: &str) -> Option<&'static str> {
    if path.bytes().any(|b| !(b' '..=b'~').contains(&b)) {
        return Some("it has a character that is not printable ASCII");
    }
    if path.contains(['%', '#', '?', ':', '\\']) {
        return Some("it has one of % # ? : \\");
    }
    path.split('/').find_map(|segment| match segment {
        "" => Some("it is empty, absolute, or has a doubled or final slash"),
        s if s.starts_with('.') => Some("a segment begins with a dot"),
        s if s.len() > LONGEST_SEGMENT => Some("a segment is longer than 255 bytes"),
        _ => None,
    })
}

impl TryFrom<String> for TargetPath {
    type Error = PathError;
    fn try_from(path: String) -> Result<Self, PathError> {
        Self::new(path)
    }
}

impl From<TargetPath> for String {
    fn from(path: TargetPath) -> Self {
        path.0
    }
}

impl std::borrow::Borrow<str> for TargetPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TargetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_indexes_have() {
        for good in [
            "simple/foo/vnd.pypi.simple.v1.json",
            "files/demo/demo_pkg-0.1+corp.2-py3-none-any.whl",
            "files/old/Old Name 1.0.tar.gz",
        ] {
            assert_eq!(TargetPath::new(good).unwrap().as_str(), good);
        }
        assert_eq!(TargetPath::new("a/b/c").unwrap().split(), ("a/b/", "c"));
    }

    #[test]
    fn refuses_what_breaks_a_client() {
        for bad in [
            "", "/a", "a/", "a//b", "a/../b", "a/.", ".a", "a/.b", "a%41", "a#b", "a?b", "c:a",
            "a\\b", "a\nb", "a\u{7f}", "é",
        ] {
            assert!(TargetPath::new(bad).is_err(), "{bad:?}");
        }
        assert!(TargetPath::new("a".repeat(256)).is_err());
    }
}
