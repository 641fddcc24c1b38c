//! A repository out of a bundle, verified in full from the pinned root on.
//!
//! What was verified is remembered, by the SHA-256 of the pinned root: a bundle that is older than one which was used
//! before is a rollback, and refused. The index's URL decides nothing here: in a bundle it is anybody's word.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::{Bundle, BundleError, Moment};
use crate::client::trust::{FirstRoot, LARGEST_ROOT, TrustError};
use crate::client::{ClientError, Remote as _, Settings, State, Updater, View};
use crate::time::Clock;
use crate::tuf::{Digest, Distrust, Expiry, Flaw};

/// What is to be opened.
#[derive(Debug, Clone)]
pub struct OfflineOptions {
    /// The bundle.
    pub bundle: PathBuf,
    /// The root to trust.
    pub root: PinnedRoot,
    /// The user's data folder.
    pub data: PathBuf,
    /// What decides on expiry.
    pub expiry: AsOf,
}

/// The root that a bundle is verified from. A bundle cannot name it itself.
#[derive(Debug, Clone)]
pub enum PinnedRoot {
    /// A file.
    File(PathBuf),
    /// The SHA-256 of the repository's first root, which is in the bundle.
    Sha256(Digest),
}

/// What time it is for a bundle.
#[derive(Debug, Clone)]
pub enum AsOf {
    /// What the clock says.
    Now(Clock),
    /// The time that the bundle stands for.
    Bundle,
}

/// A bundle whose metadata was verified.
#[derive(Clone)]
pub struct Offline {
    /// The bundle.
    pub bundle: Bundle,
    /// The client workflow over it.
    pub updater: Updater,
    /// What decides on expiry.
    pub clock: Clock,
    /// What was verified.
    pub view: View,
}

/// Why a bundle is not used.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The file.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The root that is to be trusted.
    #[error(transparent)]
    Root(#[from] TrustError),
    /// The first root is another one.
    #[error(
        "the bundle's 1.root.json has the SHA-256 {found}, and --root-sha256 says {expected}: it is a bundle of another repository, or \
somebody changed it. Trust neither before whoever runs the sidecar says which one is right"
    )]
    OtherRoot {
        /// What is in it.
        found: Digest,
        /// What was asked for.
        expected: Digest,
    },
    /// It is past its time.
    #[error(
        "the bundle's {what} expired at {expires}: make a newer bundle. To use this one as of the time at which it was signed, say \
--as-of; what was withdrawn since, and keys that were revoked since, are then not known. If it should be valid, check this machine's clock"
    )]
    Expired {
        /// The role.
        what: String,
        /// When.
        expires: Expiry,
    },
    /// A newer one was used here before.
    #[error(
        "{0}: this bundle is older than one that was used here before. If that is meant, keep what is known of each apart: --data DIR"
    )]
    Older(Distrust),
    /// The time that it claims is not the one that is signed.
    #[error("the bundle's timestamp is not the one that was verified: it was changed meanwhile")]
    Changed,
    /// Another check failed, or something is missing or cannot be kept.
    #[error(transparent)]
    Client(ClientError),
}

impl From<ClientError> for OfflineError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Distrust(Distrust { what, flaw: Flaw::Expired(expires) }) => {
                Self::Expired { what, expires }
            }
            ClientError::Distrust(error @ Distrust { flaw: Flaw::Rollback { .. }, .. }) => {
                Self::Older(error)
            }
            error => Self::Client(error),
        }
    }
}

impl Offline {
    /// Opens a bundle, and verifies its metadata. Pages and files are verified as they are asked for.
    ///
    /// # Errors
    /// [`OfflineError`]: one sentence that says what to do.
    pub async fn open(options: OfflineOptions) -> Result<Self, OfflineError> {
        let OfflineOptions { bundle, root, data, expiry } = options;
        let bundle = spawn_blocking(move || Bundle::open(&bundle)).await;
        let bundle = bundle.unwrap_or_else(|error| {
            let (action, path) = ("read", PathBuf::from("the bundle"));
            Err(BundleError::Disk { action, path, source: io::Error::other(error) })
        })?;
        let root = root.read(&bundle).await?;
        let (clock, moment) = match expiry {
            AsOf::Now(clock) => (clock, None),
            AsOf::Bundle => {
                let moment = Moment::claimed(&bundle).await?;
                (Clock::at(moment.time()), Some(moment))
            }
        };
        let state = state(&data, root).await?;
        let settings = Settings { clock: clock.clone(), ..Settings::default() };
        let updater = Updater::new(state, Arc::new(bundle.clone()), settings);
        let view = updater.refresh().await?;
        if let Some(moment) = moment {
            if !moment.confirm(&view) {
                return Err(OfflineError::Changed);
            }
            let as_of = moment.time();
            tracing::warn!(%as_of, "--as-of: expiry is not checked against today. What was withdrawn or found to be malicious since then, and keys that were revoked since then, are not known");
        }
        Ok(Self { bundle, updater, clock, view })
    }
}

/// Where what was verified from this root is remembered.
async fn state(data: &Path, root: Bytes) -> Result<State, ClientError> {
    let folder = data.join("bundles").join(Digest::of(&root).to_string());
    let path = folder.clone();
    let opened = spawn_blocking(move || State::init(&folder, &root)).await;
    opened.unwrap_or_else(|error| {
        let source = Arc::new(io::Error::other(error));
        Err(ClientError::State { action: "open", path, source })
    })
}

impl PinnedRoot {
    async fn read(&self, bundle: &Bundle) -> Result<Bytes, OfflineError> {
        let expected = match self {
            Self::File(path) => return Ok(FirstRoot::read(path)?.bytes().to_vec().into()),
            Self::Sha256(expected) => *expected,
        };
        let bytes =
            bundle.metadata("1.root.json", LARGEST_ROOT).await.map_err(ClientError::from)?;
        match Digest::of(&bytes) {
            found if found == expected => Ok(bytes),
            found => Err(OfflineError::OtherRoot { found, expected }),
        }
    }
}
