//! An index, and where its repository lies. Nothing that is found here is verified: it is only where to ask.

use http::header::LOCATION;
use url::Url;

use super::{SessionError, SessionOptions};
use crate::client::trust::{FirstRoot, LARGEST_ROOT};
use crate::config::{Access, LimitsConfig, UpstreamConfig, redacted};
use crate::tuf::Digest;
use crate::upstream::{MirrorUrl, Probed, Upstream, UpstreamError};

const COUNTERSIGN_TUF: &str = "countersign-tuf";
/// Where a sidecar has its repository, where nothing else is configured.
const USUAL: &str = "/tuf/";
const JSON: &str = "application/vnd.pypi.simple.v1+json, text/html;q=0.1";

/// An index that can be asked.
pub(super) struct Site {
    pub(super) index: Url,
    pub(super) upstream: Upstream,
}

/// The URL of a simple index as somebody typed it: without credentials, its path ending in `/`.
///
/// # Errors
/// [`SessionError::Index`].
pub fn index_url(text: &str) -> Result<Url, SessionError> {
    Ok(MirrorUrl::simple_base(text)?.0.into_url())
}

/// The URL of a repository as somebody typed it; its path is made to end in `/`. The one of its metadata will do too.
///
/// # Errors
/// [`SessionError::Tuf`].
pub fn repository_url(text: &str) -> Result<Url, SessionError> {
    let wrong = |why| SessionError::Tuf { value: redacted(text), why };
    let mut url = match MirrorUrl::simple_base(text) {
        Ok((_, Some(_))) => return Err(wrong("it has credentials")),
        Ok((url, None)) => url.into_url(),
        Err(_) => return Err(wrong("it is no such URL")),
    };
    if let Some(path) = url.path().strip_suffix("metadata/").map(str::to_owned) {
        url.set_path(&path);
    }
    Ok(url)
}

impl Site {
    /// The index that `options` name; `tuf` is its repository, where that is known and may lie elsewhere.
    pub(super) fn new(options: &SessionOptions, tuf: Option<&Url>) -> Result<Self, SessionError> {
        let index = index_url(&options.index)?;
        let origins = tuf.map(|tuf| tuf.origin().ascii_serialization()).into_iter().collect();
        let usual = UpstreamConfig::default();
        let config = UpstreamConfig {
            url: Some(options.index.clone()),
            origins,
            ca_file: options.ca_file.clone(),
            credentials: options.credentials.clone(),
            response_timeout: options.timeout.unwrap_or(usual.response_timeout),
            idle_timeout: options.timeout.unwrap_or(usual.idle_timeout),
            page_timeout: options.timeout.map_or(usual.page_timeout, |time| time.saturating_mul(2)),
            ..usual
        };
        let upstream = Upstream::new(&config, &LimitsConfig::default(), Access::Upstream)?;
        if upstream.has_credentials() && index.scheme() == "http" && !is_loopback(&index) {
            tracing::warn!(%index, "the login is sent unencrypted: use https");
        }
        Ok(Self { index, upstream })
    }

    /// Where the repository lies: as the index itself says, else where it usually does.
    pub(super) async fn repository(&self) -> Result<Url, SessionError> {
        let answer = self.upstream.probe(&self.index, JSON, 0).await?;
        match answer.status {
            200..=299 => (),
            301 | 302 | 303 | 307 | 308 => return Err(self.moved(&answer)),
            code @ (401 | 403) => {
                return Err(SessionError::LoginWanted { index: self.index.to_string(), code });
            }
            404 | 410 => {
                return Err(
                    self.no_sidecar(format!("there is no index (status {})", answer.status))
                );
            }
            code => {
                let url = self.index.to_string();
                return Err(UpstreamError::Status { url, code }.into());
            }
        }
        if let Some(named) = self.named(&answer) {
            return Ok(named);
        }
        let mut usual = self.index.clone();
        usual.set_path(USUAL);
        match self.root(&usual).await {
            Ok(_) => Ok(usual),
            Err(SessionError::Root { .. } | SessionError::NotASidecar { .. }) => {
                let why = format!("it names no repository, and there is none at {usual}");
                Err(self.no_sidecar(why))
            }
            Err(error) => Err(error),
        }
    }

    /// The repository's `1.root.json`, which must have that SHA-256.
    pub(super) async fn first_root(
        &self,
        tuf: &Url,
        expected: Digest,
    ) -> Result<FirstRoot, SessionError> {
        let (url, bytes) = self.fetch_root(tuf).await?;
        // Before anything else is said of it: it may be anybody's.
        match Digest::of(&bytes) {
            found if found != expected => {
                Err(SessionError::OtherRoot { url: url.into(), found, expected })
            }
            _ => {
                FirstRoot::check(bytes).map_err(|flaw| SessionError::Root { url: url.into(), flaw })
            }
        }
    }

    async fn root(&self, tuf: &Url) -> Result<FirstRoot, SessionError> {
        let (url, bytes) = self.fetch_root(tuf).await?;
        FirstRoot::check(bytes).map_err(|flaw| SessionError::Root { url: url.into(), flaw })
    }

    async fn fetch_root(&self, tuf: &Url) -> Result<(Url, Vec<u8>), SessionError> {
        let mut url = tuf.clone();
        url.set_path(&format!("{}metadata/1.root.json", tuf.path()));
        match self.upstream.small(&url, LARGEST_ROOT).await {
            Ok(bytes) => Ok((url, bytes.into())),
            Err(
                UpstreamError::Status { code: 400..500, .. } | UpstreamError::LoginWanted { .. },
            ) => Err(self.no_sidecar(format!("there is no {url}"))),
            Err(error) => Err(error.into()),
        }
    }

    /// The repository that the answer names, if it lies on the index's own origin.
    fn named(&self, answer: &Probed) -> Option<Url> {
        let link = answer.headers.get(COUNTERSIGN_TUF)?.to_str().ok()?;
        let mut url = self.index.join(link).ok()?;
        url.set_fragment(None);
        url.set_query(None);
        if url.origin() != self.index.origin() || !url.path().ends_with('/') {
            tracing::warn!(index = %self.index, to = %redacted(link), "the index names a repository that is not its own: not followed");
            return None;
        }
        Some(url)
    }

    fn moved(&self, answer: &Probed) -> SessionError {
        let to =
            answer.headers.get(LOCATION).and_then(|to| self.index.join(to.to_str().ok()?).ok());
        let to = to.map_or("nowhere".into(), |to| redacted(to.as_str()));
        SessionError::Moved { index: self.index.to_string(), to }
    }

    fn no_sidecar(&self, why: String) -> SessionError {
        SessionError::NotASidecar { index: self.index.to_string(), why }
    }
}

/// Whether only this machine is asked.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
