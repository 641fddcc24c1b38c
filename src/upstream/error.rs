//! What can go wrong with the mirror.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::BodyError;
use super::url_text::redacted;
use crate::connect::{ConnectError, causes, chain_text};

/// Why the mirror's configuration cannot be used. No message has any credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No mirror is named.
    #[error("no mirror is named: give --upstream, or set upstream.url")]
    NoUrl,
    /// The simple index's URL is wrong.
    #[error(
        "upstream.url {value:?} cannot be used: {why}; give the URL that pip takes as --index-url"
    )]
    Url {
        /// The URL, redacted.
        value: String,
        /// What is wrong.
        why: &'static str,
    },
    /// An allowed origin is wrong.
    #[error("upstream.origins: {value:?} cannot be used: {why}; write it as https://files.example")]
    Origin {
        /// The origin, redacted.
        value: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The CA file cannot be read.
    #[error("upstream.ca-file {path:?} cannot be used: {why}", path = path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The credentials file cannot be used.
    #[error("upstream.credentials {path:?} cannot be used: {why}", path = path.display())]
    CredentialsFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// TLS cannot be set up.
    #[error("TLS towards the mirror cannot be set up: {why}")]
    Tls {
        /// What is wrong.
        why: String,
    },
    /// Credentials stand in the URL and in a file.
    #[error("upstream.url has credentials and upstream.credentials names {path:?}: keep one of them", path = path.display())]
    TwoLogins {
        /// The file.
        path: PathBuf,
    },
    /// The proxy from the environment is of a kind that is not supported.
    #[error(
        "the proxy {scheme}://… from the environment cannot be used: only http and https proxies are supported"
    )]
    Proxy {
        /// Its scheme.
        scheme: String,
    },
}

impl From<ConnectError> for ConfigError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::CaFile { path, why } => Self::CaFile { path, why },
            ConnectError::Tls { why } => Self::Tls { why },
            ConnectError::Proxy { scheme } => Self::Proxy { scheme },
        }
    }
}

/// What went wrong with a request to the mirror. URLs are redacted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UpstreamError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No connection came about.
    #[error("cannot connect to {url}: {why}")]
    Connect {
        /// What was asked for.
        url: String,
        /// Why not.
        why: String,
    },
    /// The TLS handshake failed.
    #[error(
        "no TLS connection to {url}: {why}; a private authority's certificate goes into upstream.ca-file"
    )]
    Tls {
        /// What was asked for.
        url: String,
        /// Why not.
        why: String,
    },
    /// The mirror was silent, or too slow.
    #[error("{url}: {what} took longer than {limit:?}")]
    Timeout {
        /// What was asked for.
        url: String,
        /// What was waited for.
        what: &'static str,
        /// How long it may take.
        limit: Duration,
    },
    /// The connection broke before the head of the answer.
    #[error("{url}: the connection broke: {why}")]
    Reset {
        /// What was asked for.
        url: String,
        /// How.
        why: String,
    },
    /// The body is shorter than announced.
    #[error("{url}: the body ends before its announced length")]
    Truncated {
        /// What was asked for.
        url: String,
    },
    /// The body is longer than the configured limit, decompressed.
    #[error("{url}: the body is longer than the limit of {limit} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit, bytes.
        limit: u64,
    },
    /// An answer with a status that is of no use.
    #[error("{url} answered with status {code}")]
    Status {
        /// What was asked for.
        url: String,
        /// The status code.
        code: u16,
    },
    /// 401 or 403.
    #[error(
        "{url} wants a login (status {code}): set upstream.credentials together with access = \"open\""
    )]
    LoginWanted {
        /// What was asked for.
        url: String,
        /// 401 or 403.
        code: u16,
    },
    /// A redirect that is not followed.
    #[error("{url} redirects to {to}, which is not followed: {why}")]
    RedirectRefused {
        /// What was asked for.
        url: String,
        /// Where it leads, redacted.
        to: String,
        /// Why not.
        why: &'static str,
    },
    /// A link or a redirect to an origin that is not allowed.
    #[error(
        "{url} lies outside the allowed origins: add its origin to upstream.origins if it is trusted"
    )]
    OriginRefused {
        /// Where it leads, redacted.
        url: String,
    },
    /// A content encoding that was not asked for, or a broken one.
    #[error("{url}: the content encoding is {why}")]
    Encoding {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The answer is no HTTP.
    #[error("{url}: the answer is malformed: {why}")]
    Malformed {
        /// What was asked for.
        url: String,
        /// Why.
        why: String,
    },
    /// It was not put into the bundle that stands for the mirror.
    #[error("{what} is not in this bundle")]
    NotBundled {
        /// What was asked for.
        what: String,
    },
    /// The mirror says when it wants to be asked again (`Retry-After`).
    #[error("{url} answered with status {code} and wants to be asked again in {wait:?}")]
    BusyUntil {
        /// What was asked for.
        url: String,
        /// The status code.
        code: u16,
        /// How long to wait, at most a day.
        wait: Duration,
    },
    /// The client whose request is passed through broke off, or sent what cannot be passed on.
    #[error("{url}: the request cannot be passed on: {why}")]
    Client {
        /// What was asked for.
        url: String,
        /// Why.
        why: String,
    },
}

/// Every value of [`UpstreamError::reason`].
pub const REASONS: &[&str] = &[
    "config",
    "connect",
    "tls",
    "timeout",
    "reset",
    "truncated",
    "too_large",
    "status",
    "login",
    "redirect",
    "origin",
    "encoding",
    "malformed",
    "busy",
    "client",
];

impl UpstreamError {
    /// A label for metrics: one of [`REASONS`].
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Config(_) => "config",
            Self::Connect { .. } => "connect",
            Self::Tls { .. } => "tls",
            Self::Timeout { .. } => "timeout",
            Self::Reset { .. } => "reset",
            Self::Truncated { .. } => "truncated",
            Self::TooLarge { .. } => "too_large",
            // A bundle's 404.
            Self::Status { .. } | Self::NotBundled { .. } => "status",
            Self::LoginWanted { .. } => "login",
            Self::RedirectRefused { .. } => "redirect",
            Self::OriginRefused { .. } => "origin",
            Self::Encoding { .. } => "encoding",
            Self::Malformed { .. } => "malformed",
            Self::BusyUntil { .. } => "busy",
            Self::Client { .. } => "client",
        }
    }

    /// Whether the same request may succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Timeout { .. }
            | Self::Reset { .. }
            | Self::Truncated { .. }
            | Self::BusyUntil { .. } => true,
            Self::Status { code, .. } => *code == 429 || *code >= 500,
            _ => false,
        }
    }

    /// Sorts out what hyper reports for a request to `url`: while `connecting`, or on a connection that stood.
    pub(super) fn sort(url: &Url, error: &(dyn Error + 'static), connecting: bool) -> Self {
        let why = chain_text(error);
        let url = redacted(url);
        for cause in causes(error) {
            if let Some(error) = cause.downcast_ref::<BodyError>() {
                return Self::Client { url, why: error.to_string() };
            }
            if cause.is::<rustls::Error>() {
                return Self::Tls { url, why: cause.to_string() };
            }
            if cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
                return Self::Malformed { url, why };
            }
            if let Some(error) = cause.downcast_ref::<io::Error>() {
                match error.kind() {
                    io::ErrorKind::UnexpectedEof if !connecting => return Self::Truncated { url },
                    io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput if !connecting => {
                        return Self::Malformed { url, why };
                    }
                    _ => {}
                }
            }
        }
        if connecting { Self::Connect { url, why } } else { Self::Reset { url, why } }
    }
}
