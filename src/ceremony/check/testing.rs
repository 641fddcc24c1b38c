//! Roles and keys to check.

use ed25519_dalek::{Signer as _, SigningKey};
use jiff::Timestamp;

use crate::tuf::{
    DelegatedRole, Delegations, Expiry, Key, KeyId, Role, RoleKeys, Root, RootType, SPEC_VERSION,
    Signature, Signed, SuccinctRoles, Targets, canonical,
};

pub fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

pub fn later() -> Expiry {
    Expiry::at("2027-06-01T00:00:00Z".parse().unwrap())
}

/// The key number `seed`.
#[derive(Clone)]
pub struct Pair(pub SigningKey);

pub fn pair(seed: u8) -> Pair {
    Pair(SigningKey::from_bytes(&[seed; 32]))
}

impl Pair {
    pub fn key(&self) -> Key {
        Key::ed25519(self.0.verifying_key().as_bytes())
    }

    pub fn id(&self) -> KeyId {
        self.key().id()
    }

    pub fn sign<R: Role>(&self, role: &R) -> Signature {
        let message = canonical::to_vec(role).unwrap();
        let sig = hex::encode(self.0.sign(&message).to_bytes());
        Signature { keyid: self.id(), sig, extra: Default::default() }
    }
}

pub fn ids(pairs: &[u8]) -> Vec<KeyId> {
    pairs.iter().map(|seed| pair(*seed).id()).collect()
}

pub fn keys_of(pairs: &[u8]) -> std::collections::BTreeMap<KeyId, Key> {
    pairs.iter().map(|seed| (pair(*seed).id(), pair(*seed).key())).collect()
}

pub fn by<R: Role>(role: &R, pairs: &[u8]) -> Signed<R> {
    let signatures = pairs.iter().map(|seed| pair(*seed).sign(role)).collect();
    Signed { signatures, signed: role.clone() }
}

/// root: 1, 2, 3 with a threshold of 2; targets: 4; online: 9.
pub fn root(version: u64) -> Root {
    let role = |name: &str, keys: &[u8], threshold| {
        (name.to_owned(), RoleKeys { keyids: ids(keys), threshold, extra: Default::default() })
    };
    Root {
        kind: RootType,
        consistent_snapshot: true,
        expires: later(),
        keys: keys_of(&[1, 2, 3, 4, 9]),
        roles: [
            role("root", &[1, 2, 3], 2),
            role("targets", &[4], 1),
            role("snapshot", &[9], 1),
            role("timestamp", &[9], 1),
        ]
        .into(),
        spec_version: SPEC_VERSION.into(),
        version,
        extra: Default::default(),
    }
}

pub fn delegated(name: &str, paths: &[&str], key: u8) -> DelegatedRole {
    DelegatedRole {
        keyids: ids(&[key]),
        name: name.into(),
        path_hash_prefixes: None,
        paths: Some(paths.iter().map(ToString::to_string).collect()),
        terminating: false,
        threshold: 1,
        extra: Default::default(),
    }
}

/// Delegates to bins: 5.
pub fn targets(version: u64) -> Targets {
    let bins = delegated("bins", &["simple/*/*", "files/*/*"], 5);
    let delegations = Delegations {
        keys: keys_of(&[5]),
        roles: Some(vec![bins]),
        succinct_roles: None,
        extra: Default::default(),
    };
    Targets { delegations: Some(delegations), ..Targets::empty(version, later()) }
}

/// 16 bins, signed by 9.
pub fn bins(version: u64) -> Targets {
    let succinct = SuccinctRoles {
        bit_length: 4,
        keyids: ids(&[9]),
        name_prefix: "bins".into(),
        threshold: 1,
        extra: Default::default(),
    };
    let delegations = Delegations {
        keys: keys_of(&[9]),
        roles: None,
        succinct_roles: Some(succinct),
        extra: Default::default(),
    };
    Targets { delegations: Some(delegations), ..Targets::empty(version, later()) }
}
