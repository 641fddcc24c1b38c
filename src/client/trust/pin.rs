//! One pin, as it is kept.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use super::error::UNKNOWN;
use super::{FirstRoot, TrustError, at};
use crate::tuf::Digest;

pub(super) const PIN: &str = "pin.json";
pub(super) const ROOT: &str = "root.json";
pub(super) const METADATA: &str = "metadata";

/// What this version writes, and the newest that it reads.
const FORMAT: u64 = 1;

/// A root that is trusted for an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The index, without credentials; it ends in `/`.
    pub index: Url,
    /// SHA-256 of the pinned root.
    pub root_sha256: Digest,
    /// The port of `countersign run`: the same for ever, since lock files name it.
    pub port: u16,
    /// When it was pinned.
    pub added: Timestamp,
    /// Where the repository lies, once that is known; it ends in `/`. A hint: what comes from there is verified.
    pub tuf: Option<Url>,
    /// The folder of this pin.
    pub(super) folder: PathBuf,
}

/// `pin.json`
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Stored {
    format: u64,
    index: Url,
    root_sha256: Digest,
    port: u16,
    added: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tuf: Option<Url>,
}

/// What every format has.
#[derive(Deserialize)]
struct AnyFormat {
    format: u64,
}

impl Pin {
    /// The pinned root; a file.
    pub fn root(&self) -> PathBuf {
        self.folder.join(ROOT)
    }

    /// The folder of trusted metadata.
    pub fn metadata(&self) -> PathBuf {
        self.folder.join(METADATA)
    }

    /// Reads the pinned root, and checks that it is the one that was pinned.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn first_root(&self) -> Result<FirstRoot, TrustError> {
        let path = self.root();
        let bytes = fs::read(&path).map_err(at("read", &path))?;
        let found = Digest::of(&bytes);
        if found != self.root_sha256 {
            let why = format!("its SHA-256 is {found}, and {} was pinned", self.root_sha256);
            return Err(self.damaged(ROOT, why));
        }
        let checked = FirstRoot::check(bytes);
        checked.map_err(|flaw| self.damaged(ROOT, flaw.to_string()))
    }

    /// Whether a root of this SHA-256 is the one that is pinned, or the newest that was verified since.
    ///
    /// # Errors
    /// [`TrustError::OtherRoot`] where it is neither.
    pub fn agrees(&self, given: Digest) -> Result<(), TrustError> {
        let newest = || fs::read(self.metadata().join(ROOT)).ok().map(|root| Digest::of(&root));
        if given == self.root_sha256 || newest() == Some(given) {
            return Ok(());
        }
        let index = self.index.to_string();
        Err(TrustError::OtherRoot { index, pinned: self.root_sha256, given })
    }

    /// Reads the pin in `folder`; nothing where there is none.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, TrustError> {
        let path = folder.join(PIN);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(at("read", &path))?,
        };
        let damaged =
            |why: String| TrustError::Damaged { path: path.clone(), why, index: UNKNOWN.into() };
        let AnyFormat { format } =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if format > FORMAT {
            return Err(TrustError::Newer { path, format, index: UNKNOWN.into() });
        }
        let stored: Stored =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let Stored { index, root_sha256, port, added, tuf, .. } = stored;
        if format != FORMAT || port == 0 || index.cannot_be_a_base() {
            return Err(damaged("a value in it cannot be".into()));
        }
        Ok(Some(Self { index, root_sha256, port, added, tuf, folder: folder.into() }))
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, TrustError> {
        let Self { index, root_sha256, port, added, tuf, folder } = self.clone();
        let stored = Stored { format: FORMAT, index, root_sha256, port, added, tuf };
        let written = serde_json::to_vec_pretty(&stored);
        written.map_err(|error| TrustError::Damaged {
            path: folder,
            why: error.to_string(),
            index: self.index.to_string(),
        })
    }

    fn damaged(&self, name: &str, why: String) -> TrustError {
        TrustError::Damaged { path: self.folder.join(name), why, index: self.index.to_string() }
    }
}
