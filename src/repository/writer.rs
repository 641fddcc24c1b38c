//! One publication after the other: pages, bins and snapshot, then the commit, then the timestamp.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::config::ValidityConfig;
use crate::signer::{self, Signer};
use crate::store::{Created, Durable, Store, layout};
use crate::telemetry::Metrics;
use crate::tuf::{MetaFile, Role, Signed, Targets};

use super::census::Census;
use super::commit::{Commit, ProjectRecord, SnapshotRef};
use super::draft::{Contents, Draft};
use super::edit::{Edit, Receipt};
use super::published::{Base, Published};
use super::publisher::PublisherConfig;
use super::reader::{pack, unpack};
use super::signing::{authorized, expiry, nonce, now, top_level, within, write_timestamp};
use super::{Document, Repository, RepositoryError, gauges, load};

/// Largest metadata files that clients take (python-tuf's limits), bytes.
const LARGEST_BIN: usize = 5_000_000;
const LARGEST_SNAPSHOT: usize = 2_000_000;
/// From so many objects on, one sync of the file system is cheaper than one an object.
const BULK: usize = 32;
/// Objects written at once.
const WRITES: usize = 16;

/// The one that writes: it holds the online keys.
pub(super) struct Writer {
    store: Store,
    repository: Repository,
    signers: Vec<Arc<dyn Signer>>,
    contents: Contents,
    validity: ValidityConfig,
    metrics: Arc<Metrics>,
    base: Base,
    census: Census,
    /// A publication failed: what the store holds must be read again.
    unsure: bool,
}

/// A bin that was written.
struct WrittenBin {
    index: u32,
    name: String,
    signed: Arc<Signed<Targets>>,
    bytes: Bytes,
}

impl Writer {
    /// A writer on the newest commit; where no timestamp shows that one yet, signs it.
    pub(super) async fn start(
        store: Store,
        config: PublisherConfig,
    ) -> Result<Self, RepositoryError> {
        let PublisherConfig { memory, signers, contents, validity, metrics } = config;
        let number = load::newest_commit(&store).await?.ok_or(RepositoryError::Missing)?;
        let base = load::base(&store, number).await?;
        let timestamp = load::timestamp(&store, &base.root.signed).await?;
        let shown = match timestamp {
            Some((timestamp, document)) if timestamp.signed.commit == Some(number) => Published {
                base: base.clone(),
                timestamp: Arc::new(timestamp),
                timestamp_document: document,
            },
            older => {
                let version = older.map_or(0, |(timestamp, _)| timestamp.signed.version);
                tracing::info!(commit = number, "completing a publication that was interrupted");
                write_timestamp(&store, &signers, &validity, &base, version, now()).await?
            }
        };
        gauges::roles(&metrics, &shown);
        let repository = Repository::over(shown, store.clone(), memory);
        let census = Census::new(base.succinct.count());
        Ok(Self {
            store,
            repository,
            signers,
            contents,
            validity,
            metrics,
            base,
            census,
            unsure: false,
        })
    }

    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    pub(super) fn base(&self) -> &Base {
        &self.base
    }

    pub(super) fn census(&self) -> &Census {
        &self.census
    }

    /// Takes a bin that was read into the census.
    pub(super) fn record(&mut self, index: u32, bin: &Targets) {
        self.census.record(index, bin);
    }

    /// Shows what the census knows.
    pub(super) fn show_bins(&self) {
        gauges::bins(&self.metrics, &self.census);
    }

    pub(super) fn validity(&self) -> &ValidityConfig {
        &self.validity
    }

    /// Publishes `edits` (each project at most once) and signs the bins `renew` again, as one commit; nothing
    /// where nothing changes. `snapshot_due` makes a commit all the same.
    pub(super) async fn publish(
        &mut self,
        edits: &[Arc<dyn Edit>],
        renew: &[u32],
        snapshot_due: bool,
    ) -> Result<Vec<Receipt>, RepositoryError> {
        self.catch_up().await?;
        let base = self.base.clone();
        let contents = self.contents.clone();
        let repository = self.repository.clone();
        let mut draft = Draft::new(&repository, &base, &contents, now());
        let mut receipts = Vec::with_capacity(edits.len());
        for edit in edits {
            receipts.push(draft.apply(&**edit).await?);
        }
        for index in renew {
            draft.touch(*index).await?;
        }
        let Draft { bins, pages, sources, records, .. } = draft;
        for (project, sources) in &sources {
            let bytes = serde_json::to_vec(sources)
                .map_err(|e| RepositoryError::damaged(layout::sources(project), e))?;
            self.store.put(&layout::sources(project), bytes).await?;
            self.repository.forget_sources(project).await;
        }
        if bins.is_empty() && !snapshot_due {
            return Ok(receipts);
        }
        self.unsure = true;
        let _duration = self.metrics.publication_duration.start_timer();
        self.commit(bins, pages, records, renew.len() as u64).await?;
        self.show().await?;
        self.unsure = false;
        Ok(receipts)
    }

    /// Signs the timestamp again for the same commit.
    pub(super) async fn renew_timestamp(&mut self) -> Result<(), RepositoryError> {
        self.catch_up().await?;
        self.show().await
    }

    /// Whether a publication failed, so that the store may hold more than is shown.
    pub(super) fn is_unsure(&self) -> bool {
        self.unsure
    }

    /// After a failure: takes in what the store holds, which may be the commit that seemed to fail.
    pub(super) async fn catch_up(&mut self) -> Result<(), RepositoryError> {
        if !self.unsure {
            return Ok(());
        }
        let newest = load::newest_commit(&self.store).await?.ok_or(RepositoryError::Missing)?;
        if newest != self.base.commit {
            self.base = load::base(&self.store, newest).await?;
        }
        if self.repository.published().base.commit != self.base.commit {
            self.show().await?;
        }
        self.unsure = false;
        Ok(())
    }

    async fn commit(
        &mut self,
        bins: BTreeMap<u32, Targets>,
        pages: Vec<Document>,
        projects: Vec<ProjectRecord>,
        renewed: u64,
    ) -> Result<(), RepositoryError> {
        let number = self.base.commit + 1;
        let bulk = bins.len() + pages.len() > BULK;
        let durable = if bulk { Durable::AtSync } else { Durable::Now };
        self.write_pages(number, &pages, durable).await?;
        let written = self.write_bins(bins, durable).await?;
        let base = self.write_snapshot(number, &written, durable).await?;
        if bulk {
            self.store.sync().await?;
        }
        let commit = Commit {
            number,
            snapshot: SnapshotRef {
                version: base.snapshot.signed.version,
                sha256: base.snapshot_document.digest,
            },
            nonce: nonce()?,
            at: now(),
            by: format!("process {}", std::process::id()),
            projects,
            renewed,
        };
        self.write_commit(&commit).await?;
        self.base = base;
        for WrittenBin { index, name, signed, bytes } in written {
            self.record(index, &signed.signed);
            self.repository.keep_bin(&name, signed, bytes).await;
        }
        self.show_bins();
        for page in pages {
            self.repository.keep_page(page).await;
        }
        Ok(())
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

    async fn write_page(
        &self,
        commit: u64,
        page: &Document,
        durable: Durable,
    ) -> Result<(), RepositoryError> {
        let name = layout::page(&page.digest, commit);
        let packed = pack(&page.bytes).map_err(|e| RepositoryError::damaged(&name, e))?;
        if self.store.create(&name, packed, durable).await? == Created::Taken {
            // An interrupted attempt wrote it; it must hold the same.
            let stored = load::object(&self.store, &name).await?;
            unpack(&stored, &page.digest, page.bytes.len() as u64)
                .map_err(|reason| RepositoryError::damaged(&name, reason))?;
        }
        Ok(())
    }

    async fn write_bins(
        &self,
        bins: BTreeMap<u32, Targets>,
        durable: Durable,
    ) -> Result<Vec<WrittenBin>, RepositoryError> {
        let writes: Vec<_> =
            bins.into_iter().map(|(index, bin)| self.write_bin(index, bin, durable)).collect();
        stream::iter(writes).buffer_unordered(WRITES).try_collect().await
    }

    async fn write_bin(
        &self,
        index: u32,
        mut bin: Targets,
        durable: Durable,
    ) -> Result<WrittenBin, RepositoryError> {
        let name = self.base.succinct.name(index);
        bin.expires = expiry(&name, self.validity.bin, now())?;
        loop {
            bin.version += 1;
            let signed = self.sign(&name, bin.clone()).await?;
            if let Some(delegations) = &self.base.bins.signed.delegations {
                delegations.verify(&name, &signed).map_err(RepositoryError::metadata(&name))?;
            }
            let bytes = within(&name, signed.to_bytes()?, LARGEST_BIN)?;
            let object = layout::metadata(bin.version, &name);
            // A name that is taken is an orphan's: passed over.
            if self.store.create(&object, bytes.clone(), durable).await? == Created::New {
                return Ok(WrittenBin { index, name, signed: Arc::new(signed), bytes });
            }
        }
    }

    /// Writes the snapshot of commit `number` and gives the base that it makes.
    async fn write_snapshot(
        &self,
        number: u64,
        written: &[WrittenBin],
        durable: Durable,
    ) -> Result<Base, RepositoryError> {
        let mut snapshot = self.base.snapshot.signed.clone();
        for WrittenBin { name, signed, .. } in written {
            let entry = MetaFile::version(signed.signed.version);
            snapshot.meta.insert(format!("{name}.json"), entry);
        }
        snapshot.commit = Some(number);
        snapshot.expires = expiry("snapshot", self.validity.snapshot, now())?;
        loop {
            snapshot.version += 1;
            let signed = self.sign("snapshot", snapshot.clone()).await?;
            let root = &self.base.root.signed;
            root.verify("snapshot", &signed).map_err(RepositoryError::metadata("snapshot"))?;
            let bytes = within("snapshot", signed.to_bytes()?, LARGEST_SNAPSHOT)?;
            let object = layout::metadata(snapshot.version, "snapshot");
            if self.store.create(&object, bytes.clone(), durable).await? == Created::New {
                return Ok(Base {
                    commit: number,
                    snapshot: Arc::new(signed),
                    snapshot_document: Arc::new(Document::new(bytes)),
                    ..self.base.clone()
                });
            }
        }
    }

    async fn write_commit(&self, commit: &Commit) -> Result<(), RepositoryError> {
        let name = layout::commit(commit.number);
        let bytes = serde_json::to_vec(commit).map_err(|e| RepositoryError::damaged(&name, e))?;
        if self.store.create(&name, bytes, Durable::Now).await? == Created::New {
            return Ok(());
        }
        // The answer to an earlier try may have been lost.
        if load::commit(&self.store, commit.number).await?.nonce == commit.nonce {
            return Ok(());
        }
        Err(RepositoryError::damaged(name, "another writer made it"))
    }

    /// Signs a timestamp that shows the base, and makes it the one that is served.
    async fn show(&mut self) -> Result<(), RepositoryError> {
        let newest = self.repository.published().timestamp.signed.version;
        let published =
            write_timestamp(&self.store, &self.signers, &self.validity, &self.base, newest, now())
                .await?;
        gauges::roles(&self.metrics, &published);
        if published.base.commit > self.repository.published().base.commit {
            self.metrics.publications.inc();
        }
        self.repository.show(published);
        Ok(())
    }

    async fn sign<R: Role>(&self, name: &str, role: R) -> Result<Signed<R>, RepositoryError> {
        let keyids =
            match name {
                "snapshot" | "timestamp" => top_level(&self.base, name),
                _ => self.base.bins.signed.delegations.as_ref().and_then(|delegations| {
                    Some(delegations.succinct_roles.as_ref()?.keyids.clone())
                }),
            };
        Ok(signer::sign(role, &authorized(&self.signers, name, keyids)?).await?)
    }
}
