//! The first publication of a repository, on offline roles that are signed: all bins, the snapshot, the commit and the
//! timestamp. What an interrupted one left is gone on with.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::InitError;
use crate::config::ValidityConfig;
use crate::repository::{Commit, RepositoryError, SnapshotRef, expiry, nonce};
use crate::signer::{Signer, SignerError, sign};
use crate::store::{Created, Durable, Store, layout};
use crate::tuf::{
    self, Authority, Digest, Expiry, KeyId, MetaFile, MetadataError, Role, Root, SPEC_VERSION,
    Signed, Snapshot, SnapshotType, SuccinctRoles, Targets, TimestampType, canonical,
};

/// Bins written at once.
const WRITES: usize = 16;
/// The largest snapshot that clients take, bytes, and room for its signatures.
const LARGEST_SNAPSHOT: usize = 2_000_000 - 20_000;

/// What is published first. The offline roles lie in the store already.
pub(super) struct First<'a> {
    pub(super) store: &'a Store,
    pub(super) root: &'a Root,
    pub(super) bins: &'a Targets,
    /// The keys that are loaded.
    pub(super) online: &'a [Arc<dyn Signer>],
    pub(super) validity: &'a ValidityConfig,
    /// What the snapshot lists beside the bins.
    pub(super) listed: BTreeMap<String, MetaFile>,
    /// The snapshot's version.
    pub(super) snapshot: u64,
    /// The timestamp's version.
    pub(super) timestamp: u64,
    /// For the journal.
    pub(super) by: &'static str,
    pub(super) now: Timestamp,
}

impl First<'_> {
    /// Publishes it; how many bins there are.
    pub(super) async fn publish(&self, progress: impl Fn(u64, u64)) -> Result<u64, InitError> {
        let Self { store, root, validity, now, .. } = self;
        let succinct = self.succinct()?;
        let snapshot = self.snapshot_role(succinct)?;
        let size = canonical::to_vec(&snapshot).map_err(SignerError::from)?.len();
        if size > LARGEST_SNAPSHOT {
            return Err(InitError::LargeSnapshot(size));
        }
        let empty = Targets::empty(1, expiry("bins-…", validity.bin, *now)?);
        let all = succinct.count();
        stream::iter(succinct.names())
            .map(|name| {
                let bin = Targets { bin: Some(name.clone()), ..empty.clone() };
                async move { self.write_bin(&name, bin).await }
            })
            .buffer_unordered(WRITES)
            .try_fold(0, |done, ()| {
                progress(done + 1, all);
                async move { Ok(done + 1) }
            })
            .await?;
        let name = layout::metadata(self.snapshot, "snapshot");
        let wanted = snapshot.meta.clone();
        let signers = self.signers(root.authority("snapshot"));
        let (snapshot, bytes) = write(store, &name, snapshot, &signers, Durable::AtSync).await?;
        root.verify("snapshot", &snapshot)?;
        if snapshot.signed.meta != wanted {
            return Err(InitError::Begun(name));
        }
        store.sync().await?;
        self.commit(&bytes).await?;
        let timestamp = self.timestamp_role(&bytes)?;
        let signers = self.signers(root.authority("timestamp"));
        let name = layout::timestamp(self.timestamp);
        let (timestamp, _) = write(store, &name, timestamp, &signers, Durable::Now).await?;
        root.verify("timestamp", &timestamp)?;
        Ok(all)
    }

    fn succinct(&self) -> Result<&SuccinctRoles, InitError> {
        let succinct = self.bins.delegations.as_ref().and_then(|d| d.succinct_roles.as_ref());
        succinct.ok_or(InitError::OtherKeys)
    }

    fn signers(&self, authority: Option<Authority<'_>>) -> Vec<Arc<dyn Signer>> {
        let keyids: &[KeyId] = authority.map_or(&[], |authority| authority.keyids);
        let may = |signer: &&Arc<dyn Signer>| keyids.contains(&signer.key().id());
        self.online.iter().filter(may).cloned().collect()
    }

    async fn write_bin(&self, name: &str, bin: Targets) -> Result<(), InitError> {
        let none = || MetadataError::NotDelegated(name.to_owned());
        let delegations = self.bins.delegations.as_ref().ok_or_else(none)?;
        let signers = self.signers(delegations.authority(name));
        let object = layout::metadata(1, name);
        let (bin, _) = write(self.store, &object, bin, &signers, Durable::AtSync).await?;
        delegations.verify(name, &bin)?;
        // An earlier repository's, say: nothing but what is empty was begun here.
        if bin.signed.version != 1 || !bin.signed.targets.is_empty() {
            return Err(InitError::Begun(object));
        }
        Ok(())
    }

    fn snapshot_role(&self, succinct: &SuccinctRoles) -> Result<Snapshot, RepositoryError> {
        let bins = succinct.names().map(|name| (name, MetaFile::version(1)));
        let meta = self.listed.clone().into_iter().chain(bins);
        Ok(Snapshot {
            kind: SnapshotType,
            commit: Some(1),
            expires: expiry("snapshot", self.validity.snapshot, self.now)?,
            meta: meta.map(|(name, entry)| (format!("{name}.json"), entry)).collect(),
            spec_version: SPEC_VERSION.into(),
            version: self.snapshot,
            extra: BTreeMap::new(),
        })
    }

    fn timestamp_role(&self, snapshot: &[u8]) -> Result<tuf::Timestamp, RepositoryError> {
        let hashes = [("sha256".to_owned(), Digest::of(snapshot).to_string())].into();
        let length = Some(snapshot.len() as u64);
        let entry = MetaFile { hashes: Some(hashes), length, ..MetaFile::version(self.snapshot) };
        Ok(tuf::Timestamp {
            kind: TimestampType,
            at: Some(Expiry::at(self.now)),
            commit: Some(1),
            expires: expiry("timestamp", self.validity.timestamp, self.now)?,
            meta: BTreeMap::from([("snapshot.json".to_owned(), entry)]),
            spec_version: SPEC_VERSION.into(),
            version: self.timestamp,
            extra: BTreeMap::new(),
        })
    }

    /// Creates the commit. One that an interrupted run made must be of the same snapshot.
    async fn commit(&self, snapshot: &[u8]) -> Result<(), InitError> {
        let snapshot = SnapshotRef { version: self.snapshot, sha256: Digest::of(snapshot) };
        let commit = Commit {
            number: 1,
            snapshot: snapshot.clone(),
            nonce: nonce()?,
            at: self.now,
            by: self.by.into(),
            projects: Vec::new(),
            renewed: 0,
            roles: Vec::new(),
            beside: None,
            timestamp: (self.timestamp > 1).then_some(self.timestamp),
        };
        let name = layout::commit(1);
        let damaged = |error| RepositoryError::damaged(&name, error);
        let bytes = serde_json::to_vec(&commit).map_err(damaged)?;
        if self.store.create(&name, bytes, Durable::Now).await? == Created::New {
            return Ok(());
        }
        let there = self.store.read(&name).await?.unwrap_or_default();
        let there: Commit = serde_json::from_slice(&there).map_err(damaged)?;
        match there.snapshot == snapshot && there.timestamp == commit.timestamp {
            true => Ok(()),
            false => Err(InitError::Begun(name)),
        }
    }
}

/// Signs and writes; what an interrupted run wrote stays.
pub(super) async fn write<R: Role>(
    store: &Store,
    name: &str,
    role: R,
    signers: &[Arc<dyn Signer>],
    durable: Durable,
) -> Result<(Signed<R>, Bytes), InitError> {
    let signed = sign(role, signers).await?;
    let bytes = Bytes::from(signed.to_bytes().map_err(SignerError::from)?);
    if store.create(name, bytes.clone(), durable).await? == Created::New {
        return Ok((signed, bytes));
    }
    let there = store.read(name).await?.unwrap_or_default();
    match Signed::parse(&there) {
        Ok(parsed) => Ok((parsed, there)),
        // What was not synced when the power went may be there and empty. Nothing names it yet.
        Err(_) if durable == Durable::AtSync && !store.is_shared() => {
            store.put(name, bytes.clone()).await?;
            Ok((signed, bytes))
        }
        Err(damaged) => Err(damaged.into()),
    }
}

/// Writes what was signed elsewhere; what is there already must be the same.
pub(super) async fn put(
    store: &Store,
    name: &str,
    bytes: &Bytes,
    durable: Durable,
) -> Result<(), InitError> {
    if store.create(name, bytes.clone(), durable).await? == Created::New {
        return Ok(());
    }
    let there = store.read(name).await?.unwrap_or_default();
    if there == *bytes {
        return Ok(());
    }
    // As above.
    let torn = serde_json::from_slice::<serde::de::IgnoredAny>(&there).is_err();
    if torn && durable == Durable::AtSync && !store.is_shared() {
        store.put(name, bytes.clone()).await?;
        return Ok(());
    }
    Err(InitError::Begun(name.into()))
}
