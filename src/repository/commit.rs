//! The journal: one record a commit.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::index::ProjectName;
use crate::tuf::Digest;

use super::beside::Beside;
use super::edit::Refused;

/// One commit: the object whose creation makes a publication happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// Its number, as in its name.
    pub number: u64,
    /// The snapshot that it publishes.
    pub snapshot: SnapshotRef,
    /// Tells the writer's own commit from another's of the same number.
    pub nonce: String,
    /// When it was made, by the writer's clock.
    pub at: Timestamp,
    /// Who made it: host and process.
    pub by: String,
    /// What changed, by project. Empty for a renewal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<ProjectRecord>,
    /// How many bins were signed again because their time was up.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub renewed: u64,
    /// New versions of root, targets and bins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleRecord>,
    /// Who signs timestamp and snapshot beside those that the newest root names; every later commit carries it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
    /// The version of the timestamp that shows it first, where clients have seen lower ones: of a repository that was taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
}

/// A version of an offline role that a commit publishes. That of a root is recorded just before it becomes visible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleRecord {
    /// `root`, `targets` or `bins`.
    pub role: String,
    /// Its version.
    pub version: u64,
    /// SHA-256 of its object.
    pub sha256: Digest,
}

/// Which snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRef {
    /// Version.
    pub version: u64,
    /// SHA-256 of the file.
    pub sha256: Digest,
}

/// What a commit changed of a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProjectRecord {
    /// The project.
    pub project: ProjectName,
    /// File names that are signed anew, with their hash.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<FileRecord>,
    /// File names that are no longer signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<FileRecord>,
    /// What was not taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
    /// What an operator's word let in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<AllowedRecord>,
    /// What an operator withdrew: file names, or `*` for all; present only where that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Vec<String>>,
}

/// A file in a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Name.
    pub filename: String,
    /// SHA-256.
    pub sha256: Digest,
}

/// An operator's override.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedRecord {
    /// Name.
    pub filename: String,
    /// The hash that the name stood for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Digest>,
    /// The hash that it stands for now.
    pub new: Digest,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}
