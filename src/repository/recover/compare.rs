//! What differs between the good state and the newest, by project.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::store::{Store, layout};
use crate::tuf::{Digest, Retired, TargetFile, TargetPath};

use super::super::pages::unpack;
use super::super::{Document, RepositoryError};
use super::part::{Part, bins_of, parts, project_of};
use super::{Blocks, Comparison, Difference, Differences, RecoverError, Recovery, TOGETHER};

impl Recovery {
    /// Compares part by part, then finds the pages that would be put back.
    pub(super) async fn compare(
        &mut self,
        progress: impl Fn(u64, u64),
    ) -> Result<(), RecoverError> {
        let of = parts(&self.good.succinct, &self.writer.base.succinct);
        let this = &*self;
        let all: BTreeMap<String, Differences> = stream::iter(0..of)
            .map(|index| async move {
                let (good, now) = this.part(index, of).await?;
                Ok::<_, RecoverError>(differences(&good, &now))
            })
            .buffer_unordered(TOGETHER)
            .try_fold((0, BTreeMap::new()), |(done, mut all), found| {
                progress(done + 1, of.into());
                merge(&mut all, found);
                async move { Ok((done + 1, all)) }
            })
            .await?
            .1;
        self.comparison.projects = all;
        self.find_pages().await?;
        self.comparison.count();
        Ok(())
    }

    /// Part `index`: what the good state says, and what the newest does.
    async fn part(&self, index: u32, of: u32) -> Result<(Part, Part), RecoverError> {
        let now = &self.writer.base;
        let good = self.good_part(index, of).await?;
        let (now, _) = Part::read(&self.store, now, bins_of(&now.succinct, index, of)).await?;
        Ok((good, now))
    }

    pub(super) async fn good_part(&self, index: u32, of: u32) -> Result<Part, RecoverError> {
        let range = bins_of(&self.good.succinct, index, of);
        for bin in range.clone() {
            let name = self.good.succinct.name(bin);
            let version = self.good.version_of(&name).unwrap_or_default();
            let object = layout::metadata(version, &name);
            let there = self.source.date(&object).await.map_err(RepositoryError::from)?;
            there.ok_or(RecoverError::Gone { object })?;
        }
        Ok(Part::read(&self.source, &self.good, range).await?.0)
    }

    /// Which of the good pages that are published no more can be written again.
    async fn find_pages(&mut self) -> Result<(), RecoverError> {
        let of = parts(&self.good.succinct, &self.writer.base.succinct);
        let mut wanted = BTreeSet::new();
        for differences in self.comparison.projects.values() {
            let back = differences.changed.iter().chain(&differences.removed);
            wanted.extend(back.map(|d| d.path.as_str()).filter(|path| is_page(path)));
        }
        let indices: BTreeSet<u32> = wanted
            .iter()
            .map(|path| {
                let bin = self.good.succinct.index_of(path);
                let each = self.good.succinct.count() / u64::from(of.max(1));
                u32::try_from(u64::from(bin) / each.max(1)).unwrap_or_default()
            })
            .collect();
        let (mut pages, mut lost) = (BTreeMap::new(), BTreeSet::new());
        for index in indices {
            for (path, target) in self.good_part(index, of).await?.targets {
                if !wanted.contains(path.as_str()) {
                    continue;
                }
                match self.good_page(&path, &target).await? {
                    Some(_) => drop(pages.insert(path, target)),
                    None => drop(lost.insert(project_of(&path).to_owned())),
                }
            }
        }
        pages.retain(|path, _| !lost.contains(project_of(path)));
        self.pages = pages;
        for project in lost {
            self.comparison.projects.entry(project).or_default().lost = true;
        }
        Ok(())
    }

    /// The bytes of a page of the good state, where they are left: in this store or in the copy.
    pub(super) async fn good_page(
        &self,
        path: &str,
        target: &TargetFile,
    ) -> Result<Option<Document>, RepositoryError> {
        let (Some(digest), Some(commit)) = (target.sha256(), target.commit()) else {
            return Err(RepositoryError::damaged(path, "its target names no object"));
        };
        let name = layout::page(&digest, commit);
        for store in [&self.source, &self.store] {
            if let Some(page) = page(store, &name, &digest, target.length).await? {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }
}

async fn page(
    store: &Store,
    name: &str,
    digest: &Digest,
    length: u64,
) -> Result<Option<Document>, RepositoryError> {
    let stored = store.read(name).await?;
    Ok(stored.and_then(|stored| unpack(&stored, digest, length).ok()))
}

pub(super) fn is_page(path: &str) -> bool {
    path.starts_with("simple/")
}

impl Comparison {
    fn count(&mut self) {
        let sum = |count: fn(&Differences) -> usize| {
            self.projects.values().map(|differences| count(differences) as u64).sum()
        };
        (self.added, self.changed) = (sum(|d| d.added.len()), sum(|d| d.changed.len()));
        (self.removed, self.lost) = (sum(|d| d.removed.len()), sum(|d| d.lost.into()));
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.projects.is_empty()
    }
}

/// Whether two targets stand for the same bytes. When a page was published says nothing of what it is.
pub(super) fn same(one: &TargetFile, other: &TargetFile) -> bool {
    one.length == other.length && one.hashes == other.hashes
}

/// Only what differs has an entry.
fn of<'a>(all: &'a mut BTreeMap<String, Differences>, path: &str) -> &'a mut Differences {
    all.entry(project_of(path).to_owned()).or_default()
}

/// What differs between two states of one part.
pub(super) fn differences(good: &Part, now: &Part) -> BTreeMap<String, Differences> {
    let mut all = BTreeMap::<String, Differences>::new();
    let difference = |path: &str, was: Option<Digest>, now: Option<Digest>| Difference {
        path: path.to_owned(),
        was,
        now,
    };
    for (path, target) in &now.targets {
        match good.targets.get(path) {
            None => of(&mut all, path).added.push(difference(path, None, target.sha256())),
            Some(was) if !same(was, target) => {
                of(&mut all, path).changed.push(difference(path, was.sha256(), target.sha256()));
            }
            Some(_) => {}
        }
    }
    for (path, was) in good.targets.iter().filter(|(path, _)| !now.targets.contains_key(*path)) {
        of(&mut all, path).removed.push(difference(path, was.sha256(), None));
    }
    let (was, is) = (retired(good), retired(now));
    let names: BTreeSet<&TargetPath> = was.keys().chain(is.keys()).copied().collect();
    for name in names {
        let (was, is) = (was.get(name), is.get(name));
        if was != is {
            let hashes = (was.map(|r| r.sha256), is.map(|r| r.sha256));
            let found = difference(name.as_str(), hashes.0, hashes.1);
            of(&mut all, name.as_str()).retired.push(found);
        }
    }
    let keys: BTreeSet<&String> = good.blocked.keys().chain(now.blocked.keys()).collect();
    for key in keys {
        let names = |part: &Part| part.blocked.get(key).cloned().unwrap_or_default();
        let (was, now) = (names(good), names(now));
        if was != now {
            of(&mut all, key).blocked = Some(Blocks { was, now });
        }
    }
    all
}

/// In whichever bin they stand: that follows from how many there are.
fn retired(part: &Part) -> BTreeMap<&TargetPath, &Retired> {
    part.retired.iter().map(|((path, _), retired)| (path, retired)).collect()
}

/// Takes in what was found in another part: a project's files lie in many.
fn merge(all: &mut BTreeMap<String, Differences>, found: BTreeMap<String, Differences>) {
    for (project, more) in found {
        let Differences { added, changed, removed, retired, blocked, lost } = more;
        let one = all.entry(project).or_default();
        for (list, more) in [
            (&mut one.added, added),
            (&mut one.changed, changed),
            (&mut one.removed, removed),
            (&mut one.retired, retired),
        ] {
            list.extend(more);
            list.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        }
        one.blocked = blocked.or(one.blocked.take());
        one.lost |= lost;
    }
}
