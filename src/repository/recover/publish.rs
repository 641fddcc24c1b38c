//! The publication of a recovery: every bin, the snapshot and the timestamp are signed anew, whatever becomes of the targets.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::index::ProjectName;
use crate::store::{Durable, layout};
use crate::tuf::{Digest, Retired, TargetFile, TargetPath};

use super::super::attempt::Record;
use super::super::commit::{FileRecord, ProjectRecord};
use super::super::visible::Goal;
use super::super::{Base, Document, RepositoryError};
use super::compare::same;
use super::part::{Home, Part, bins_of, parts, project_of};
use super::{Difference, Differences, RecoverError, Recovered, Recovery, TOGETHER, Then};

/// What one part became.
#[derive(Default)]
struct Dealt {
    /// Names and versions of the bins that were written.
    versions: Vec<(String, u64)>,
    /// Files of lost projects that are no targets any more.
    dropped: Vec<(String, Digest)>,
}

impl Recovery {
    /// Publishes. `progress` is told how many groups of bins are done, and of how many.
    ///
    /// # Errors
    /// [`RecoverError`]. What was published before is as it was, unless the error came after the commit: then the next
    /// writer completes it.
    pub async fn publish(
        mut self,
        then: Then,
        progress: impl Fn(u64, u64),
    ) -> Result<Recovered, RecoverError> {
        let how = match then {
            Then::Restore => "restore",
            Then::Keep => "keep",
        };
        self.writer.by.push_str(&format!(", recover --to {} --{how}", self.comparison.good));
        let number = self.writer.after(self.writer.base.commit);
        if then == Then::Restore {
            self.write_pages(number).await?;
            // What the watcher remembers is of the state that goes.
            let cursors = vec![layout::watch("pages")];
            self.store.delete(cursors).await.map_err(RepositoryError::from)?;
        }
        let of = parts(&self.good.succinct, &self.writer.base.succinct);
        let on = &self.writer.base_to_build_on().await?;
        let this = &self;
        let dealt = stream::iter(0..of)
            .map(|index| this.deal(on, index, of, number, then))
            .buffer_unordered(TOGETHER)
            .try_fold((0, Dealt::default()), |(done, mut all), more| {
                all.versions.extend(more.versions);
                all.dropped.extend(more.dropped);
                progress(done + 1, of.into());
                async move { Ok((done + 1, all)) }
            })
            .await?
            .1;
        let bins = dealt.versions.len() as u64;
        let entries = dealt.versions.into_iter().chain(self.missing_entries());
        let base = self.writer.write_snapshot(on, number, entries, Durable::AtSync).await?;
        self.store.sync().await.map_err(RepositoryError::from)?;
        let projects = match then {
            Then::Restore => self.records(&dealt.dropped),
            Then::Keep => Vec::new(),
        };
        let record = Record { projects, renewed: bins, ..Record::default() };
        if !self.writer.commit(base, record).await? {
            let reason = "another writer made it: stop all of them, and begin again";
            return Err(RepositoryError::damaged(layout::commit(number), reason).into());
        }
        self.writer.make_visible(Goal::Commit(number)).await?;
        let published = self.writer.repository.published();
        Ok(Recovered {
            commit: number,
            timestamp: published.timestamp.signed.version,
            snapshot: published.base.snapshot.signed.version,
            bins,
        })
    }

    /// Writes the good pages for this commit: under the number of an old one garbage collection may take them.
    async fn write_pages(&self, number: u64) -> Result<(), RecoverError> {
        let pages = stream::iter(&self.pages).map(|(path, target)| async move {
            let page: Option<Document> = self.good_page(path, target).await?;
            let page = page.ok_or_else(|| RecoverError::Gone { object: path.clone() })?;
            Ok(self.writer.write_page(number, &page, Durable::AtSync).await?)
        });
        pages.buffer_unordered(TOGETHER).try_collect().await
    }

    /// Signs the bins of part `index` anew.
    async fn deal(
        &self,
        on: &Base,
        index: u32,
        of: u32,
        number: u64,
        then: Then,
    ) -> Result<Dealt, RecoverError> {
        let base = &self.writer.base;
        let range = bins_of(&base.succinct, index, of);
        let (now, mut bins) = Part::read(&self.store, base, range).await?;
        let mut dropped = Vec::new();
        let part = match then {
            Then::Keep => now,
            Then::Restore => {
                let mut good = self.good_part(index, of).await?;
                self.put_back(&mut good, &now, number);
                dropped = self.drop_lost(&mut good, &now);
                good
            }
        };
        part.deal(&base.succinct, &mut bins);
        let mut versions = Vec::new();
        for (index, bin) in bins {
            let written = self.writer.write_bin(on, index, bin, Durable::AtSync).await?;
            versions.push((written.name, written.signed.signed.version));
        }
        Ok(Dealt { versions, dropped })
    }

    /// Pages lie where they are published now, or under this commit.
    fn put_back(&self, good: &mut Part, now: &Part, number: u64) {
        for (path, target) in &mut good.targets {
            match now.targets.get(path) {
                Some(is) if same(is, target) => *target = is.clone(),
                _ if self.pages.contains_key(path) => {
                    if let Some(digest) = target.sha256() {
                        *target = TargetFile::new(digest, target.length, Some(number));
                    }
                }
                _ => {}
            }
        }
    }

    /// Takes the projects out whose page is lost. Their names keep their bytes. Which files are no targets any more.
    fn drop_lost(&self, good: &mut Part, now: &Part) -> Vec<(String, Digest)> {
        let projects = &self.comparison.projects;
        let is_lost = |path: &str| projects.get(project_of(path)).is_some_and(|d| d.lost);
        let lost: Vec<String> = good.targets.keys().filter(|path| is_lost(path)).cloned().collect();
        for path in lost {
            let Some(target) = good.targets.remove(&path) else { continue };
            let (Some(sha256), true) = (target.sha256(), path.starts_with("files/")) else {
                continue;
            };
            if let Ok(path) = TargetPath::new(path) {
                let retired = Retired { core_metadata: None, sha256, extra: BTreeMap::new() };
                good.retired.entry((path, Home::File)).or_insert(retired);
            }
        }
        let went = now.targets.iter().filter(|(path, _)| is_lost(path));
        let went = went.filter(|(path, _)| path.starts_with("files/"));
        went.filter_map(|(path, target)| Some((path.clone(), target.sha256()?))).collect()
    }

    /// Entries of the good snapshot that are gone: a client that knows them refuses a snapshot without.
    fn missing_entries(&self) -> Vec<(String, u64)> {
        let now = &self.writer.base.snapshot.signed.meta;
        let good = self.good.snapshot.signed.meta.iter();
        let missing = good.filter(|(name, _)| !now.contains_key(*name));
        let role = |name: &str| name.strip_suffix(".json").unwrap_or(name).to_owned();
        missing.map(|(name, entry)| (role(name), entry.version)).collect()
    }

    /// What the journal says of each project.
    fn records(&self, dropped: &[(String, Digest)]) -> Vec<ProjectRecord> {
        let records = self.comparison.projects.iter().filter_map(|(name, differences)| {
            let project = ProjectName::parse(name).ok()?;
            let Differences { added, changed, removed, blocked, lost, .. } = differences;
            let is = |d: &Difference| record(&d.path, d.now);
            let was = |d: &Difference| record(&d.path, d.was);
            let (added, removed): (Vec<FileRecord>, Vec<FileRecord>) = if *lost {
                let of = dropped.iter().filter(|(path, _)| project_of(path) == name);
                let went = of.filter_map(|(path, digest)| record(path, Some(*digest)));
                (Vec::new(), went.collect())
            } else {
                let back = changed.iter().chain(removed).filter_map(was).collect();
                (back, added.iter().chain(changed).filter_map(is).collect())
            };
            Some(ProjectRecord {
                project,
                added,
                removed,
                refused: Vec::new(),
                allowed: Vec::new(),
                blocked: blocked.as_ref().map(|blocked| blocked.was.clone()),
            })
        });
        records.collect()
    }
}

/// A file, by its target path; pages are told by their project's record.
fn record(path: &str, sha256: Option<Digest>) -> Option<FileRecord> {
    let filename = path.strip_prefix("files/")?.split_once('/')?.1.to_owned();
    Some(FileRecord { filename, sha256: sha256? })
}
