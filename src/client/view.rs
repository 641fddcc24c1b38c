//! One consistent, verified snapshot of a repository, and the search for a target in it.

use std::collections::HashSet;
use std::sync::Arc;

use moka::future::Cache;

use super::ClientError;
use super::updater::Inner;
use crate::tuf::{Digest, Expiry, Flaw, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp};

/// Memory for delegated roles, by the bytes of their metadata.
const MEMORY: u64 = 64 * 1024 * 1024;

/// A verified targets role.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    pub(super) targets: Arc<Targets>,
    /// Of its bytes: what it vouches for depends on nothing else.
    pub(super) digest: Digest,
    /// Bytes.
    pub(super) weight: u32,
}

/// Delegated roles that were verified, each by one that delegates to it: who is trusted on one path of delegations need
/// not be on another.
pub(super) struct Roles(Cache<Key, Loaded>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    delegator: Digest,
    name: String,
    entry: Digest,
}

impl Default for Roles {
    fn default() -> Self {
        let weigher = |key: &Key, role: &Loaded| {
            role.weight.saturating_add(u32::try_from(key.name.len()).unwrap_or(u32::MAX))
        };
        Self(Cache::builder().max_capacity(MEMORY).weigher(weigher).build())
    }
}

impl Roles {
    /// The role, from memory or as `load` gives it; who asks for the same at once shares one load.
    pub(super) async fn get(
        &self,
        delegator: &Loaded,
        name: &str,
        entry: &MetaFile,
        load: impl Future<Output = Result<Loaded, ClientError>>,
    ) -> Result<Loaded, ClientError> {
        // With its version, and its hashes where the snapshot has them.
        let entry = serde_json::to_vec(entry).unwrap_or_default();
        let key =
            Key { delegator: delegator.digest, name: name.to_owned(), entry: Digest::of(&entry) };
        let loaded = self.0.try_get_with(key, load).await;
        loaded.map_err(|error: Arc<ClientError>| (*error).clone())
    }
}

/// One verified snapshot. All look-ups in it agree with each other. Cheap to clone.
#[derive(Clone)]
pub struct View(Arc<Parts>);

struct Parts {
    updater: Arc<Inner>,
    root: Root,
    timestamp: Timestamp,
    snapshot: Snapshot,
    targets: Loaded,
}

impl View {
    pub(super) fn new(
        updater: Arc<Inner>,
        root: Root,
        timestamp: Timestamp,
        snapshot: Snapshot,
        targets: Loaded,
    ) -> Self {
        Self(Arc::new(Parts { updater, root, timestamp, snapshot, targets }))
    }

    /// The root.
    pub fn root(&self) -> &Root {
        &self.0.root
    }

    /// The timestamp.
    pub fn timestamp(&self) -> &Timestamp {
        &self.0.timestamp
    }

    /// The snapshot.
    pub fn snapshot(&self) -> &Snapshot {
        &self.0.snapshot
    }

    /// When the first of root, timestamp, snapshot and targets expires.
    pub fn expires(&self) -> Expiry {
        let Parts { root, timestamp, snapshot, targets, .. } = &*self.0;
        let top = [root.expires, timestamp.expires, snapshot.expires];
        top.into_iter().fold(targets.targets.expires, Ord::min)
    }

    /// What is signed of the target at `path`: a pre-order search through the delegations (5.6.7), which loads roles as it
    /// needs them. `None` where verified metadata says that there is no such target.
    ///
    /// # Errors
    /// Where a role on the way fails a check, or cannot be had.
    pub async fn target(&self, path: &str) -> Result<Option<TargetFile>, ClientError> {
        let Parts { updater, root, snapshot, targets, .. } = &*self.0;
        let limit = updater.settings.limits.delegations;
        let mut visited = HashSet::from(["targets".to_owned()]);
        // The next one is the last; each stands with the role that delegates to it.
        let mut open: Vec<(Loaded, String)> = Vec::new();
        let mut role = targets.clone();
        loop {
            if let Some(target) = role.targets.targets.get(path) {
                target.recognizable(path)?;
                return Ok(Some(target.clone()));
            }
            if let Some(delegations) = &role.targets.delegations {
                let delegates = delegations.delegates_for(path);
                if delegates.last().is_some_and(|last| last.terminating) {
                    open.clear();
                }
                let names = delegates.into_iter().rev().map(|delegate| delegate.name);
                open.extend(names.map(|name| (role.clone(), name)));
            }
            let (delegator, name) = loop {
                match open.pop() {
                    None => return Ok(None),
                    Some((_, name)) if visited.contains(&name) => {}
                    Some(next) => break next,
                }
            };
            if visited.len() > limit {
                return Err(Flaw::TooManyRoles { limit }.of(path).into());
            }
            role = updater.delegated(root, snapshot, &delegator, &name).await?;
            visited.insert(name);
        }
    }

    /// The path that the target at `path` is fetched under: with a hash before its name where snapshots are consistent
    /// (6.2.1).
    pub fn fetched_as(&self, path: &str, target: &TargetFile) -> String {
        let hash = target.hashes.get("sha256").or_else(|| target.hashes.values().next());
        match hash {
            Some(hash) if self.0.root.consistent_snapshot => {
                let (folder, name) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
                format!("{folder}{hash}.{name}")
            }
            _ => path.to_owned(),
        }
    }
}
