//! `bundle.json`: what a bundle says of itself. Nothing of it is signed.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::index::ProjectName;
use crate::tuf::Expiry;

/// The format that is written, and the newest that is read.
pub const FORMAT: u32 = 1;

/// What a bundle says of itself. It decides where things are served, and never what is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`]
    pub format: u32,
    /// The index that it was made from, without credentials; a gateway serves its pages at the path of this URL.
    pub index: Url,
    /// When it was made, by the clock of whoever made it.
    pub made: Expiry,
    /// The projects whose pages are in it.
    pub projects: Vec<ProjectName>,
    /// The path of the repository: what the links of the pages lead to.
    pub tuf: String,
}

/// What is looked at before anything else.
#[derive(Deserialize)]
struct Versioned {
    format: u32,
}

impl Manifest {
    /// Reads `bundle.json`.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let malformed = |error| format!("its bundle.json cannot be read: {error}");
        let Versioned { format } = serde_json::from_slice(bytes).map_err(malformed)?;
        if format != FORMAT {
            return Err(format!(
                "it has format {format}, and this countersign reads format {FORMAT}: use the version that made it, or a newer one"
            ));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        match manifest.flaw() {
            None => Ok(manifest),
            Some(why) => Err(format!("its bundle.json {why}")),
        }
    }

    /// The bytes of `bundle.json`.
    ///
    /// # Errors
    /// Where it cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Where a gateway serves the pages; with a slash at both ends.
    pub fn simple_path(&self) -> &str {
        self.index.path()
    }

    fn flaw(&self) -> Option<&'static str> {
        if !matches!(self.index.scheme(), "http" | "https") || !self.index.has_host() {
            return Some("names an index that is no http or https URL");
        }
        if !self.index.username().is_empty() || self.index.password().is_some() {
            return Some("has credentials in its index");
        }
        if ![self.index.path(), &self.tuf].into_iter().all(is_prefix) {
            return Some("has a path that cannot be served");
        }
        // The repository's paths come first.
        self.index.path().starts_with(&self.tuf).then_some("has the index below the repository")
    }
}

/// Whether something can be served below `path`: absolute, a slash at its end, no odd segment.
fn is_prefix(path: &str) -> bool {
    let Some(inner) = path.strip_prefix('/') else { return false };
    let segments = inner.strip_suffix('/').map(|inner| inner.split('/'));
    path.len() <= 1024
        && path.bytes().all(|b| b.is_ascii_graphic() && !b"?#\\\"<>".contains(&b))
        && (path == "/"
            || segments.is_some_and(|mut all| all.all(|one| !matches!(one, "" | "." | ".."))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(format: u32, index: &str, tuf: &str) -> String {
        format!(
            r#"{{"format":{format},"index":"{index}","made":"2026-11-02T03:04:05Z","projects":["six"],"tuf":"{tuf}","later":1}}"#
        )
    }

    #[test]
    fn is_read_as_it_was_written() {
        let parsed =
            Manifest::parse(text(1, "https://m.example/root/pypi/+simple/", "/tuf/").as_bytes());
        let manifest = parsed.unwrap();
        assert_eq!(manifest.simple_path(), "/root/pypi/+simple/");
        assert_eq!(Manifest::parse(&manifest.to_bytes().unwrap()), Ok(manifest));
        let at_the_root = Manifest::parse(text(1, "https://m.example/", "/tuf/").as_bytes());
        assert_eq!(at_the_root.unwrap().simple_path(), "/");
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        let good = "https://m.example/simple/";
        for (format, index, tuf, why) in [
            (2, good, "/tuf/", "format 2"),
            (1, "ftp://m.example/simple/", "/tuf/", "http"),
            (1, "https://user:secret@m.example/simple/", "/tuf/", "credentials"),
            (1, "https://m.example/simple", "/tuf/", "path"),
            (1, good, "tuf/", "path"),
            (1, good, "/a/../tuf/", "path"),
            (1, good, "//", "path"),
            (1, good, "/", "below the repository"),
            (1, "https://m.example/tuf/simple/", "/tuf/", "below the repository"),
        ] {
            let refused = Manifest::parse(text(format, index, tuf).as_bytes()).unwrap_err();
            assert!(refused.contains(why), "{index} {tuf}: {refused}");
            assert!(!refused.contains("secret"), "{refused}");
        }
        assert!(Manifest::parse(b"{}").is_err());
    }
}
