//! A repository behind HTTP.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::Url;

use super::{Remote, RemoteError, Tally};
use crate::config::redacted;
use crate::upstream::{FileReply, Upstream, UpstreamError};

/// What cannot stand in a path as it is. A `%` can: whoever signed it meant it.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// A repository's files below two URLs.
#[derive(Debug, Clone)]
pub struct Http {
    upstream: Upstream,
    metadata: Url,
    targets: Url,
    tally: Arc<Tally>,
}

impl Http {
    /// Metadata below `metadata`, targets below `targets`; `upstream` must allow the origins of both.
    pub fn new(upstream: Upstream, metadata: Url, targets: Url, tally: Arc<Tally>) -> Self {
        Self { upstream, metadata: folder(metadata), targets: folder(targets), tally }
    }

    /// Where a target lies.
    fn target_url(&self, path: &str) -> Result<Url, RemoteError> {
        below(&self.targets, &utf8_percent_encode(path, UNSAFE).to_string())
    }
}

impl Remote for Http {
    fn metadata<'a>(
        &'a self,
        name: &'a str,
        limit: u64,
    ) -> BoxFuture<'a, Result<Bytes, RemoteError>> {
        async move {
            let url = below(&self.metadata, name)?;
            let fetched = self.upstream.compressed(&url, limit).await;
            let (bytes, sent) =
                fetched.map_err(|error| sort(&redacted(url.as_str()), limit, error))?;
            self.tally.metadata.add(sent);
            Ok(bytes)
        }
        .boxed()
    }

    fn target<'a>(
        &'a self,
        path: &'a str,
        limit: u64,
    ) -> BoxFuture<'a, Result<Bytes, RemoteError>> {
        async move {
            let url = self.target_url(path)?;
            let fetched = self.upstream.small(&url, limit).await;
            fetched.map_err(|error| sort(path, limit, error))
        }
        .boxed()
    }

    fn open<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<FileReply, UpstreamError>> {
        async move {
            match self.target_url(path) {
                Ok(url) => self.upstream.file(&url).await,
                Err(_) => Err(UpstreamError::Status { url: path.to_owned(), code: 404 }),
            }
        }
        .boxed()
    }
}

fn sort(name: &str, limit: u64, error: UpstreamError) -> RemoteError {
    let name = name.to_owned();
    match error {
        UpstreamError::Status { code: 404 | 410, .. } => RemoteError::Missing { name },
        UpstreamError::TooLarge { .. } => RemoteError::TooLong { name, limit },
        error => RemoteError::Upstream(error),
    }
}

/// `base` as a folder: its path ends in a slash.
fn folder(mut base: Url) -> Url {
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    base
}

/// What lies at `path` below `base`; a path that leads out of it is not there.
fn below(base: &Url, path: &str) -> Result<Url, RemoteError> {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path()));
    if url.path().starts_with(base.path()) {
        Ok(url)
    } else {
        Err(RemoteError::Missing { name: path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_their_base() {
        let base: Url = "http://h.example/a/metadata".parse().unwrap();
        let base = folder(base);
        assert_eq!(below(&base, "1.x.json").unwrap().path(), "/a/metadata/1.x.json");
        assert_eq!(below(&base, "1.%2F.json").unwrap().path(), "/a/metadata/1.%2F.json");
        for out in ["../x", "b/../../x", "%2e%2e/x"] {
            assert!(below(&base, out).is_err(), "{out}");
        }
    }
}
