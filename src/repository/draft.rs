//! A publication in the making: which bins change, which pages are written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _, stream};
use jiff::Timestamp;

use crate::config::TargetsMode;
use crate::index::{
    CoreMetadata, File, Format, Links, ProjectName, ProjectPage, Sources, render_html, render_json,
};
use crate::tuf::{Retired, Signed, TargetFile, TargetPath, Targets};

use super::changes::{
    blocked_key, difference, drop_unnameable, files, forget, likely_paths, path_of_page, records,
    sha256,
};
use super::commit::{AllowedRecord, ProjectRecord};
use super::edit::{Blocked, Decision, Edit, PageChange, ProjectBase, Receipt};
use super::published::Base;
use super::{Document, Repository, RepositoryError, file_path};

/// Bins read at once.
const READS: usize = 16;

/// What is written, beside what the edits say.
#[derive(Debug, Clone)]
pub struct Contents {
    /// Whether files are targets.
    pub targets: TargetsMode,
    /// Whether HTML pages are written.
    pub html: bool,
    /// How pages refer to `/tuf/`.
    pub links: Links,
}

/// Everything that a publication writes before its snapshot.
pub(super) struct Draft<'a> {
    repository: &'a Repository,
    base: &'a Base,
    contents: &'a Contents,
    commit: u64,
    now: Timestamp,
    /// Bins that the edits look into, by number, until they are touched.
    read: BTreeMap<u32, Arc<Signed<Targets>>>,
    /// Touched bins, by number.
    pub(super) bins: BTreeMap<u32, Targets>,
    /// Pages to write.
    pub(super) pages: Vec<Document>,
    /// Advice to write.
    pub(super) sources: Vec<(ProjectName, Sources)>,
    /// For the journal.
    pub(super) records: Vec<ProjectRecord>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        repository: &'a Repository,
        base: &'a Base,
        contents: &'a Contents,
        now: Timestamp,
    ) -> Self {
        Self {
            repository,
            base,
            contents,
            commit: base.commit + 1,
            now,
            read: BTreeMap::new(),
            bins: BTreeMap::new(),
            pages: Vec::new(),
            sources: Vec::new(),
            records: Vec::new(),
        }
    }

    /// Reads the bins that `edits` will look into, many at once: one by one each would wait for the store.
    pub(super) async fn read_bins(&mut self, edits: &[Arc<dyn Edit>]) {
        let (base, repository) = (self.base, self.repository);
        let bins: BTreeSet<u32> = edits
            .iter()
            .flat_map(|edit| likely_paths(&**edit))
            .map(|path| base.succinct.index_of(path.as_str()))
            .collect();
        let read = |index: u32| {
            async move {
                let bin = repository.bin(base, &base.succinct.name(index)).await;
                // Whoever needs it meets the error.
                Some((index, bin.ok()?))
            }
            .boxed()
        };
        let mut reads = stream::iter(bins).map(read).buffer_unordered(READS);
        while let Some(bin) = reads.next().await {
            self.read.extend(bin);
        }
    }

    /// Takes in one edit; each project at most once.
    pub(super) async fn apply(&mut self, edit: &dyn Edit) -> Result<Receipt, RepositoryError> {
        let project = edit.project();
        let base = self.project_base(project, edit.filenames()).await?;
        let mut decision = edit.decide(&base);
        let new = self.new_page(project, &base, &mut decision).await?;
        let old_files = files(base.page.as_deref());
        let new_files = match &new {
            None => old_files.clone(),
            Some(page) => files(page.as_ref()),
        };
        let added = difference(&new_files, &old_files);
        let removed = difference(&old_files, &new_files);
        let changed = new.is_some() || decision.blocked.is_some();
        if let Some(page) = &new {
            self.replace_page(project, base.page.as_deref(), page.as_ref()).await?;
        }
        if let Some(blocked) = &decision.blocked {
            self.block(project, blocked).await?;
        }
        if let Some(sources) = decision.sources {
            let is_new = changed && base.page.is_none();
            self.keep_sources(project, sources, is_new).await?;
        }
        if changed {
            self.records.push(ProjectRecord {
                project: project.clone(),
                added: records(&added),
                removed: records(&removed),
                refused: decision.refused.clone(),
                allowed: decision
                    .allowed
                    .iter()
                    .map(|(filename, old, new)| AllowedRecord {
                        filename: filename.clone(),
                        old: *old,
                        new: *new,
                    })
                    .collect(),
                blocked: decision.blocked.as_ref().map(Blocked::to_names),
            });
        }
        Ok(Receipt {
            commit: if changed { self.commit } else { self.base.commit },
            changed,
            refused: decision.refused,
            allowed: decision.allowed,
            added: added.into_keys().collect(),
            removed: removed.into_keys().collect(),
        })
    }

    /// Marks bin `index` to be signed again.
    pub(super) async fn touch(&mut self, index: u32) -> Result<&mut Targets, RepositoryError> {
        use std::collections::btree_map::Entry;
        match self.bins.entry(index) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let bin = match self.read.remove(&index) {
                    Some(bin) => bin,
                    None => self.repository.bin(self.base, &self.base.succinct.name(index)).await?,
                };
                Ok(entry.insert(bin.signed.clone()))
            }
        }
    }

    async fn touch_for(&mut self, path: &TargetPath) -> Result<&mut Targets, RepositoryError> {
        self.touch(self.base.succinct.index_of(path.as_str())).await
    }

    /// Looks into the bin of `path`, as this draft has it.
    async fn look<T>(
        &self,
        path: &TargetPath,
        take: impl FnOnce(&Targets) -> T,
    ) -> Result<T, RepositoryError> {
        let index = self.base.succinct.index_of(path.as_str());
        if let Some(bin) = self.bins.get(&index) {
            return Ok(take(bin));
        }
        if let Some(bin) = self.read.get(&index) {
            return Ok(take(&bin.signed));
        }
        let bin = self.repository.bin(self.base, &self.base.succinct.name(index)).await?;
        Ok(take(&bin.signed))
    }

    async fn project_base(
        &self,
        project: &ProjectName,
        filenames: Vec<String>,
    ) -> Result<ProjectBase, RepositoryError> {
        let page = self.repository.model_in(self.base, project).await?;
        let json = path_of_page(project, Format::Json)?;
        let blocked = self.look(&json, |bin| Blocked::of(bin, project)).await?;
        let mut retired = BTreeMap::new();
        for filename in filenames {
            let Ok(path) = file_path(project, &filename) else { continue };
            let of = |bin: &Targets| bin.retired.as_ref()?.get(&path).cloned();
            let mut found = self.look(&path, of).await?;
            if found.is_none() {
                // Where it stands while only pages are targets.
                found = self.look(&json, of).await?;
            }
            if let Some(found) = found {
                retired.insert(filename, found);
            }
        }
        Ok(ProjectBase { page, retired, blocked, now: self.now })
    }

    /// `Some(Some(page))`: it becomes this page; `Some(None)`: it goes; `None`: it stays.
    async fn new_page(
        &self,
        project: &ProjectName,
        base: &ProjectBase,
        decision: &mut Decision,
    ) -> Result<Option<Option<ProjectPage>>, RepositoryError> {
        match std::mem::take(&mut decision.page) {
            PageChange::Keep => Ok(None),
            PageChange::Withdraw => Ok(base.page.as_ref().map(|_| None)),
            PageChange::Replace(mut page) => {
                drop_unnameable(project, &mut page, &mut decision.refused);
                let same = base.page.as_deref() == Some(&*page);
                if same && self.is_written_as_configured(project, &page).await? {
                    return Ok(None);
                }
                Ok(Some(Some(*page)))
            }
        }
    }

    /// Whether the configuration has not changed since `page` was written.
    async fn is_written_as_configured(
        &self,
        project: &ProjectName,
        page: &ProjectPage,
    ) -> Result<bool, RepositoryError> {
        let links = self.repository.links_in(self.base, project).await?;
        if links.as_deref() != Some(&self.contents.links) {
            return Ok(false);
        }
        let html = path_of_page(project, Format::Html)?;
        let has_html = self.look(&html, |bin| bin.targets.contains_key(html.as_str())).await?;
        if has_html != self.contents.html {
            return Ok(false);
        }
        let mut files = page.files.iter().filter_map(|file| {
            file.size?;
            file_path(project, &file.filename).ok()
        });
        let Some(path) = files.next() else { return Ok(true) };
        let is_target = self.look(&path, |bin| bin.targets.contains_key(path.as_str())).await?;
        Ok(is_target == (self.contents.targets == TargetsMode::All))
    }

    async fn replace_page(
        &mut self,
        project: &ProjectName,
        old: Option<&ProjectPage>,
        new: Option<&ProjectPage>,
    ) -> Result<(), RepositoryError> {
        self.write_page(project, Format::Json, new).await?;
        let html = new.filter(|_| self.contents.html);
        self.write_page(project, Format::Html, html).await?;
        let listed = files(new);
        for file in old.map(|page| page.files.as_slice()).unwrap_or_default() {
            if !listed.contains_key(&file.filename) {
                self.retire(project, file).await?;
            }
        }
        for file in new.map(|page| page.files.as_slice()).unwrap_or_default() {
            self.list(project, file).await?;
        }
        Ok(())
    }

    async fn write_page(
        &mut self,
        project: &ProjectName,
        format: Format,
        page: Option<&ProjectPage>,
    ) -> Result<(), RepositoryError> {
        let path = path_of_page(project, format)?;
        let current = self.look(&path, |bin| bin.targets.get(path.as_str()).cloned()).await?;
        let Some(page) = page else {
            if current.is_some() {
                self.touch_for(&path).await?.targets.remove(path.as_str());
            }
            return Ok(());
        };
        let links = &self.contents.links;
        let document = Document::new(match format {
            Format::Json => render_json(page, links),
            Format::Html => render_html(page, links),
        });
        if current.as_ref().and_then(TargetFile::sha256) == Some(document.digest) {
            return Ok(());
        }
        if let Some(current) = current {
            self.repository.supersede(project, format, &current).await;
        }
        let length = document.bytes.len() as u64;
        let target = TargetFile::new(document.digest, length, Some(self.commit));
        self.touch_for(&path).await?.targets.insert(path.into(), target);
        self.pages.push(document);
        Ok(())
    }

    /// Takes `file` out of the targets and remembers what its name stood for.
    async fn retire(&mut self, project: &ProjectName, file: &File) -> Result<(), RepositoryError> {
        let (Ok(path), Some(sha256)) = (file_path(project, &file.filename), sha256(file)) else {
            return Ok(());
        };
        let core_metadata = match &file.core_metadata {
            CoreMetadata::Hashes(hashes) => hashes.get("sha256").and_then(|h| h.parse().ok()),
            _ => None,
        };
        let retired = Retired { core_metadata, sha256, extra: Default::default() };
        let is_target = self.look(&path, |bin| bin.targets.contains_key(path.as_str())).await?;
        if is_target {
            self.touch_for(&path).await?.targets.remove(path.as_str());
        }
        let keeper = match self.contents.targets {
            TargetsMode::All => path.clone(),
            TargetsMode::Index => path_of_page(project, Format::Json)?,
        };
        let bin = self.touch_for(&keeper).await?;
        bin.retired.get_or_insert_default().insert(path, retired);
        Ok(())
    }

    /// Makes `file` a target, where files are.
    async fn list(&mut self, project: &ProjectName, file: &File) -> Result<(), RepositoryError> {
        let Ok(path) = file_path(project, &file.filename) else { return Ok(()) };
        let target = match (self.contents.targets, file.size, sha256(file)) {
            (TargetsMode::All, Some(size), Some(digest)) => {
                Some(TargetFile::new(digest, size, None))
            }
            _ => None,
        };
        let (current, is_retired) = self
            .look(&path, |bin| {
                let retired = bin.retired.as_ref().is_some_and(|r| r.contains_key(&path));
                (bin.targets.get(path.as_str()).cloned(), retired)
            })
            .await?;
        if current != target {
            let targets = &mut self.touch_for(&path).await?.targets;
            match target {
                Some(target) => targets.insert(path.as_str().to_owned(), target),
                None => targets.remove(path.as_str()),
            };
        }
        if is_retired {
            forget(self.touch_for(&path).await?, &path);
        }
        let json = path_of_page(project, Format::Json)?;
        let in_page_bin =
            |bin: &Targets| bin.retired.as_ref().is_some_and(|retired| retired.contains_key(&path));
        if self.look(&json, in_page_bin).await? {
            forget(self.touch_for(&json).await?, &path);
        }
        Ok(())
    }

    async fn block(
        &mut self,
        project: &ProjectName,
        blocked: &Blocked,
    ) -> Result<(), RepositoryError> {
        let bin = self.touch_for(&path_of_page(project, Format::Json)?).await?;
        let names = blocked.to_names();
        let all = bin.blocked.get_or_insert_default();
        if names.is_empty() {
            all.remove(&blocked_key(project));
        } else {
            all.insert(blocked_key(project), names);
        }
        if all.is_empty() {
            bin.blocked = None;
        }
        Ok(())
    }

    async fn keep_sources(
        &mut self,
        project: &ProjectName,
        sources: Sources,
        is_new: bool,
    ) -> Result<(), RepositoryError> {
        if is_new || self.repository.sources(project).await?.as_deref() != Some(&sources) {
            self.sources.push((project.clone(), sources));
        }
        Ok(())
    }
}
