//! One attempt at a publication: pages, bins and snapshot under names that nobody can see yet, then the commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use crate::index::ProjectName;
use crate::store::{Created, Durable, layout};
use crate::tuf::{MetaFile, Signed, Targets};

use super::commit::{Commit, ProjectRecord, RoleRecord, SnapshotRef};
use super::pages::{pack, unpack};
use super::published::Base;
use super::signing::{expiry, sign_bin, sign_top, within};
use super::writer::Writer;
use super::{Document, RepositoryError, load};

/// Largest metadata files that clients take (python-tuf's limits), bytes.
pub(super) const LARGEST_BIN: usize = 5_000_000;
pub(super) const LARGEST_SNAPSHOT: usize = 2_000_000;
/// From so many objects on, one sync of the file system is cheaper than one an object.
const BULK: usize = 32;
/// Objects written at once.
pub(super) const WRITES: usize = 16;

/// What a publication changes.
pub(super) struct Plan {
    /// Touched bins, by number, in the version that the base names.
    pub(super) bins: BTreeMap<u32, Targets>,
    pub(super) pages: Vec<Document>,
    pub(super) records: Vec<ProjectRecord>,
    /// Projects whose change was seen at the upstream by this process.
    pub(super) looked_at: Vec<ProjectName>,
    /// How many of the bins are signed again for their age.
    pub(super) renewed: u64,
    pub(super) snapshot_due: bool,
}

/// What a commit records.
#[derive(Default)]
pub(super) struct Record {
    pub(super) projects: Vec<ProjectRecord>,
    /// How many bins are signed again for their age.
    pub(super) renewed: u64,
    pub(super) roles: Vec<RoleRecord>,
}

/// A bin that was written.
pub(super) struct WrittenBin {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) signed: Arc<Signed<Targets>>,
    bytes: Bytes,
}

impl Plan {
    pub(super) fn is_empty(&self) -> bool {
        self.bins.is_empty() && !self.snapshot_due
    }
}

impl Writer {
    /// Writes what `plan` says and commits it on the base; `false` where another writer made that commit.
    pub(super) async fn attempt(&mut self, plan: Plan) -> Result<bool, RepositoryError> {
        let Plan { bins, pages, records, looked_at, renewed, .. } = plan;
        self.check_clock()?;
        self.check_folder().await?;
        let number = self.after(self.base.commit);
        let bulk = bins.len() + pages.len() > BULK;
        let durable = if bulk { Durable::AtSync } else { Durable::Now };
        self.write_pages(number, &pages, durable).await?;
        let on = self.base_to_build_on().await?;
        let written = self.write_bins(&on, bins, durable).await?;
        let versions = written.iter().map(|bin| (bin.name.clone(), bin.signed.signed.version));
        let base = self.write_snapshot(&on, number, versions, durable).await?;
        if bulk {
            self.store.sync().await?;
        }
        let record = Record { projects: records, renewed, roles: Vec::new() };
        if !self.commit(base, record).await? {
            return Ok(false);
        }
        if self.store.is_shared() {
            looked_at.iter().for_each(|project| self.touched.note(project, number));
        }
        for WrittenBin { index, name, signed, bytes } in written {
            self.record(index, &signed.signed);
            self.repository.keep_bin(&name, signed, bytes).await;
        }
        self.show_bins();
        for page in pages {
            self.repository.keep_page(page).await;
        }
        Ok(true)
    }

    /// A folder that was put back under this process has lost the base. (Of a shared store the newest commit is read.)
    pub(super) async fn check_folder(&self) -> Result<(), RepositoryError> {
        let known = self.base.commit;
        if self.store.is_shared() || self.store.date(&layout::commit(known)).await?.is_some() {
            return Ok(());
        }
        Err(RepositoryError::Ahead { what: "commit", known })
    }

    /// Commits `base`, all of whose objects are durable; `false` where another writer made that commit.
    pub(super) async fn commit(
        &mut self,
        base: Base,
        record: Record,
    ) -> Result<bool, RepositoryError> {
        let Record { projects, renewed, roles } = record;
        let at = self.watch.now();
        let commit = Commit {
            number: base.commit,
            snapshot: SnapshotRef {
                version: base.snapshot.signed.version,
                sha256: base.snapshot_document.digest,
            },
            nonce: self.next_nonce(),
            at,
            by: self.by.clone(),
            projects,
            renewed,
            roles,
            beside: base.beside.as_deref().cloned(),
            timestamp: None,
        };
        if !self.write_commit(&commit).await? {
            return Ok(false);
        }
        self.repository.note_commit(base.commit);
        self.build_on(base);
        self.last = at;
        Ok(true)
    }

    /// Compares this machine's clock with the date that a shared store gave `object`, written since `began`.
    async fn compare_clocks(&self, began: Timestamp, object: &str) -> Result<(), RepositoryError> {
        if !self.store.is_shared() {
            return Ok(());
        }
        match self.store.date(object).await? {
            Some(date) => self.watch.compare(began, date),
            None => Err(RepositoryError::damaged(object, "it was written and is not there")),
        }
    }

    async fn write_pages(
        &self,
        commit: u64,
        pages: &[Document],
        durable: Durable,
    ) -> Result<(), RepositoryError> {
        let writes: Vec<_> =
            pages.iter().map(|page| self.write_page(commit, page, durable)).collect();
        stream::iter(writes).buffer_unordered(WRITES).try_collect().await
    }

    pub(super) async fn write_page(
        &self,
        commit: u64,
        page: &Document,
        durable: Durable,
    ) -> Result<(), RepositoryError> {
        let name = layout::page(&page.digest, commit);
        let packed = pack(&page.bytes).map_err(|e| RepositoryError::damaged(&name, e))?;
        let packed = Bytes::from(packed);
        if self.store.create(&name, packed.clone(), durable).await? == Created::New {
            return Ok(());
        }
        // An interrupted attempt wrote it, or another writer; it must hold the same.
        let stored = load::object(&self.store, &name).await?;
        match unpack(&stored, &page.digest, page.bytes.len() as u64) {
            Ok(_) => {}
            // Torn when the power went, before anybody could see it.
            Err(_) if !self.store.is_shared() => self.store.replace(&name, packed).await?,
            Err(reason) => return Err(RepositoryError::damaged(&name, reason)),
        }
        Ok(())
    }

    async fn write_bins(
        &self,
        on: &Base,
        bins: BTreeMap<u32, Targets>,
        durable: Durable,
    ) -> Result<Vec<WrittenBin>, RepositoryError> {
        // Boxed one by one: as a list the futures of many bins take more memory than the bins.
        let write = |(index, bin)| self.write_bin(on, index, bin, durable).boxed();
        stream::iter(bins).map(write).buffer_unordered(WRITES).try_collect().await
    }

    /// Writes the next version of a bin that `on` delegates to.
    pub(super) async fn write_bin(
        &self,
        on: &Base,
        index: u32,
        mut bin: Targets,
        durable: Durable,
    ) -> Result<WrittenBin, RepositoryError> {
        let name = on.succinct.name(index);
        bin.bin = Some(name.clone());
        bin.expires = expiry(&name, self.online.validity.bin, self.watch.now())?;
        loop {
            bin.version = self.after(bin.version);
            let signed = sign_bin(&self.online, on, &name, bin).await?;
            let bytes = within(&name, signed.to_bytes()?, LARGEST_BIN)?;
            let object = layout::metadata(signed.signed.version, &name);
            // A name that is taken is an orphan's, or another writer's: passed over.
            if self.store.create(&object, bytes.clone(), durable).await? == Created::New {
                return Ok(WrittenBin { index, name, signed: Arc::new(signed), bytes });
            }
            bin = signed.signed;
        }
    }

    /// Writes the snapshot of commit `number`, with what `on` has otherwise, and gives the base that it makes.
    pub(super) async fn write_snapshot(
        &self,
        on: &Base,
        number: u64,
        roles: impl IntoIterator<Item = (String, u64)>,
        durable: Durable,
    ) -> Result<Base, RepositoryError> {
        let mut snapshot = on.snapshot.signed.clone();
        for (name, version) in roles {
            snapshot.meta.insert(format!("{name}.json"), MetaFile::version(version));
        }
        snapshot.commit = Some(number);
        snapshot.expires = expiry("snapshot", self.online.validity.snapshot, self.watch.now())?;
        loop {
            snapshot.version = self.after(snapshot.version);
            let signed = sign_top(&self.online, on, "snapshot", snapshot).await?;
            let bytes = within("snapshot", signed.to_bytes()?, LARGEST_SNAPSHOT)?;
            let object = layout::metadata(signed.signed.version, "snapshot");
            let began = self.watch.now();
            if self.store.create(&object, bytes.clone(), durable).await? == Created::New {
                self.compare_clocks(began, &object).await?;
                return Ok(Base {
                    commit: number,
                    snapshot: Arc::new(signed),
                    snapshot_document: Arc::new(Document::new(bytes)),
                    outdated: false,
                    ..on.clone()
                });
            }
            snapshot = signed.signed;
        }
    }

    /// Creates the commit: of several writers exactly one succeeds. Its number is never passed over.
    async fn write_commit(&self, commit: &Commit) -> Result<bool, RepositoryError> {
        let name = layout::commit(commit.number);
        let bytes = serde_json::to_vec(commit).map_err(|e| RepositoryError::damaged(&name, e))?;
        match self.store.create(&name, bytes, Durable::Now).await {
            Ok(Created::New) => Ok(true),
            // The answer to an earlier try may have been lost.
            Ok(Created::Taken) => {
                Ok(load::commit(&self.store, commit.number).await?.nonce == commit.nonce)
            }
            Err(error) => match load::commit(&self.store, commit.number).await {
                Ok(found) if found.nonce == commit.nonce => Ok(true),
                _ => Err(error.into()),
            },
        }
    }
}
