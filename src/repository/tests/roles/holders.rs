//! Those who hold the offline keys, and clients with one root or another.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ceremony::KeyFolder;
use crate::repository::{NewRoles, current_roles, load};
use crate::signer::{FileSigner, Keyring, Signer, sign};
use crate::store::{Store, layout};
use crate::tuf::{Key, KeyId, Role, Root, Signed, Snapshot, Targets, Timestamp};

pub type Holder = Arc<dyn Signer>;

/// The offline keys that `init` made.
pub struct Holders {
    pub root: Holder,
    pub targets: Holder,
    pub bins: Holder,
}

pub fn new_key() -> Holder {
    Arc::new(FileSigner::generate().unwrap())
}

pub fn ring(keys: &[&Holder]) -> Keyring {
    Keyring::of(keys.iter().map(|key| Arc::clone(key)).collect())
}

fn ids(keys: &[&Holder]) -> Vec<KeyId> {
    keys.iter().map(|key| key.key().id()).collect()
}

fn map(keys: &[&Holder]) -> BTreeMap<KeyId, Key> {
    keys.iter().map(|key| (key.key().id(), key.key().clone())).collect()
}

async fn signed<R: Role>(role: R, by: &[&Holder]) -> Signed<R> {
    let by: Vec<_> = by.iter().map(|key| Arc::clone(key)).collect();
    sign(role, &by).await.unwrap()
}

impl Holders {
    pub fn of(folder: &KeyFolder) -> Self {
        let load = |role: &str| -> Holder {
            let path = folder.offline().join(format!("{role}.pem"));
            Arc::new(FileSigner::load(&path).unwrap())
        };
        Self { root: load("root"), targets: load("targets"), bins: load("bins") }
    }

    /// The next root, under which these keys sign online.
    pub async fn root(&self, store: &Store, online: &[&Holder]) -> Signed<Root> {
        self.root_with(store, online, &self.targets).await
    }

    /// The same, with another holder of targets.
    pub async fn root_with(
        &self,
        store: &Store,
        online: &[&Holder],
        targets: &Holder,
    ) -> Signed<Root> {
        let mut root = load::root(store).await.unwrap().signed;
        root.version += 1;
        root.keys = map(&[&self.root, targets]);
        root.keys.extend(map(online));
        for (role, keys) in [("timestamp", online), ("snapshot", online), ("targets", &[targets])] {
            root.roles.get_mut(role).unwrap().keyids = ids(keys);
        }
        signed(root, &[&self.root]).await
    }

    /// The next targets, by these.
    pub async fn targets(&self, store: &Store, by: &[&Holder]) -> Signed<Targets> {
        let mut targets = current_roles(store).await.unwrap().targets.signed.clone();
        targets.version += 1;
        signed(targets, by).await
    }

    /// The next bins: 2^`bits` of them, called `prefix`, signed by `online`.
    pub async fn bins(
        &self,
        store: &Store,
        bits: u32,
        prefix: &str,
        online: &Holder,
    ) -> Signed<Targets> {
        let mut bins = current_roles(store).await.unwrap().bins.signed.clone();
        bins.version += 1;
        let to = bins.delegations.as_mut().unwrap();
        to.keys = map(&[online]);
        let succinct = to.succinct_roles.as_mut().unwrap();
        succinct.bit_length = bits;
        succinct.name_prefix = prefix.into();
        succinct.keyids = ids(&[online]);
        signed(bins, &[&self.bins]).await
    }
}

pub fn just_root(root: &Signed<Root>) -> NewRoles {
    NewRoles { root: Some(root.clone()), ..NewRoles::default() }
}

pub fn just_bins(bins: &Signed<Targets>) -> NewRoles {
    NewRoles { bins: Some(bins.clone()), ..NewRoles::default() }
}

async fn read<R: Role>(store: &Store, name: &str) -> Signed<R> {
    let bytes = store.read(name).await.unwrap().unwrap_or_else(|| panic!("{name} is there"));
    Signed::parse(&bytes).unwrap()
}

/// Refreshes as a client does whose newest root is `root`, and loads all bins. Whatever is visible now must be accepted by whoever
/// looked for a new root a moment ago.
pub async fn accepted(store: &Store, root: &Root) {
    let newest = load::newest_timestamp(store).await.unwrap().unwrap();
    let timestamp: Signed<Timestamp> = read(store, &layout::timestamp(newest)).await;
    let by = root.version;
    root.verify("timestamp", &timestamp).unwrap_or_else(|error| panic!("root {by}: {error}"));
    let version = timestamp.signed.meta["snapshot.json"].version;
    let snapshot: Signed<Snapshot> = read(store, &layout::metadata(version, "snapshot")).await;
    root.verify("snapshot", &snapshot).unwrap_or_else(|error| panic!("root {by}: {error}"));
    let object =
        |role: &str| layout::metadata(snapshot.signed.meta[&format!("{role}.json")].version, role);
    let targets: Signed<Targets> = read(store, &object("targets")).await;
    root.verify("targets", &targets).unwrap_or_else(|error| panic!("root {by}: {error}"));
    let bins: Signed<Targets> = read(store, &object("bins")).await;
    targets.signed.delegations.unwrap().verify("bins", &bins).unwrap();
    let to = bins.signed.delegations.unwrap();
    for name in to.succinct_roles.as_ref().unwrap().names() {
        let bin: Signed<Targets> = read(store, &object(&name)).await;
        to.verify(&name, &bin).unwrap();
        assert_eq!(bin.signed.bin.as_ref(), Some(&name));
    }
}

/// The same with every root from `first` on.
pub async fn accepted_since(store: &Store, first: u64) {
    let newest = load::root(store).await.unwrap().signed.version;
    for version in first..=newest {
        let root: Signed<Root> = read(store, &layout::root(version)).await;
        accepted(store, &root.signed).await;
    }
}
