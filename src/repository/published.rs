//! The publication that is served.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::tuf::{
    Expiry, KeyId, MetaFile, Root, Signed, Snapshot, SuccinctRoles, Targets, Timestamp,
};

use super::Document;
use super::beside::Beside;

/// What a commit names, the bins themselves aside.
#[derive(Debug, Clone)]
pub struct Base {
    /// The commit's number.
    pub commit: u64,
    /// The newest root.
    pub root: Arc<Signed<Root>>,
    /// The offline role targets.
    pub targets: Arc<Signed<Targets>>,
    /// The offline role bins.
    pub bins: Arc<Signed<Targets>>,
    /// How targets are spread over the bins.
    pub succinct: Arc<SuccinctRoles>,
    /// The snapshot.
    pub snapshot: Arc<Signed<Snapshot>>,
    /// The snapshot's bytes.
    pub snapshot_document: Arc<Document>,
    /// Who signs timestamp and snapshot beside those whom the root names.
    pub beside: Option<Arc<Beside>>,
    /// Whether snapshot or targets are signed by keys that only an earlier root trusts: then a writer signs again before
    /// anything else. Readers never see such a base.
    pub outdated: bool,
}

/// One publication: a commit, and the timestamp that shows it.
#[derive(Debug, Clone)]
pub struct Published {
    /// What the commit names.
    pub base: Base,
    /// The timestamp.
    pub timestamp: Arc<Signed<Timestamp>>,
    /// The timestamp's bytes.
    pub timestamp_document: Arc<Document>,
}

impl Base {
    /// The version of a role below snapshot (`targets`, `bins`, `bins-…`).
    pub fn version_of(&self, role: &str) -> Option<u64> {
        let meta = &self.snapshot.signed.meta;
        meta.get(&format!("{role}.json")).map(|MetaFile { version, .. }| *version)
    }
}

impl Base {
    /// The keys that root and bins trust with the online roles, and those that still sign beside them.
    pub fn online_keys(&self) -> BTreeSet<KeyId> {
        let roles = &self.root.signed.roles;
        let top = ["timestamp", "snapshot"].into_iter().filter_map(|role| roles.get(role));
        let top = top.flat_map(|keys| &keys.keyids);
        let beside = self.beside.iter().flat_map(|beside| &beside.keyids);
        top.chain(&self.succinct.keyids).chain(beside).cloned().collect()
    }
}

impl Published {
    /// Whether the newest root accepts all of it.
    pub(super) fn is_valid(&self) -> bool {
        !self.base.outdated && self.base.root.signed.verify("timestamp", &self.timestamp).is_ok()
    }

    /// The roles that are not bins, each with version and expiry.
    pub fn roles(&self) -> [(&'static str, u64, Expiry); 5] {
        let Base { root, targets, bins, snapshot, .. } = &self.base;
        [
            ("root", root.signed.version, root.signed.expires),
            ("targets", targets.signed.version, targets.signed.expires),
            ("bins", bins.signed.version, bins.signed.expires),
            ("snapshot", snapshot.signed.version, snapshot.signed.expires),
            ("timestamp", self.timestamp.signed.version, self.timestamp.signed.expires),
        ]
    }
}
