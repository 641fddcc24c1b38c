//! Offline roles that people signed elsewhere, and a repository that is founded on them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::check::{self, Standing, succinct_of};
use super::file::{Kind, bounded};
use super::first::{First, put};
use super::{InitError, parts};
use crate::config::ValidityConfig;
use crate::signer::Signer;
use crate::store::{Durable, Store, layout};
use crate::tuf::{
    Delegations, Digest, Expiry, KeyId, MetaFile, MetadataError, Role, Root, Signed, Targets,
};

/// Where a repository is founded, and who signs for it online.
pub struct Founding<'a> {
    /// The store.
    pub store: &'a Store,
    /// The online keys that are loaded.
    pub online: &'a [Arc<dyn Signer>],
    /// How long the online roles are valid.
    pub validity: &'a ValidityConfig,
    /// The time.
    pub now: Timestamp,
}

/// A repository that was founded.
#[derive(Debug, Clone)]
pub struct Founded {
    /// `1.root.json`.
    pub root: Bytes,
    /// Its SHA-256: what clients compare.
    pub root_sha256: Digest,
    /// What was checked, a line each.
    pub checked: Vec<String>,
    /// How many bins there are.
    pub bins: u64,
}

/// A role, and the file that it came in.
#[derive(Debug, Clone)]
pub(super) struct Given<R> {
    pub(super) role: Signed<R>,
    pub(super) bytes: Bytes,
}

impl<R: Role> Given<R> {
    pub(super) fn read(path: &Path, kind: Kind) -> Result<Self, InitError> {
        let bytes = Bytes::from(bounded(path, kind.largest())?);
        let role = Signed::parse_strict(&bytes).map_err(|error| unusable(path, error))?;
        Ok(Self { role, bytes })
    }
}

pub(super) fn unusable(path: &Path, reason: impl ToString) -> InitError {
    InitError::Unusable { file: path.into(), reason: reason.to_string() }
}

/// All that people signed, each checked.
pub(super) struct Offline {
    /// Every root from the first.
    pub(super) roots: Vec<Bytes>,
    /// The newest.
    pub(super) root: Signed<Root>,
    pub(super) targets: Given<Targets>,
    pub(super) bins: Given<Targets>,
    /// Delegated roles beside bins.
    pub(super) others: BTreeMap<String, (MetaFile, Bytes)>,
}

/// Where the numbers of snapshot and timestamp begin.
pub(super) struct Numbers {
    pub(super) snapshot: u64,
    pub(super) timestamp: u64,
}

impl Founding<'_> {
    /// Refuses a store that has a repository.
    pub(super) async fn is_free(&self) -> Result<(), InitError> {
        match self.store.list(layout::TIMESTAMPS).await?.is_empty() {
            true => Ok(()),
            false => Err(InitError::Exists),
        }
    }

    /// Checks that the loaded keys can sign all online roles.
    pub(super) fn can_sign(&self, root: &Root, bins: &Targets) -> Result<String, InitError> {
        let loaded: Vec<KeyId> = self.online.iter().map(|signer| signer.key().id()).collect();
        check::root_online(root, &loaded)?;
        check::bins_online(bins, &loaded)?;
        Ok("the loaded online keys may sign timestamp, snapshot and every bin".into())
    }

    /// Writes the offline roles, `1.root.json` first, which claims the store; then publishes. What was begun with the same
    /// files is gone on with.
    pub(super) async fn found(
        &self,
        offline: &Offline,
        numbers: Numbers,
        by: &'static str,
        checked: Vec<String>,
        progress: impl Fn(u64, u64),
    ) -> Result<Founded, InitError> {
        let Offline { roots, root, targets, bins, others } = offline;
        for (bytes, version) in roots.iter().zip(1..) {
            put(self.store, &layout::root(version), bytes, Durable::Now).await?;
        }
        let mut listed = BTreeMap::new();
        for (name, role) in [("targets", targets), ("bins", bins)] {
            let version = role.role.signed.version;
            put(self.store, &layout::metadata(version, name), &role.bytes, Durable::AtSync).await?;
            listed.insert(name.to_owned(), MetaFile::version(version));
        }
        for (name, (entry, bytes)) in others {
            put(self.store, &layout::metadata(entry.version, name), bytes, Durable::AtSync).await?;
            listed.insert(name.clone(), entry.clone());
        }
        let first = First {
            store: self.store,
            root: &root.signed,
            bins: &bins.role.signed,
            online: self.online,
            validity: self.validity,
            listed,
            snapshot: numbers.snapshot,
            timestamp: numbers.timestamp,
            by,
            now: self.now,
        };
        let bins = first.publish(progress).await?;
        let root = roots.first().cloned().unwrap_or_default();
        Ok(Founded { root_sha256: Digest::of(&root), root, checked, bins })
    }
}

impl Offline {
    /// Every role that is delegated to, on the way to any target, must be listed and must not have the name of a bin: a client
    /// that meets one that is not cannot go on.
    pub(super) fn leads_somewhere(&self) -> Result<(), InitError> {
        let bins = succinct_of(&self.bins.role.signed);
        let taken = self.others.keys().find(|name| {
            *name == "bins" || bins.is_some_and(|bins| bins.has(name)) || !is_plain(name)
        });
        if let Some(name) = taken {
            return Err(match is_plain(name) {
                true => InitError::Collides(name.clone()),
                false => undelegable(
                    name,
                    "whose name no object can have: letters, digits and . _ - + @ are taken",
                ),
            });
        }
        let missing = delegated(&self.targets.role.signed);
        match missing.into_iter().find(|name| !self.others.contains_key(name)) {
            Some(name) => Err(undelegable(&name, "of which there is no metadata here")),
            None => Ok(()),
        }
    }
}

pub(super) fn undelegable(name: &str, missing: &'static str) -> InitError {
    InitError::Undelegable { name: name.to_owned(), missing }
}

/// The roles beside bins that `role` delegates to.
pub(super) fn delegated(role: &Targets) -> Vec<String> {
    let Some(Delegations { roles, succinct_roles, .. }) = &role.delegations else {
        return Vec::new();
    };
    let named = roles.iter().flatten().map(|role| role.name.clone());
    let bins = succinct_roles.iter().filter(|bins| bins.count() <= parts::MOST);
    named.chain(bins.flat_map(|bins| bins.names())).filter(|name| name != "bins").collect()
}

/// Whether `name` can be part of the name of an object and of a URL.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+@".contains(c);
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.chars().all(plain)
}

/// What people are told of a role that passed.
pub(super) fn told<R: Role>(role: &Signed<R>, standings: &[Standing]) -> String {
    let (name, version) = standings.first().map_or((R::TYPE, 0), |s| (s.role, s.version));
    let by = standings.iter().map(|standing| {
        let Standing { by, threshold, signed, missing, .. } = standing;
        let all = signed.len() + missing.len();
        format!("{} of the {all} keys of {by} ({threshold} needed)", signed.len())
    });
    let by = by.collect::<Vec<_>>().join(" and ");
    format!("{name} {version} is signed by {by}; it expires at {}", role.signed.expires())
}

pub(super) fn not_expired(path: &Path, expires: Expiry, now: Timestamp) -> Result<(), InitError> {
    match expires.passed(now) {
        true => Err(unusable(path, format!("it expired at {expires}"))),
        false => Ok(()),
    }
}

/// Checks `role` by who delegates to it.
pub(super) fn verified(
    path: &Path,
    by: &Delegations,
    name: &str,
    role: &Signed<Targets>,
) -> Result<(), InitError> {
    by.verify(name, role).map_err(|error: MetadataError| unusable(path, error))
}
