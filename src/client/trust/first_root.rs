//! The root that trust begins with (TUF specification, section 5.2).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use jiff::Timestamp;

use super::TrustError;
use crate::tuf::{Digest, Distrust, Expiry, Role as _, Root, workflow};

/// The largest root that is read, bytes: python-tuf's limit.
pub const LARGEST_ROOT: u64 = 512_000;

/// A root that is signed by as many of its own keys as it asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstRoot {
    bytes: Vec<u8>,
    sha256: Digest,
    root: Root,
}

/// Why a file is no root to begin with.
#[derive(Debug, thiserror::Error)]
pub enum RootFlaw {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// No root has this size.
    #[error("it is larger than {LARGEST_ROOT} bytes, so it is no root.json")]
    TooLarge,
    /// It is no root, or not signed by its own keys.
    #[error(transparent)]
    Distrust(#[from] Distrust),
}

impl FirstRoot {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`TrustError::Root`].
    pub fn read(path: &Path) -> Result<Self, TrustError> {
        let read = || {
            let mut bytes = Vec::new();
            File::open(path)?.take(LARGEST_ROOT + 1).read_to_end(&mut bytes)?;
            Self::check(bytes)
        };
        read().map_err(|flaw| TrustError::Root { path: path.into(), flaw })
    }

    /// Checks the bytes of a root: it is one, and signed by its own threshold of its own keys. An expired one is taken:
    /// it may be followed by newer ones.
    ///
    /// # Errors
    /// [`RootFlaw`].
    pub fn check(bytes: Vec<u8>) -> Result<Self, RootFlaw> {
        if bytes.len() as u64 > LARGEST_ROOT {
            return Err(RootFlaw::TooLarge);
        }
        let root = workflow::first_root(&bytes)?;
        Ok(Self { sha256: Digest::of(&bytes), bytes, root })
    }

    /// The file, unchanged.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its SHA-256.
    pub fn sha256(&self) -> Digest {
        self.sha256
    }

    /// Its version.
    pub fn version(&self) -> u64 {
        self.root.version()
    }

    /// When it expired, if it has.
    pub fn expired(&self, now: Timestamp) -> Option<Expiry> {
        Some(self.root.expires()).filter(|expiry| expiry.passed(now))
    }
}
