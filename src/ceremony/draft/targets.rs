//! The next targets.

use jiff::Timestamp;

use super::DraftError;
use super::edit::{Role, RoleEdit};
use crate::ceremony::check::{Next, Refusal, bad_name, targets_report};
use crate::ceremony::{holders, parts};
use crate::tuf::{DelegatedRole, Expiry, Key, KeyId, Signed, Targets};

/// A role that is put in front of bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Delegation {
    /// Its name.
    pub name: String,
    /// The patterns of its paths.
    pub paths: Vec<String>,
    /// Its key.
    pub key: Key,
}

/// What a new targets changes.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetsChanges {
    /// The holders of bins.
    pub bins: RoleEdit,
    /// Roles that are put in front of bins.
    pub delegate: Vec<Delegation>,
    /// Delegated roles that go.
    pub undelegate: Vec<String>,
    /// The version, where it is not the next.
    pub number: Option<u64>,
    /// When it expires.
    pub expires: Expiry,
}

impl TargetsChanges {
    /// No change but the expiry: a renewal.
    pub fn renewal(expires: Expiry) -> Self {
        Self {
            bins: RoleEdit::default(),
            delegate: Vec::new(),
            undelegate: Vec::new(),
            number: None,
            expires,
        }
    }
}

/// The targets that follows `current`, or the first.
///
/// # Errors
/// [`DraftError`].
pub fn targets(
    current: Option<&Signed<Targets>>,
    changes: &TargetsChanges,
    now: Timestamp,
) -> Result<Signed<Targets>, DraftError> {
    let current = current.map(|current| &current.signed);
    if current.is_none() && changes.bins.add.is_empty() {
        return Err(DraftError::FirstNeeds {
            role: "targets",
            flags: "--holder, who will sign bins",
        });
    }
    let version = number("targets", current.map(|current| current.version), changes.number)?;
    let mut targets = match current {
        Some(current) => Targets { version, expires: changes.expires, ..current.clone() },
        None => Targets {
            delegations: Some(parts::to_bins([], 1)),
            ..Targets::empty(version, changes.expires)
        },
    };
    let mut held = holders::of(&targets.extra);
    let delegations = targets.delegations.as_mut().ok_or(DraftError::NotCurrent("targets"))?;
    let keys = &mut delegations.keys;
    let roles = delegations.roles.as_mut().ok_or(DraftError::NotCurrent("targets"))?;

    let bins = roles.iter_mut().find(|role| role.name == "bins");
    let bins = bins.ok_or(DraftError::NotCurrent("targets"))?;
    let (keyids, threshold) = (&mut bins.keyids, &mut bins.threshold);
    Role { name: "bins", keyids, threshold, keys, holders: &mut held }.apply(&changes.bins)?;

    for name in &changes.undelegate {
        if name == "bins" {
            return Err(DraftError::BinsStay);
        }
        let there = roles.iter().position(|role| role.name == *name);
        roles.remove(there.ok_or_else(|| DraftError::NoDelegation(name.clone()))?);
    }
    for Delegation { name, paths, key } in &changes.delegate {
        if let Some(why) = bad_name(name) {
            return Err(Refusal::BadName { name: name.clone(), why }.into());
        }
        let role = DelegatedRole {
            keyids: vec![key.id()],
            name: name.clone(),
            path_hash_prefixes: None,
            paths: Some(paths.clone()),
            terminating: false,
            threshold: 1,
            extra: Default::default(),
        };
        keys.insert(key.id(), key.clone());
        let front = roles.iter().position(|role| role.name == "bins").unwrap_or_default();
        roles.insert(front, role);
    }
    let used = |id: &KeyId| roles.iter().any(|role| role.keyids.contains(id));
    keys.retain(|id, _| used(id));
    held.retain(|id, _| keys.contains_key(id));
    holders::put(&mut targets.extra, &held);
    let draft = Signed { signatures: Vec::new(), signed: targets };
    match targets_report(None, current, &draft, Next::Free(version), now).faults.into_iter().next()
    {
        Some(fault) => Err(fault.into()),
        None => Ok(draft),
    }
}

/// The version of a draft.
pub(super) fn number(
    role: &'static str,
    current: Option<u64>,
    given: Option<u64>,
) -> Result<u64, DraftError> {
    let current = current.unwrap_or(0);
    match given {
        Some(number) if number <= current => Err(DraftError::Number { role, number, current }),
        Some(number) => Ok(number),
        None => current.checked_add(1).ok_or(DraftError::LastVersion(role)),
    }
}
