//! Everything that a command on an index needs, opened: the pinned root, the repository, the client workflow.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::trust::{Added, FirstRoot, Pin, TrustStore};
use super::{ClientError, Http, Remote, Settings, State, Tally, Updater};
use crate::tuf::Digest;
use crate::upstream::Upstream;

mod error;
mod site;
#[cfg(test)]
mod tests;

pub use error::SessionError;
pub use site::{index_url, repository_url};

use site::Site;

/// What is to be opened.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// The index, as pip's `--index-url` names it; it may have credentials.
    pub index: String,
    /// The root to trust, where none is pinned yet: a file.
    pub root: Option<PathBuf>,
    /// The same: the SHA-256 of the repository's `1.root.json`.
    pub root_sha256: Option<Digest>,
    /// The repository, where it lies elsewhere than the index says.
    pub tuf: Option<Url>,
    /// PEM file of certificate authorities, added to the machine's own.
    pub ca_file: Option<PathBuf>,
    /// File with `user:password` in its first line, or a netrc file.
    pub credentials: Option<PathBuf>,
    /// How long is waited for the head of an answer, and for each part of a body; the usual time where none is given.
    pub timeout: Option<Duration>,
    /// The user's data folder.
    pub data: PathBuf,
}

/// An index whose root is pinned, and its repository.
#[derive(Clone)]
pub struct Session {
    /// The index, without credentials; its path ends in `/`.
    pub index: Url,
    /// The repository; its path ends in `/`. Metadata and targets lie below it.
    pub tuf: Url,
    /// What is trusted, and which port belongs to it.
    pub pin: Pin,
    /// The client workflow.
    pub updater: Updater,
    /// The repository's files. Nothing that it gives is verified.
    pub remote: Arc<dyn Remote>,
    /// The index itself. Nothing that it gives is verified.
    pub upstream: Upstream,
    /// What was verified, and what it cost.
    pub tally: Arc<Tally>,
}

impl Session {
    /// Opens the index. Where nothing is pinned for it, the root that `options` name is pinned, if the repository verifies
    /// with it.
    ///
    /// # Errors
    /// [`SessionError`]: one sentence that says what to do. A repository that was seen before need not be reachable.
    pub async fn open(options: &SessionOptions) -> Result<Self, SessionError> {
        let store = TrustStore::new(&options.data);
        let index = index_url(&options.index)?;
        match store.pinned(&index)? {
            Some(pin) => {
                if let Some(given) = given(options)? {
                    pin.agrees(given)?;
                }
                let known = options.tuf.is_some() || pin.tuf.is_some();
                let session = Self::of(options, pin).await?;
                match known {
                    true => Ok(session),
                    // Where it does not verify, whoever uses the session will hear why.
                    false => {
                        Ok(session.learn(&store).await.unwrap_or_else(|(session, _)| *session))
                    }
                }
            }
            None => {
                let Added { pin, new } = pin(options).await?;
                let opened = match Self::of(options, pin).await {
                    Ok(session) => session.learn(&store).await.map_err(|(_, error)| error),
                    Err(error) => Err(error),
                };
                if opened.is_err() && new {
                    store.remove(&index)?;
                }
                opened
            }
        }
    }

    /// The first time, when it is not known yet whether index, repository and root belong together. Where the repository lies is
    /// kept only once it verified: anybody may have said so.
    async fn learn(self, store: &TrustStore) -> Result<Self, (Box<Self>, SessionError)> {
        let learned = match self.updater.refresh().await {
            Ok(_) => store.learn(&self.pin, &self.tuf).map_err(SessionError::from),
            Err(error) => Err(error.into()),
        };
        match learned {
            Ok(pin) => Ok(Self { pin, ..self }),
            Err(error) => Err((Box::new(self), error)),
        }
    }

    async fn of(options: &SessionOptions, pin: Pin) -> Result<Self, SessionError> {
        let root = pin.first_root()?;
        let known = options.tuf.clone().or_else(|| pin.tuf.clone());
        let site = Site::new(options, known.as_ref())?;
        let tuf = match known {
            Some(tuf) => tuf,
            None => site.repository().await?,
        };
        let Site { index, upstream } = site;
        let tally = Arc::new(Tally::default());
        let (metadata, targets) = (below(&tuf, "metadata/"), below(&tuf, "targets/"));
        let remote = Http::new(upstream.clone(), metadata, targets, tally.clone());
        let remote: Arc<dyn Remote> = Arc::new(remote);
        let state = state(&pin, &root).await?;
        let updater = Updater::new(state, remote.clone(), Settings::default());
        Ok(Self { index, tuf, pin, updater, remote, upstream, tally })
    }
}

/// Pins the root that `options` name. A root given by its SHA-256 is fetched from the repository.
///
/// # Errors
/// [`SessionError`]: one sentence that says what to do.
pub async fn pin(options: &SessionOptions) -> Result<Added, SessionError> {
    let store = TrustStore::new(&options.data);
    let index = index_url(&options.index)?;
    let root = match (&options.root, options.root_sha256) {
        (Some(path), _) => FirstRoot::read(path)?,
        (None, Some(sha256)) => {
            let site = Site::new(options, options.tuf.as_ref())?;
            let tuf = match &options.tuf {
                Some(tuf) => tuf.clone(),
                None => site.repository().await?,
            };
            site.first_root(&tuf, sha256).await?
        }
        (None, None) => return Err(SessionError::NotPinned(index.into())),
    };
    let now = Timestamp::now();
    if let Some(expiry) = root.expired(now) {
        tracing::warn!(%index, version = root.version(), %expiry, "the given root has expired: newer ones must follow it");
    }
    Ok(store.add(&index, &root, options.tuf.as_ref(), now)?)
}

/// The SHA-256 of the root that `options` name.
fn given(options: &SessionOptions) -> Result<Option<Digest>, SessionError> {
    Ok(match &options.root {
        Some(path) => Some(FirstRoot::read(path)?.sha256()),
        None => options.root_sha256,
    })
}

/// Trusted metadata, begun with the pinned root where there is none.
async fn state(pin: &Pin, root: &FirstRoot) -> Result<State, ClientError> {
    let (folder, bytes) = (pin.metadata(), root.bytes().to_vec());
    let opened = tokio::task::spawn_blocking(move || State::init(&folder, &bytes)).await;
    opened.unwrap_or_else(|error| {
        let source = Arc::new(std::io::Error::other(error));
        Err(ClientError::State { action: "open", path: pin.metadata(), source })
    })
}

fn below(tuf: &Url, name: &str) -> Url {
    let mut url = tuf.clone();
    url.set_path(&format!("{}{name}", tuf.path()));
    url
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("index", &self.index.as_str()).finish_non_exhaustive()
    }
}
