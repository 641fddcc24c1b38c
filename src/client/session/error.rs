//! Why no session came about.

use std::path::PathBuf;

use crate::client::ClientError;
use crate::client::folders::NoHome;
use crate::client::remote::said;
use crate::client::trust::{RootFlaw, TrustError};
use crate::tuf::Digest;
use crate::upstream::{ConfigError, UpstreamError};

/// What is wrong with what was asked for, with the index, or with the trust in it. No message has any credentials.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The index's URL is none.
    #[error(
        "the index {value:?} cannot be used: {why}; give the URL that pip takes as --index-url"
    )]
    Index {
        /// The URL, redacted.
        value: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The repository's URL is none.
    #[error(
        "--tuf {value:?} cannot be used: {why}; give an http or https URL as https://mirror.example/tuf/, without credentials"
    )]
    Tuf {
        /// The URL, redacted.
        value: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A flag's file cannot be used.
    #[error("{flag} {path:?} cannot be used: {why}", path = path.display())]
    File {
        /// The flag.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Two logins.
    #[error("the index has credentials in its URL, and --credentials names {path:?}: keep one of them", path = path.display())]
    TwoLogins {
        /// The file.
        path: PathBuf,
    },
    /// Nothing of the connection can be set up.
    #[error(transparent)]
    Config(ConfigError),
    /// Nothing is trusted yet.
    #[error(
        "no root is pinned for {0}: the first time, say which one to trust, with --root FILE (its 1.root.json) or --root-sha256 HEX. \
Get either from whoever runs the sidecar, and not over the way that is to be checked; `countersign inspect` shows the SHA-256 there"
    )]
    NotPinned(String),
    /// There is no folder for what is trusted.
    #[error(transparent)]
    NoHome(#[from] NoHome),
    /// The trust store.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Nothing of ours answers.
    #[error(
        "{index} seems to be no countersign sidecar: {why}. The URL must be that of the sidecar (`countersign serve`), as pip would \
take it with --index-url; where its repository lies elsewhere, say so with --tuf URL"
    )]
    NotASidecar {
        /// The index.
        index: String,
        /// What it answered.
        why: String,
    },
    /// It wants a login.
    #[error(
        "{index} wants a login (status {code}): put it into the URL, or into a file for --credentials; or this is no countersign \
sidecar, which shows what it serves to everybody"
    )]
    LoginWanted {
        /// The index.
        index: String,
        /// 401 or 403.
        code: u16,
    },
    /// The index lies elsewhere.
    #[error("{index} redirects to {to}: give that URL instead, if it is trusted")]
    Moved {
        /// The index.
        index: String,
        /// Where it leads, redacted.
        to: String,
    },
    /// The TLS handshake failed.
    #[error(
        "no TLS connection to {url}: {why}; a private authority's certificate is given with --ca-file"
    )]
    Tls {
        /// What was asked for.
        url: String,
        /// Why not.
        why: String,
    },
    /// It could not be asked.
    #[error("the repository cannot be reached: {}", said(.0))]
    Unavailable(UpstreamError),
    /// The first root is not the one that was asked for.
    #[error(
        "{url} has the SHA-256 {found}, and --root-sha256 says {expected}: it belongs to another repository, or somebody changed it \
on the way. Trust neither before whoever runs the sidecar says which one is right"
    )]
    OtherRoot {
        /// Where it lies.
        url: String,
        /// What came.
        found: Digest,
        /// What was asked for.
        expected: Digest,
    },
    /// The first root is none, though it is the one that was asked for.
    #[error("{url} cannot be trusted as a root: {flaw}")]
    Root {
        /// Where it lies.
        url: String,
        /// What is wrong with it.
        flaw: RootFlaw,
    },
    /// The repository's metadata.
    #[error(transparent)]
    Client(ClientError),
    /// What is trusted cannot be read or kept.
    #[error("{0}; --data DIR names another folder for what is trusted")]
    Data(ClientError),
}

impl From<ClientError> for SessionError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::State { .. } => Self::Data(error),
            error => Self::Client(error),
        }
    }
}

impl SessionError {
    /// Whether the command was called in a way that cannot work.
    pub fn is_misuse(&self) -> bool {
        matches!(
            self,
            Self::Index { .. }
                | Self::Tuf { .. }
                | Self::File { .. }
                | Self::TwoLogins { .. }
                | Self::Config(_)
                | Self::NotPinned(_)
                | Self::NoHome(_)
                | Self::Trust(TrustError::Root { .. })
        )
    }
}

/// In the words of this side: the flags differ from the keys of `serve`.
impl From<ConfigError> for SessionError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Url { value, why } => Self::Index { value, why },
            ConfigError::Origin { value, why } => Self::Tuf { value, why },
            ConfigError::CaFile { path, why } => Self::File { flag: "--ca-file", path, why },
            ConfigError::CredentialsFile { path, why } => {
                Self::File { flag: "--credentials", path, why }
            }
            ConfigError::TwoLogins { path } => Self::TwoLogins { path },
            other => Self::Config(other),
        }
    }
}

impl From<UpstreamError> for SessionError {
    fn from(error: UpstreamError) -> Self {
        match error {
            UpstreamError::Config(error) => error.into(),
            UpstreamError::Tls { url, why } => Self::Tls { url, why },
            other => Self::Unavailable(other),
        }
    }
}
