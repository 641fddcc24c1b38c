//! Makes a repository: keys, the offline roles, empty bins, and a first publication.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use crate::config::ValidityConfig;
use crate::repository::{RepositoryError, expiry};
use crate::signer::{Signer, SignerError};
use crate::store::{Durable, Store, StoreError, layout};
use crate::tuf::{
    Digest, Distrust, MetaFile, MetadataError, RoleKeys, Root, RootType, SPEC_VERSION, Targets,
    bins,
};

use super::check::Refusal;
use super::file::FileError;
use super::first::{First, write};
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
        "root/1.root.json was made with other keys, which claims the store: put back the keys of that init, end an `init --signed` \
         or `import` that was begun, or choose another --data or --store"
    )]
    OtherKeys,
    /// What an interrupted one began is not what this one would go on with.
    #[error(
        "{0} is in the store already with other content: something was begun there with other files. Go on with those, or choose \
         another --data or --store"
    )]
    Begun(String),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is not what it should be.
    #[error("{file} cannot be used: {reason}")]
    Unusable {
        /// Which.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// What people signed cannot be published.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The earlier repository is not whole, or does not verify.
    #[error("the repository that is to be taken over does not verify: {0}")]
    Distrust(#[from] Distrust),
    /// Clients would not take the snapshot.
    #[error("the snapshot would have {0} bytes, more than clients take: use fewer bins")]
    LargeSnapshot(usize),
    /// Two roles would have one name.
    #[error(
        "the repository has a role {0:?} already, and that name is needed here: for a bin, draft bins with another --prefix; \
         a repository with a role called bins cannot be taken over"
    )]
    Collides(String),
    /// There is no room for later versions.
    #[error(
        "version {version} of {role} is too near the end of the numbers that clients can hold: nothing can follow it"
    )]
    TooHigh {
        /// The role.
        role: String,
        /// Its version.
        version: u64,
    },
    /// A delegation leads to nothing.
    #[error("targets delegates to {name:?}, {missing}: clients cannot go past it")]
    Undelegable {
        /// The role.
        name: String,
        /// What is missing.
        missing: &'static str,
    },
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
    let InitOptions { bins: count, validity } = options;
    if !count.is_power_of_two() || !(2..=bins::MOST).contains(count) {
        return Err(InitError::Bins(*count));
    }
    if !store.list(layout::TIMESTAMPS).await?.is_empty() {
        return Err(InitError::Exists);
    }
    let claimed = store.read(&layout::root(1)).await?.is_some();
    // Asked before any key is made: what was begun may be another's, or one that people signed.
    if claimed && !(folder.online().exists() && folder.offline().exists()) {
        return Err(InitError::OtherKeys);
    }
    let keys = Keys {
        root: folder.offline_key("root")?,
        targets: folder.offline_key("targets")?,
        bins: folder.offline_key("bins")?,
        online: folder.online_key()?,
    };
    let now = Timestamp::now();
    let root = root_role(&keys, validity, now)?;
    let by = |key| std::slice::from_ref(key);
    let name = layout::root(1);
    let (signed, root_bytes) = write(store, &name, root, by(&keys.root), Durable::Now).await?;
    let claim = [("root", &keys.root), ("targets", &keys.targets), ("timestamp", &keys.online)];
    for (role, key) in claim {
        let listed = signed.signed.roles.get(role);
        if listed.is_none_or(|listed| !listed.keyids.contains(&key.key().id())) {
            return Err(InitError::OtherKeys);
        }
    }

    let targets = targets_role(&keys, validity, now)?;
    let name = layout::metadata(1, "targets");
    write(store, &name, targets, by(&keys.targets), Durable::AtSync).await?;
    let bins_role = bins_role(&keys, *count, validity, now)?;
    let name = layout::metadata(1, "bins");
    let (bins_role, _) = write(store, &name, bins_role, by(&keys.bins), Durable::AtSync).await?;
    let listed = ["targets", "bins"].map(|role| (role.to_owned(), MetaFile::version(1)));
    let first = First {
        store,
        root: &signed.signed,
        bins: &bins_role.signed,
        online: std::slice::from_ref(&keys.online),
        validity,
        listed: listed.into(),
        snapshot: 1,
        timestamp: 1,
        by: "init",
        now,
    };
    let bins = first.publish(|done, _| progress(done)).await?;
    let bins = u32::try_from(bins).unwrap_or_default();
    Ok(Initialized { root_sha256: Digest::of(&root_bytes), root: root_bytes, bins })
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
