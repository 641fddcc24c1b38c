//! The model of a project page: what is signed about a project, free of where it came from.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::ProjectName;

/// A project page (PEP 503, PEP 691), without any host, clock or serial.
///
/// Two pages are the same exactly when their models are equal; equal models render to equal bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectPage {
    /// The project.
    pub name: ProjectName,
    /// The files, sorted by file name, each name once.
    pub files: Vec<File>,
    /// The versions that the upstream lists (PEP 700), sorted; empty where it lists none.
    pub versions: Vec<String>,
    /// The project's status (PEP 792).
    pub status: Status,
    /// `meta.tracks` (PEP 708).
    pub tracks: Vec<String>,
    /// `alternate-locations` (PEP 708).
    pub alternate_locations: Vec<String>,
    /// Top-level keys that this model does not know. Here as elsewhere, keys that begin with `_` are the
    /// upstream's own and are dropped.
    pub extra: BTreeMap<String, Value>,
    /// Keys of `meta` that this model does not know.
    pub meta_extra: BTreeMap<String, Value>,
}

impl ProjectPage {
    /// The file of that name, where the page lists it.
    pub fn file(&self, filename: &str) -> Option<&File> {
        let found = self.files.binary_search_by(|file| file.filename.as_str().cmp(filename));
        found.ok().and_then(|at| self.files.get(at))
    }
}

/// One distribution file of a project page.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// The file's name, as the upstream gives it, percent-decoded.
    pub filename: String,
    /// Hash algorithm to lower-case hex digest.
    pub hashes: BTreeMap<String, String>,
    /// `requires-python` (PEP 503), unescaped.
    pub requires_python: Option<String>,
    /// Bytes (PEP 700).
    pub size: Option<u64>,
    /// ISO 8601 time as the upstream gave it (PEP 700), or when the file was first seen.
    pub upload_time: Option<String>,
    /// Whether the file is yanked (PEP 592).
    pub yanked: Yanked,
    /// Its core metadata (PEP 658, PEP 714).
    pub core_metadata: CoreMetadata,
    /// Whether `<file>.asc` exists (PEP 503).
    pub gpg_sig: Option<bool>,
    /// Whether a provenance object exists (PEP 740); where it lies is in [`Source`].
    pub provenance: bool,
    /// Keys that this model does not know.
    pub extra: BTreeMap<String, Value>,
}

impl File {
    /// The file's SHA-256 in lower-case hex, where one is known.
    pub fn sha256(&self) -> Option<&str> {
        self.hashes.get("sha256").map(String::as_str)
    }
}

/// Whether a file is yanked (PEP 592).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Yanked {
    /// Not yanked.
    #[default]
    No,
    /// Yanked without a reason.
    Yes,
    /// Yanked, and why.
    Because(String),
}

/// What a page says of a file's core metadata (PEP 658, PEP 714).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CoreMetadata {
    /// Nothing, or that there is none.
    #[default]
    None,
    /// There is some, its hash unknown.
    Unhashed,
    /// There is some: hash algorithm to lower-case hex digest.
    Hashes(BTreeMap<String, String>),
}

impl CoreMetadata {
    /// Its SHA-256 in hex, where one is given.
    pub fn sha256(&self) -> Option<&str> {
        match self {
            Self::Hashes(hashes) => hashes.get("sha256").map(String::as_str),
            Self::None | Self::Unhashed => None,
        }
    }
}

/// A project's status (PEP 792).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// `active`, `archived`, `quarantined`, `deprecated` or a later marker; `None` where the upstream gives none.
    pub marker: Option<String>,
    /// The reason, where one is given.
    pub reason: Option<String>,
}

/// Where a file and what belongs to it lie upstream.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Source {
    /// The file. Core metadata and signature lie beside it (`<url>.metadata`, `<url>.asc`).
    pub url: Url,
    /// The provenance object (PEP 740).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Url>,
}

/// File name to where it lies upstream.
pub type Sources = BTreeMap<String, Source>;
