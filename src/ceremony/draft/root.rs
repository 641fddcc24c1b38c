//! The next root.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::DraftError;
use super::edit::{self, Role, RoleEdit, set_online};
use crate::ceremony::check::root_report;
use crate::ceremony::{holders, parts};
use crate::tuf::{Expiry, Key, KeyId, Root, RootType, SPEC_VERSION, Signed};

/// What a new root changes.
#[derive(Debug, Clone, PartialEq)]
pub struct RootChanges {
    /// The holders of root.
    pub root: RoleEdit,
    /// The holders of targets.
    pub targets: RoleEdit,
    /// The whole new set of timestamp's keys; nothing where they stay.
    pub timestamp: Vec<Key>,
    /// The whole new set of snapshot's keys; nothing where they stay.
    pub snapshot: Vec<Key>,
    /// When it expires.
    pub expires: Expiry,
}

/// The root that follows `current`, or the first.
///
/// # Errors
/// [`DraftError`].
pub fn root(
    current: Option<&Signed<Root>>,
    changes: &RootChanges,
    now: Timestamp,
) -> Result<Signed<Root>, DraftError> {
    let mut root = match current {
        Some(current) => next(current, now)?,
        None => first(changes)?,
    };
    root.expires = changes.expires;
    let mut held = holders::of(&root.extra);
    for (name, edit) in [("root", &changes.root), ("targets", &changes.targets)] {
        let role = root.roles.get_mut(name).ok_or(DraftError::NotCurrent("root"))?;
        let (keyids, threshold) = (&mut role.keyids, &mut role.threshold);
        let keys = &mut root.keys;
        Role { name, keyids, threshold, keys, holders: &mut held }.apply(edit)?;
    }
    for (name, new) in [("timestamp", &changes.timestamp), ("snapshot", &changes.snapshot)] {
        let role = root.roles.get_mut(name).ok_or(DraftError::NotCurrent("root"))?;
        set_online(&mut role.keyids, &mut role.threshold, new);
        root.keys.extend(parts::key_map(new));
    }
    let used = |id: &KeyId| root.roles.values().any(|role| role.keyids.contains(id));
    root.keys.retain(|id, _| used(id));
    held.retain(|id, _| root.keys.contains_key(id));
    holders::put(&mut root.extra, &held);
    let draft = Signed { signatures: Vec::new(), signed: root };
    match root_report(current.map(|current| &current.signed), &draft, now).faults.into_iter().next()
    {
        Some(fault) => Err(fault.into()),
        None => Ok(draft),
    }
}

fn next(current: &Signed<Root>, now: Timestamp) -> Result<Root, DraftError> {
    let root = &current.signed;
    // Its own holders' word: who signed before them is in no file that we have.
    let itself = root_report(None, current, now).standings.into_iter().find(|by| !by.reached());
    if let Some(lacking) = itself {
        return Err(DraftError::DraftOfDraft(lacking.refusal()));
    }
    let version = root.version.checked_add(1).ok_or(DraftError::LastVersion("root"))?;
    Ok(Root { version, ..root.clone() })
}

fn first(changes: &RootChanges) -> Result<Root, DraftError> {
    let RootChanges { root, targets, timestamp, snapshot, expires } = changes;
    let given =
        [root.add.is_empty(), targets.add.is_empty(), timestamp.is_empty(), snapshot.is_empty()];
    if given.contains(&true) {
        let flags = "--holder, --targets-holder and --online (or --timestamp and --snapshot)";
        return Err(DraftError::FirstNeeds { role: "root", flags });
    }
    let roles = ["root", "targets", "timestamp", "snapshot"];
    let empty = |name: &str| (name.to_owned(), parts::role_keys(Vec::new(), 1));
    Ok(Root {
        kind: RootType,
        consistent_snapshot: true,
        expires: *expires,
        keys: BTreeMap::new(),
        roles: roles.into_iter().map(empty).collect(),
        spec_version: SPEC_VERSION.into(),
        version: 1,
        extra: BTreeMap::new(),
    })
}

impl RootChanges {
    /// No change but the expiry: a renewal.
    pub fn renewal(expires: Expiry) -> Self {
        Self {
            root: edit::RoleEdit::default(),
            targets: edit::RoleEdit::default(),
            timestamp: Vec::new(),
            snapshot: Vec::new(),
            expires,
        }
    }
}
