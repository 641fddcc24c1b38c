//! Keys that sign beside those that the newest root names, so that no client meets a timestamp or a snapshot that its root
//! does not know: the next root's while that root is about to be published, the last one's for a grace period after.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::tuf::{Digest, KeyId, Root};

use super::RepositoryError;
use super::published::Base;
use super::writer::Writer;
use crate::store::layout;

/// The online roles that root names keys for.
pub(super) const ONLINE: [&str; 2] = ["timestamp", "snapshot"];

/// Who signs timestamp and snapshot, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// The root that is about to be published, or was less than a grace period ago.
    pub root: u64,
    /// Keys that sign as far as they are loaded.
    pub keyids: Vec<KeyId>,
    /// What the drafts of that root ask for: until it is visible, nobody signs who cannot do so for all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drafts: Vec<DraftKeys>,
}

/// What a root that is not visible yet asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftKeys {
    /// SHA-256 of the root's object.
    pub sha256: Digest,
    /// Who signs the timestamp.
    pub timestamp: Quorum,
    /// Who signs the snapshot.
    pub snapshot: Quorum,
}

/// So many of these keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    /// The keys.
    pub keyids: Vec<KeyId>,
    /// How many of them.
    pub threshold: u64,
}

impl Quorum {
    /// What `root` asks for `role`.
    pub(super) fn of(root: &Root, role: &str) -> Self {
        match root.roles.get(role) {
            Some(keys) => Self { keyids: keys.keyids.clone(), threshold: keys.threshold },
            // Which nobody can meet.
            None => Self { keyids: Vec::new(), threshold: 1 },
        }
    }

    /// Whether enough of them are among `keys`.
    pub(super) fn is_met(&self, keys: &BTreeSet<KeyId>) -> bool {
        let found = self.keyids.iter().collect::<BTreeSet<_>>();
        let found = found.into_iter().filter(|keyid| keys.contains(keyid)).count() as u64;
        found >= self.threshold.max(1)
    }
}

impl DraftKeys {
    pub(super) fn of(root: &Root, sha256: Digest) -> Self {
        let of = |role| Quorum::of(root, role);
        Self { sha256, timestamp: of("timestamp"), snapshot: of("snapshot") }
    }

    pub(super) fn quorum(&self, role: &str) -> &Quorum {
        if role == "timestamp" { &self.timestamp } else { &self.snapshot }
    }
}

impl Beside {
    /// The keys of the root of `base` and of `next`, which has that hash, and those that sign beside already.
    pub(super) fn before(base: &Base, next: &Root, sha256: Digest) -> Self {
        let old = base.beside.as_deref();
        let mut keyids: BTreeSet<KeyId> = old.iter().flat_map(|old| &old.keyids).cloned().collect();
        for root in [&base.root.signed, next] {
            keyids.extend(ONLINE.iter().flat_map(|role| Quorum::of(root, role).keyids));
        }
        // Another draft of this number may yet be published by whoever began it.
        let others = old.filter(|old| old.root == next.version);
        let mut drafts = others.map(|old| old.drafts.clone()).unwrap_or_default();
        let draft = DraftKeys::of(next, sha256);
        if !drafts.contains(&draft) {
            drafts.push(draft);
        }
        Self { root: next.version, keyids: keyids.into_iter().collect(), drafts }
    }

    /// What must be met as long as `root` is the newest that is visible.
    pub(super) fn awaited(&self, root: &Root) -> &[DraftKeys] {
        if self.root > root.version { &self.drafts } else { &[] }
    }
}

impl Writer {
    /// The base, with those who sign beside at the next commit: nobody any more, once a grace period has passed since the root
    /// that they are for became visible.
    pub(super) async fn base_to_build_on(&self) -> Result<Base, RepositoryError> {
        let mut base = self.base.clone();
        let Some(beside) = &base.beside else { return Ok(base) };
        if beside.root > base.root.signed.version {
            return Ok(base);
        }
        let visible = self.store.date(&layout::root(beside.root)).await?;
        let grace = self.repository.0.horizon.grace();
        let now = self.watch.store_now();
        if visible.is_some_and(|visible| visible.checked_add(grace).is_ok_and(|end| end < now)) {
            base.beside = None;
        }
        Ok(base)
    }
}
