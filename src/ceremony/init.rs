//! Makes a repository: keys, the offline roles, empty bins, and a first publication.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use crate::config::ValidityConfig;
use crate::repository::{Commit, RepositoryError, SnapshotRef, expiry, nonce};
use crate::signer::{Signer, SignerError, sign};
use crate::store::{Created, Durable, Store, StoreError, layout};
use crate::tuf::{
    self, Digest, Expiry, MetaFile, MetadataError, Role, RoleKeys, Root, RootType, SPEC_VERSION,
    Signed, Snapshot, SnapshotType, SuccinctRoles, Targets, TimestampType,
};

use super::{KeyFolder, parts};

/// What a repository is made with.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// Number of bins: a power of two, 2 to 16,384.
    pub bins: u32,
    /// How long the roles are valid.
    pub validity: ValidityConfig,
}

/// What was made.
#[derive(Debug, Clone)]
pub struct Initialized {
    /// SHA-256 of `1.root.json`: what clients compare.
    pub root_sha256: Digest,
    /// `1.root.json` itself.
    pub root: Bytes,
    /// Number of bins.
    pub bins: u32,
}

/// Why no repository was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is one.
    #[error(
        "there is a repository already; init never changes one. Choose another --data or --store"
    )]
    Exists,
    /// Another init was first, or the keys of an interrupted one are not there.
    #[error(
        "root/1.root.json was made with other keys, which claims the store: put back the keys of that init, or choose another \
         --data or --store"
    )]
    OtherKeys,
    /// The number of bins cannot be.
    #[error("{0} bins cannot be: use a power of two from 2 to 16384")]
    Bins(u32),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key failed.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// What is there already cannot be used.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// What an interrupted init left is damaged.
    #[error("what an interrupted init left cannot be used: {0}")]
    Metadata(#[from] MetadataError),
}

/// Bins written at once.
const WRITES: usize = 16;

struct Keys {
    root: Arc<dyn Signer>,
    targets: Arc<dyn Signer>,
    bins: Arc<dyn Signer>,
    online: Arc<dyn Signer>,
}

/// Makes a repository in `store`, with keys in `folder`; `1.root.json` first, which claims the store. An init that was
/// interrupted goes on with the same keys. `progress` is told how many bins are done.
///
/// # Errors
/// [`InitError`]: there is one already, or something cannot be written.
pub async fn init(
    store: &Store,
    folder: &KeyFolder,
    options: &InitOptions,
    progress: impl Fn(u64),
) -> Result<Initialized, InitError> {
    let InitOptions { bins, validity } = options;
    if !bins.is_power_of_two() || !(2..=tuf::bins::MOST).contains(bins) {
        return Err(InitError::Bins(*bins));
    }
    if !store.list(layout::TIMESTAMPS).await?.is_empty() {
        return Err(InitError::Exists);
    }
    let claimed = store.read(&layout::root(1)).await?.is_some();
    if claimed && !folder.online().exists() {
        return Err(InitError::OtherKeys);
    }
    let keys = Keys {
        root: folder.offline_key("root")?,
        targets: folder.offline_key("targets")?,
        bins: folder.offline_key("bins")?,
        online: folder.online_key()?,
    };
    let now = Timestamp::now();
    let root = Signing { store, key: &keys.root, durable: Durable::Now };
    let (signed, root_bytes) =
        root.write(&layout::root(1), root_role(&keys, validity, now)?).await?;
    let claim = [("root", &keys.root), ("targets", &keys.targets), ("timestamp", &keys.online)];
    for (role, key) in claim {
        let listed = signed.signed.roles.get(role);
        if listed.is_none_or(|listed| !listed.keyids.contains(&key.key().id())) {
            return Err(InitError::OtherKeys);
        }
    }

    let by = |key| Signing { store, key, durable: Durable::AtSync };
    let targets = targets_role(&keys, validity, now)?;
    by(&keys.targets).write(&layout::metadata(1, "targets"), targets).await?;
    let bins_role = bins_role(&keys, *bins, validity, now)?;
    let (bins_role, _) = by(&keys.bins).write(&layout::metadata(1, "bins"), bins_role).await?;
    let succinct = bins_role.signed.delegations.and_then(|d| d.succinct_roles);
    let succinct = succinct.ok_or(InitError::OtherKeys)?;

    let online = by(&keys.online);
    let empty = Targets::empty(1, expiry("bins-…", validity.bin, now)?);
    stream::iter(succinct.names())
        .map(|name| {
            let bin = Targets { bin: Some(name.clone()), ..empty.clone() };
            let online = &online;
            async move { online.write(&layout::metadata(1, &name), bin).await.map(drop) }
        })
        .buffer_unordered(WRITES)
        .try_fold(0, |done, ()| {
            progress(done + 1);
            async move { Ok(done + 1) }
        })
        .await?;
    let snapshot = snapshot_role(&succinct, validity, now)?;
    let (snapshot, bytes) = online.write(&layout::metadata(1, "snapshot"), snapshot).await?;
    store.sync().await?;

    let commit = first_commit(&snapshot, &bytes, now)?;
    store.create(&layout::commit(1), commit, Durable::Now).await?;
    let timestamp = timestamp_role(&bytes, validity, now)?;
    let online = Signing { durable: Durable::Now, ..online };
    online.write(&layout::timestamp(1), timestamp).await?;
    let bins = 1 << succinct.bit_length;
    Ok(Initialized { root_sha256: Digest::of(&root_bytes), root: root_bytes, bins })
}

/// Signs with one key and writes; what an interrupted init wrote stays.
struct Signing<'a> {
    store: &'a Store,
    key: &'a Arc<dyn Signer>,
    durable: Durable,
}

impl Signing<'_> {
    async fn write<R: Role>(&self, name: &str, role: R) -> Result<(Signed<R>, Bytes), InitError> {
        let signed = sign(role, std::slice::from_ref(self.key)).await?;
        let bytes = Bytes::from(signed.to_bytes().map_err(SignerError::from)?);
        if self.store.create(name, bytes.clone(), self.durable).await? == Created::New {
            return Ok((signed, bytes));
        }
        let there = self.store.read(name).await?.unwrap_or_default();
        match Signed::parse(&there) {
            Ok(parsed) => Ok((parsed, there)),
            // What was not synced when the power went may be there and empty. Nothing names it yet.
            Err(_) if self.durable == Durable::AtSync && !self.store.is_shared() => {
                self.store.put(name, bytes.clone()).await?;
                Ok((signed, bytes))
            }
            Err(damaged) => Err(damaged.into()),
        }
    }
}

fn role_keys(signer: &Arc<dyn Signer>) -> RoleKeys {
    parts::role_keys(vec![signer.key().id()], 1)
}

fn root_role(
    keys: &Keys,
    validity: &ValidityConfig,
    now: Timestamp,
) -> Result<Root, RepositoryError> {
    let role = |name: &str, key| (name.to_owned(), role_keys(key));
    Ok(Root {
        kind: RootType,
        consistent_snapshot: true,
        expires: expiry("root", validity.root, now)?,
        keys: parts::key_map([&keys.root, &keys.targets, &keys.online].map(|signer| signer.key())),
        roles: BTreeMap::from([
            role("root", &keys.root),
            role("targets", &keys.targets),
            role("snapshot", &keys.online),
            role("timestamp", &keys.online),
        ]),
        spec_version: SPEC_VERSION.into(),
        version: 1,
        extra: BTreeMap::new(),
    })
}

fn targets_role(
    keys: &Keys,
    validity: &ValidityConfig,
    now: Timestamp,
) -> Result<Targets, RepositoryError> {
    let bins = parts::to_bins([keys.bins.key()], 1);
    let empty = Targets::empty(1, expiry("targets", validity.targets, now)?);
    Ok(Targets { delegations: Some(bins), ..empty })
}

fn bins_role(
    keys: &Keys,
    bins: u32,
    validity: &ValidityConfig,
    now: Timestamp,
) -> Result<Targets, RepositoryError> {
    let each = parts::to_each_bin([keys.online.key()], 1, bins.trailing_zeros(), parts::PREFIX);
    let empty = Targets::empty(1, expiry("bins", validity.bins, now)?);
    Ok(Targets { delegations: Some(each), ..empty })
}

fn snapshot_role(
    succinct: &SuccinctRoles,
    validity: &ValidityConfig,
    now: Timestamp,
) -> Result<Snapshot, RepositoryError> {
    let offline = ["targets", "bins"].map(str::to_owned);
    let names = offline.into_iter().chain(succinct.names());
    Ok(Snapshot {
        kind: SnapshotType,
        commit: Some(1),
        expires: expiry("snapshot", validity.snapshot, now)?,
        meta: names.map(|name| (format!("{name}.json"), MetaFile::version(1))).collect(),
        spec_version: SPEC_VERSION.into(),
        version: 1,
        extra: BTreeMap::new(),
    })
}

fn timestamp_role(
    snapshot: &[u8],
    validity: &ValidityConfig,
    now: Timestamp,
) -> Result<tuf::Timestamp, RepositoryError> {
    let hashes = [("sha256".to_owned(), Digest::of(snapshot).to_string())].into();
    let length = Some(snapshot.len() as u64);
    let entry = MetaFile { hashes: Some(hashes), length, ..MetaFile::version(1) };
    Ok(tuf::Timestamp {
        kind: TimestampType,
        at: Some(Expiry::at(now)),
        commit: Some(1),
        expires: expiry("timestamp", validity.timestamp, now)?,
        meta: BTreeMap::from([("snapshot.json".to_owned(), entry)]),
        spec_version: SPEC_VERSION.into(),
        version: 1,
        extra: BTreeMap::new(),
    })
}

fn first_commit(
    snapshot: &Signed<Snapshot>,
    bytes: &[u8],
    now: Timestamp,
) -> Result<Vec<u8>, RepositoryError> {
    let commit = Commit {
        number: 1,
        snapshot: SnapshotRef { version: snapshot.signed.version, sha256: Digest::of(bytes) },
        nonce: nonce()?,
        at: now,
        by: "init".into(),
        projects: Vec::new(),
        renewed: 0,
    };
    serde_json::to_vec(&commit).map_err(|e| RepositoryError::damaged("the first commit", e))
}
