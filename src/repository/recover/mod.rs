//! Going back to the last state that is known to be good, after somebody else signed with the online key (PEP 458, "In the
//! event of a key compromise").
//!
//! ```text
//! good      the good snapshot, in this store or in a copy: verified, and committed by its journal
//! part      what some bins say, of the then and of the now: compared, and dealt out to bins again
//! compare   what differs, by project; which pages can be put back
//! publish   every bin, the snapshot and the timestamp signed anew, in one publication
//! ```
//!
//! All is read bin by bin, twice: memory grows with what differs, not with the index.

mod compare;
mod error;
mod good;
mod part;
mod publish;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::store::Store;
use crate::tuf::{Digest, TargetFile};

use super::publisher::PublisherConfig;
use super::writer::Writer;
use super::{Base, restore};

pub use error::RecoverError;

/// Groups of bins that are read or written at once.
const TOGETHER: usize = 8;

/// What becomes of what differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is put back as it was. What came since is forgotten.
    Restore,
    /// It stays: the good state merely tells what to look at.
    Keep,
}

/// A recovery that is prepared: everything was read, nothing is written.
pub struct Recovery {
    writer: Writer,
    store: Store,
    /// Where the good state lies.
    source: Store,
    good: Base,
    comparison: Comparison,
    /// Pages to write again, by target path.
    pages: BTreeMap<String, TargetFile>,
}

/// What differs between the good state and the newest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The good snapshot's version.
    pub good: u64,
    /// The newest snapshot's version.
    pub newest: u64,
    /// By project.
    #[serde(skip)]
    pub projects: BTreeMap<String, Differences>,
    /// Targets that came since.
    pub added: u64,
    /// Targets that stand for other bytes since.
    pub changed: u64,
    /// Targets that went since.
    pub removed: u64,
    /// Projects whose good page is there no more: putting back drops them, until they are looked at again.
    pub lost: u64,
}

/// What differs of one project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// Targets that came since.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<Difference>,
    /// Targets that stand for other bytes since.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Difference>,
    /// Targets that went since.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Difference>,
    /// Names that are withdrawn now and were not, or the other way round, or stood for other bytes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<Difference>,
    /// What an operator had withdrawn, and has now, where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocks>,
    /// Its good page is there no more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

/// What an operator withdrew of a project: file names, or `*`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Blocks {
    /// In the good state.
    pub was: Vec<String>,
    /// Now.
    pub now: Vec<String>,
}

/// One target path, and what it stood and stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The target path.
    pub path: String,
    /// SHA-256 in the good state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<Digest>,
    /// SHA-256 now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Digest>,
}

/// What was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Recovered {
    /// The commit's number.
    pub commit: u64,
    /// The timestamp's version.
    pub timestamp: u64,
    /// The snapshot's version.
    pub snapshot: u64,
    /// How many bins were signed again.
    pub bins: u64,
}

impl Recovery {
    /// Reads both states and compares them. The good one is snapshot `to` of `store`, or of `from`, a copy. All writers must be
    /// stopped. `progress` is told how many groups of bins are done, and of how many.
    ///
    /// # Errors
    /// [`RecoverError`]. Nothing was changed.
    pub async fn prepare(
        store: Store,
        from: Option<Store>,
        to: u64,
        config: PublisherConfig,
        progress: impl Fn(u64, u64),
    ) -> Result<Self, RecoverError> {
        let source = from.unwrap_or_else(|| store.clone());
        let mut writer = Writer::start(store.clone(), config).await?;
        // Where the start could not complete the newest publication, says why.
        writer.catch_up().await?;
        fits(&writer)?;
        let newest = writer.base.snapshot.signed.version;
        if to > newest {
            return Err(RecoverError::NotOlder { version: to, newest });
        }
        let good = good::load(&store, &source, to).await?;
        let comparison = Comparison { good: to, newest, ..Comparison::default() };
        let mut recovery = Self { writer, store, source, good, comparison, pages: BTreeMap::new() };
        recovery.compare(progress).await?;
        Ok(recovery)
    }

    /// What differs.
    pub fn comparison(&self) -> &Comparison {
        &self.comparison
    }
}

/// Where there is no room for higher versions, a thief has given the last ones.
fn fits(writer: &Writer) -> Result<(), RecoverError> {
    let base = &writer.base;
    let timestamp = writer.repository.published().timestamp.signed.version;
    let online = [("timestamp", timestamp), ("snapshot", base.snapshot.signed.version)];
    let online = online.map(|(role, version)| (role.to_owned(), version));
    let bins = base.succinct.names().filter_map(|name| Some((base.version_of(&name)?, name)));
    let bins = bins.map(|(version, name)| (name, version));
    let commit = ("the journal".to_owned(), base.commit);
    match online.into_iter().chain([commit]).chain(bins).find(|(_, v)| *v > restore::HIGHEST) {
        Some((role, version)) => Err(RecoverError::NoRoom { role, version }),
        None => Ok(()),
    }
}
