//! Where a repository's files come from. Nothing that it gives is verified.

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::upstream::{FileReply, UpstreamError};

/// A repository, as far as files can be asked of it.
pub trait Remote: Send + Sync {
    /// A metadata file by its name in the repository, such as `timestamp.json` or `12.bins-0f.json`, whole and
    /// decompressed; at most `limit` bytes.
    fn metadata<'a>(
        &'a self,
        name: &'a str,
        limit: u64,
    ) -> BoxFuture<'a, Result<Bytes, RemoteError>>;

    /// A small target whole, by the path that it is fetched under (with its hash, where snapshots are consistent); at most
    /// `limit` bytes.
    fn target<'a>(&'a self, path: &'a str, limit: u64)
    -> BoxFuture<'a, Result<Bytes, RemoteError>>;

    /// A target of any size, as a stream.
    fn open<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<FileReply, UpstreamError>>;
}

/// Why something could not be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RemoteError {
    /// It is not there: 404, or 403 where a store hides what is not there.
    #[error("the repository has no {}", name.escape_debug())]
    Missing {
        /// What was asked for.
        name: String,
    },
    /// It is longer than it may be: an endless-data attack, or a broken repository.
    #[error("{} is longer than {limit} bytes", name.escape_debug())]
    TooLong {
        /// What was asked for.
        name: String,
        /// The limit, bytes.
        limit: u64,
    },
    /// Its body broke off.
    #[error("{}: {why}", name.escape_debug())]
    Broken {
        /// What was asked for.
        name: String,
        /// How.
        why: String,
    },
    /// It could not be fetched.
    #[error("{}", said(.0))]
    Upstream(#[from] UpstreamError),
}

/// In the words of this side: `serve` has other names for its settings.
pub(super) fn said(error: &UpstreamError) -> String {
    match error {
        UpstreamError::LoginWanted { url, code } => format!(
            "{url} wants a login (status {code}): put it into the index's URL, or into a file for --credentials"
        ),
        UpstreamError::Tls { url, why } => format!(
            "no TLS connection to {url}: {why}; a private authority's certificate is given with --ca-file"
        ),
        UpstreamError::OriginRefused { url } => format!(
            "it leads to {url}, on another origin, which is not followed: ask whoever runs the index about it"
        ),
        // A target's path may stand in the place of a URL.
        UpstreamError::Status { url, code } => {
            format!("{} answered with status {code}", url.escape_debug())
        }
        other => other.to_string(),
    }
}

impl RemoteError {
    /// Whether this says that there is no further root: python-tuf takes 403 for it too, since some stores hide what is
    /// not there.
    pub(super) fn is_missing_root(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. } | Self::Upstream(UpstreamError::LoginWanted { code: 403, .. })
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_nothing_that_only_serve_has() {
        let (url, why) = ("https://h.example/x".to_owned(), "why".to_owned());
        for error in [
            UpstreamError::OriginRefused { url: url.clone() },
            UpstreamError::Tls { url: url.clone(), why },
            UpstreamError::LoginWanted { url: url.clone(), code: 401 },
        ] {
            let said = RemoteError::from(error).to_string();
            assert!(said.contains(&url) && !said.contains("upstream."), "{said}");
        }
    }

    #[test]
    fn a_name_does_not_write_on_the_terminal() {
        let name = "a\n\u{1b}[2J".to_owned();
        for error in [
            RemoteError::Missing { name: name.clone() },
            RemoteError::TooLong { name: name.clone(), limit: 1 },
            RemoteError::Broken { name: name.clone(), why: "why".into() },
            UpstreamError::Status { url: name, code: 404 }.into(),
        ] {
            let said = error.to_string();
            assert!(said.contains(r"a\n\u{1b}[2J"), "{said}");
        }
    }
}
