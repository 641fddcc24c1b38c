//! A change of one project, decided on the newest commit at the moment of its publication.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::index::{ProjectName, ProjectPage, Sources};
use crate::tuf::{Digest, Retired};

/// Decides, on what is published of a project, what shall be published of it.
pub trait Edit: Send + Sync {
    /// The project.
    fn project(&self) -> &ProjectName;

    /// The file names whose history [`ProjectBase::retired`] must hold.
    fn filenames(&self) -> Vec<String>;

    /// The newest commit that had been read when the look at the upstream began that this edit stands on; `None` where it
    /// stands on none. See [`Seen`].
    fn seen(&self) -> Option<u64> {
        None
    }

    /// Decides. Pure: called again when another publication came first.
    fn decide(&self, base: &ProjectBase) -> Decision;
}

/// An edit that stands on a look at the upstream.
pub struct Seen {
    /// The edit.
    pub edit: Arc<dyn Edit>,
    /// The newest commit that had been read when the look began ([`super::Repository::newest_commit`]).
    pub commit: u64,
}

impl Edit for Seen {
    fn project(&self) -> &ProjectName {
        self.edit.project()
    }

    fn filenames(&self) -> Vec<String> {
        self.edit.filenames()
    }

    fn seen(&self) -> Option<u64> {
        Some(self.commit)
    }

    fn decide(&self, base: &ProjectBase) -> Decision {
        self.edit.decide(base)
    }
}

/// What the newest commit says of a project.
#[derive(Debug, Clone, Default)]
pub struct ProjectBase {
    /// Its page, where one is signed.
    pub page: Option<Arc<ProjectPage>>,
    /// Names that were withdrawn, with what they stood for; of the names that the edit asked for.
    pub retired: BTreeMap<String, Retired>,
    /// What an operator withdrew.
    pub blocked: Blocked,
    /// When this is decided; the first-seen time of new files.
    pub now: Timestamp,
}

/// What an operator withdrew of a project.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Blocked {
    /// Nothing.
    #[default]
    Nothing,
    /// These files.
    Files(Vec<String>),
    /// All of it.
    Project,
}

/// What shall be published of a project.
#[derive(Debug, Clone, Default)]
pub struct Decision {
    /// What becomes of its page.
    pub page: PageChange,
    /// What an operator withdraws; `None` leaves it as it is.
    pub blocked: Option<Blocked>,
    /// What was not taken, and why.
    pub refused: Vec<Refused>,
    /// Names whose other hash an operator allowed: name, old hash, new hash.
    pub allowed: Vec<(String, Option<Digest>, Digest)>,
    /// Where the files lie upstream, where that is known anew.
    pub sources: Option<Sources>,
}

/// What becomes of a project's page.
#[derive(Debug, Clone, Default)]
pub enum PageChange {
    /// Nothing.
    #[default]
    Keep,
    /// It becomes this one; nothing is published where it is the same. Names that it no longer lists retire.
    Replace(Box<ProjectPage>),
    /// It is withdrawn, and all its names retire.
    Withdraw,
}

/// A file, or a page (`filename` is `None`), that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The project.
    pub project: ProjectName,
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// A label of `countersign_refusals_total`.
    pub reason: String,
    /// The hash that is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Digest>,
    /// What the upstream has instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

/// What became of an edit.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The commit that holds it, or the newest one where nothing had to change.
    pub commit: u64,
    /// Whether anything signed changed.
    pub changed: bool,
    /// What was not taken.
    pub refused: Vec<Refused>,
    /// What an operator's word let in: name, old hash, new hash.
    pub allowed: Vec<(String, Option<Digest>, Digest)>,
    /// File names added, removed (also changed ones, in both).
    pub added: Vec<String>,
    /// File names that are no longer listed.
    pub removed: Vec<String>,
}
