//! Garbage collection: deletes what was superseded more than the grace period ago.
//!
//! Let T* be the highest-numbered timestamp that is older than the grace period by the store's clock. What it superseded
//! can be deleted, and nothing else:
//!
//! - timestamps of a lower number;
//! - snapshots and bins of a lower version than its snapshot and its bins have: versions never decrease, so that no
//!   later publication names one of these;
//! - pages written for its commit or an earlier one that its bins do not name: a page is named first by the commit that
//!   it was written for, and never again once a bin dropped it.
//!
//! Orphans are above T* until a later one passes them; nobody deletes its own outside of this rule. Roots and commits
//! are never deleted. Nor are versions of targets and bins, which people signed: there are a few of them in a
//! year, and they are part of the audit trail.
//!
//! Any number of processes may collect at once, and each may sleep at any instant. A sleeper that created an
//! object a second time, under a name that was freed meanwhile, must not make another believe that T* names less
//! than it does. Hence the second look: where T* still has its date and no higher timestamp is past the
//! grace period, nobody can have deleted anything that T* names, so that what was read of it is what was written.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use crate::store::{Listed, Store, layout};
use crate::tuf::{TargetFile, Targets};

use super::load::{self, Trust};
use super::published::Base;
use super::{RepositoryError, bin};

/// Bins read at once.
const READS: usize = 16;
/// Objects deleted at once: what S3 takes in one request.
const BATCH: usize = 1000;
/// How often a look begins again at once where a later timestamp came of age meanwhile.
const TRIES: usize = 5;

/// Collects garbage, again and again. It remembers what the bins name, 8 bytes a page, so that only those that changed
/// since its last pass are read.
#[derive(Debug)]
pub struct Collector {
    store: Store,
    grace: Duration,
    /// What the last T* showed.
    known: Option<Base>,
    /// The pages of each bin, by its number.
    bins: Vec<Known>,
}

/// How old a write must be that never came to its end.
const STAGED: Duration = Duration::from_secs(60 * 60);

/// What one version of a bin names.
#[derive(Debug, Clone, Default)]
struct Known {
    version: u64,
    pages: Box<[u64]>,
}

/// Whether a pass deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    Delete,
    /// It only tells what it would delete.
    DryRun,
}

/// What a pass tells on its way.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// So many bins are read, of so many.
    Bins(u64, u64),
    /// This object is garbage.
    Garbage(&'a str),
}

/// What a pass did: how many objects of each kind are deleted, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// Timestamps.
    pub timestamps: u64,
    /// Snapshots.
    pub snapshots: u64,
    /// Bins.
    pub bins: u64,
    /// Pages.
    pub pages: u64,
    /// Whether it ended before it deleted anything, since what it had read may have changed under it. The next pass
    /// does better.
    pub overtaken: bool,
}

impl Collected {
    /// All objects.
    pub fn objects(&self) -> u64 {
        self.timestamps + self.snapshots + self.bins + self.pages
    }
}

/// The highest timestamp that is past the grace period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Star {
    version: u64,
    date: Timestamp,
}

/// T*, with all that it names.
struct Named {
    star: Star,
    base: Base,
    /// Sorted: see [`page_key`].
    pages: Vec<u64>,
}

impl Collector {
    /// Collects in `store` what was superseded more than `grace` ago.
    pub fn new(store: Store, grace: Duration) -> Self {
        Self { store, grace, known: None, bins: Vec::new() }
    }

    /// Collects once.
    ///
    /// # Errors
    /// [`RepositoryError`] where something cannot be read, does not verify or cannot be deleted. What was deleted until
    /// then was garbage.
    pub async fn collect(
        &mut self,
        mode: Mode,
        progress: &(dyn Fn(Progress<'_>) + Send + Sync),
    ) -> Result<Collected, RepositoryError> {
        for _ in 0..TRIES {
            let Some(star) = self.star().await? else { return Ok(Collected::default()) };
            let read = self.read(star, progress).await;
            // Where it was overtaken, an object that is missing may have been garbage.
            if self.star().await? == Some(star) {
                let collected = self.sweep(&read?, mode, progress).await?;
                if mode == Mode::Delete {
                    self.store.sweep(self.grace.max(STAGED)).await?;
                }
                return Ok(collected);
            }
        }
        Ok(Collected { overtaken: true, ..Collected::default() })
    }

    /// T* of this moment.
    async fn star(&self) -> Result<Option<Star>, RepositoryError> {
        let now = self.store.now().await?;
        let Ok(limit) = now.checked_sub(self.grace) else { return Ok(None) };
        let timestamps = self.store.list(layout::TIMESTAMPS).await?;
        let old = timestamps.iter().filter(|listed| listed.modified < limit);
        let stars = old.filter_map(|Listed { name, modified, .. }| {
            Some(Star { version: layout::number(name)?, date: *modified })
        });
        Ok(stars.max_by_key(|star| star.version))
    }

    /// Reads what T* names, and verifies it on the way.
    async fn read(
        &mut self,
        star: Star,
        progress: &(dyn Fn(Progress<'_>) + Send + Sync),
    ) -> Result<Named, RepositoryError> {
        // It may be older than the newest root, whose online keys need not have signed it.
        let base = load::shown_by(&self.store, star.version, self.known.as_ref(), Trust::Chain)
            .await?
            .base;
        let known = self.known.replace(base.clone());
        if known.is_some_and(|known| !known.succinct.has_the_names_of(&base.succinct)) {
            self.bins.clear();
        }
        let count = base.succinct.count();
        self.bins.resize_with(usize::try_from(count).unwrap_or_default(), Known::default);
        let (store, base_ref) = (&self.store, &base);
        let stale = self.bins.iter_mut().zip(0_u32..).filter_map(|(known, index)| {
            let name = base_ref.succinct.name(index);
            (base_ref.version_of(&name) != Some(known.version)).then_some((known, index))
        });
        let stale: Vec<_> = stale
            .map(|(known, index)| async move {
                let (bin, _) = bin::read(store, base_ref, index).await?;
                let pages = pages(&bin.signed, &base_ref.succinct.name(index))?;
                *known = Known { version: bin.signed.version, pages };
                Ok::<_, RepositoryError>(())
            })
            .collect();
        let (mut read, fresh) = (0, count - stale.len() as u64);
        let mut reads = stream::iter(stale).buffer_unordered(READS);
        while reads.try_next().await?.is_some() {
            read += 1;
            progress(Progress::Bins(fresh + read, count));
        }
        drop(reads);
        let mut pages: Vec<u64> =
            self.bins.iter().flat_map(|known| known.pages.iter().copied()).collect();
        pages.sort_unstable();
        Ok(Named { star, base, pages })
    }

    /// Deletes what `named` superseded.
    async fn sweep(
        &self,
        named: &Named,
        mode: Mode,
        progress: &(dyn Fn(Progress<'_>) + Send + Sync),
    ) -> Result<Collected, RepositoryError> {
        let sweep = Sweep { store: &self.store, mode, progress };
        let timestamps = sweep
            .folder(layout::TIMESTAMPS, |name| {
                layout::number(name).is_some_and(|version| version < named.star.version)
            })
            .await?;
        let mut snapshots = 0;
        let metadata = sweep
            .folder(layout::METADATA, |name| {
                let snapshot = named.is_old_snapshot(name);
                snapshots += u64::from(snapshot);
                snapshot || named.is_old_bin(name)
            })
            .await?;
        let bins = metadata - snapshots;
        let pages = sweep.folder(layout::PAGES, |name| named.is_old_page(name)).await?;
        Ok(Collected { timestamps, snapshots, bins, pages, overtaken: false })
    }
}

impl Named {
    fn is_old_snapshot(&self, name: &str) -> bool {
        version_and_role(name).is_some_and(|(version, role)| {
            role == "snapshot" && version < self.base.snapshot.signed.version
        })
    }

    fn is_old_bin(&self, name: &str) -> bool {
        version_and_role(name).is_some_and(|(version, role)| {
            self.is_bin(role) && self.base.version_of(role).is_some_and(|named| version < named)
        })
    }

    /// Whether this is a bin, or was one before the last change of their number: the snapshot lists it on, and its last
    /// version stays.
    fn is_bin(&self, role: &str) -> bool {
        let delegations = self.base.targets.signed.delegations.iter();
        let mut delegated = delegations.flat_map(|to| to.roles.iter().flatten());
        self.base.succinct.has(role)
            || role.rsplit_once('-').is_some_and(|(_, digits)| {
                let hex = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
                !digits.is_empty() && digits.bytes().all(hex)
            }) && delegated.all(|other| other.name != role)
    }

    fn is_old_page(&self, name: &str) -> bool {
        let Some((digest, commit)) = name.split_once('.') else { return false };
        let (Ok(digest), Ok(commit)) = (digest.parse(), commit.parse::<u64>()) else {
            return false;
        };
        commit <= self.base.commit && self.pages.binary_search(&page_key(&digest, commit)).is_err()
    }
}

/// `<version>.<role>.json`
fn version_and_role(name: &str) -> Option<(u64, &str)> {
    let (version, role) = name.strip_suffix(".json")?.split_once('.')?;
    Some((version.parse().ok()?, role))
}

/// Deletes in batches, or tells what it would delete.
struct Sweep<'a> {
    store: &'a Store,
    mode: Mode,
    progress: &'a (dyn Fn(Progress<'_>) + Send + Sync),
}

impl Sweep<'_> {
    /// Deletes the objects of `folder` that are garbage; how many there were.
    async fn folder(
        &self,
        folder: &str,
        mut is_garbage: impl FnMut(&str) -> bool,
    ) -> Result<u64, RepositoryError> {
        let mut objects = self.store.each(folder);
        let mut batch = Vec::new();
        let mut count = 0;
        while let Some(listed) = objects.try_next().await? {
            if is_garbage(&listed.name) {
                let object = format!("{folder}/{}", listed.name);
                (self.progress)(Progress::Garbage(&object));
                batch.push(object);
                count += 1;
            }
            if batch.len() >= BATCH {
                self.delete(std::mem::take(&mut batch)).await?;
            }
        }
        self.delete(batch).await?;
        Ok(count)
    }

    async fn delete(&self, batch: Vec<String>) -> Result<(), RepositoryError> {
        if self.mode == Mode::Delete && !batch.is_empty() {
            self.store.delete(batch).await?;
        }
        Ok(())
    }
}

/// The keys of the pages that `bin` names.
fn pages(bin: &Targets, name: &str) -> Result<Box<[u64]>, RepositoryError> {
    let key = |(path, target): (&String, &TargetFile)| {
        let (Some(digest), Some(commit)) = (target.sha256(), target.commit()) else {
            let reason = format!("its target {path} names no object");
            return Err(RepositoryError::damaged(name, reason));
        };
        Ok(page_key(&digest, commit))
    };
    bin.targets.iter().filter(|(path, _)| path.starts_with("simple/")).map(key).collect()
}

/// 8 bytes that stand for a page. Two pages may have the same by chance: then garbage is kept, but nothing that is named is
/// deleted.
fn page_key(digest: &crate::tuf::Digest, commit: u64) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *digest.as_bytes();
    // One page may lie there for several commits: an odd factor keeps them apart.
    u64::from_be_bytes([a, b, c, d, e, f, g, h]) ^ commit.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
