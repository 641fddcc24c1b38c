//! What roles are built of, at `init` and in drafts alike.

use std::collections::BTreeMap;

use super::check::ALL;
use crate::tuf::{DelegatedRole, Delegations, Key, KeyId, RoleKeys, SuccinctRoles};

/// What the names of the first bins begin with.
pub(super) const PREFIX: &str = "bins";
/// The most roles that one delegation by hash is followed to.
pub(super) const MOST: u64 = crate::tuf::bins::MOST as u64;

pub(super) fn key_map<'k>(keys: impl IntoIterator<Item = &'k Key>) -> BTreeMap<KeyId, Key> {
    keys.into_iter().map(|key| (key.id(), key.clone())).collect()
}

pub(super) fn role_keys(keyids: Vec<KeyId>, threshold: u64) -> RoleKeys {
    RoleKeys { keyids, threshold, extra: BTreeMap::new() }
}

/// targets delegates all that we sign to `bins`; other delegations can be put in front of it.
pub(super) fn to_bins<'k>(
    keys: impl IntoIterator<Item = &'k Key> + Clone,
    threshold: u64,
) -> Delegations {
    let bins = DelegatedRole {
        keyids: keys.clone().into_iter().map(Key::id).collect(),
        name: "bins".into(),
        path_hash_prefixes: None,
        paths: Some(ALL.map(str::to_owned).into()),
        terminating: false,
        threshold,
        extra: BTreeMap::new(),
    };
    Delegations {
        keys: key_map(keys),
        roles: Some(vec![bins]),
        succinct_roles: None,
        extra: BTreeMap::new(),
    }
}

/// bins delegates to each bin.
pub(super) fn to_each_bin<'k>(
    keys: impl IntoIterator<Item = &'k Key> + Clone,
    threshold: u64,
    bit_length: u32,
    prefix: &str,
) -> Delegations {
    let succinct = SuccinctRoles {
        bit_length,
        keyids: keys.clone().into_iter().map(Key::id).collect(),
        name_prefix: prefix.into(),
        threshold,
        extra: BTreeMap::new(),
    };
    Delegations {
        keys: key_map(keys),
        roles: None,
        succinct_roles: Some(succinct),
        extra: BTreeMap::new(),
    }
}
