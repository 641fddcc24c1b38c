//! The checks of the client workflow (TUF specification, section 5), one function a step. Pure: bytes and a time come in.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp as Time;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::hashing::Hashing;
use super::strict::Strict;
use super::{
    Authority, Delegations, Distrust, Expiry, Flaw, MetaFile, Role, Root, Signature, Snapshot,
    SuccinctRoles, Targets, Timestamp, canonical,
};

/// Who vouches for a targets role: the root, or another targets role.
#[derive(Debug, Clone, Copy)]
pub enum Delegator<'a> {
    /// For the top-level targets.
    Root(&'a Root),
    /// For a delegated role.
    Role(&'a Delegations),
}

/// How a timestamp stands to the one that was trusted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The same version: what was trusted stays (5.4.3.1).
    Same,
    /// A later one.
    Newer,
}

/// Reads the root that the user trusts; it is signed by its own keys (5.2). It may have expired.
///
/// # Errors
/// [`Distrust`] where it is no root, or not signed by itself.
pub fn first_root(bytes: &[u8]) -> Result<Root, Distrust> {
    let root = root(bytes)?;
    root.self_signed(bytes)?;
    Ok(root)
}

/// Checks the root that follows `trusted` (5.3.4 and 5.3.5): signed by both, and the very next version. It may have expired.
///
/// # Errors
/// [`Distrust`].
pub fn next_root(trusted: &Root, bytes: &[u8]) -> Result<Root, Distrust> {
    signed::<Root>("root", trusted.authority("root"), bytes)?;
    let new = root(bytes)?;
    new.self_signed(bytes)?;
    announced("root", trusted.version.saturating_add(1), new.version)?;
    Ok(new)
}

impl Root {
    fn self_signed(&self, bytes: &[u8]) -> Result<(), Distrust> {
        signed::<Self>("root", self.authority("root"), bytes).map(drop)
    }
}

/// Reads a root without looking at its signatures.
fn root(bytes: &[u8]) -> Result<Root, Distrust> {
    let (_, root) = open::<Root>("root", bytes)?;
    let missing = ["root", "timestamp", "snapshot", "targets"]
        .into_iter()
        .find(|role| !root.roles.contains_key(*role));
    let missing = missing.map(|role| format!("it has no role {role}"));
    let flaw = || root.roles.keys().find_map(|role| root.authority(role)?.flaw(role));
    match missing.or_else(flaw) {
        Some(flaw) => Err(malformed("root", flaw)),
        None => Ok(root),
    }
}

/// Checks that a role is valid at `now` (5.3.10, 5.4.4, 5.5.6, 5.6.5).
///
/// # Errors
/// [`Flaw::Expired`].
pub fn not_expired(what: &str, expires: Expiry, now: Time) -> Result<(), Distrust> {
    if expires.passed(now) { Err(Flaw::Expired(expires).of(what)) } else { Ok(()) }
}

/// Checks a timestamp's signatures (5.4.2). It may have expired, and may be older than what was trusted.
///
/// # Errors
/// [`Distrust`].
pub fn timestamp(root: &Root, bytes: &[u8]) -> Result<Timestamp, Distrust> {
    let timestamp = signed::<Timestamp>("timestamp", root.authority("timestamp"), bytes)?;
    announced_snapshot(&timestamp)?;
    Ok(timestamp)
}

/// Checks that `new` does not go back behind `trusted` (5.4.3).
///
/// # Errors
/// [`Flaw::Rollback`], of the timestamp or of the snapshot that it names.
pub fn timestamp_after(trusted: &Timestamp, new: &Timestamp) -> Result<Order, Distrust> {
    not_before("timestamp", trusted.version, new.version)?;
    if new.version == trusted.version {
        return Ok(Order::Same);
    }
    let (old, next) = (announced_snapshot(trusted)?, announced_snapshot(new)?);
    not_before("snapshot", old.version, next.version)?;
    Ok(Order::Newer)
}

/// What the timestamp says of the snapshot.
///
/// # Errors
/// [`Flaw::Malformed`] where it says nothing.
pub fn announced_snapshot(timestamp: &Timestamp) -> Result<&MetaFile, Distrust> {
    match timestamp.meta.get("snapshot.json") {
        Some(entry) if entry.version > 0 => Ok(entry),
        Some(_) => Err(malformed("timestamp", "it names version 0 of the snapshot".into())),
        None => Err(malformed("timestamp", "it names no snapshot".into())),
    }
}

/// Checks a snapshot's signatures alone: one that is stored stands for what was trusted, also after it expired.
///
/// # Errors
/// [`Distrust`].
pub fn stored_snapshot(root: &Root, bytes: &[u8]) -> Result<Snapshot, Distrust> {
    signed("snapshot", root.authority("snapshot"), bytes)
}

/// Checks the snapshot that `entry` of the timestamp announces (5.5.2 to 5.5.4 and 5.5.6).
///
/// # Errors
/// [`Distrust`].
pub fn snapshot(
    root: &Root,
    entry: &MetaFile,
    bytes: &[u8],
    now: Time,
) -> Result<Snapshot, Distrust> {
    entry.check("snapshot", bytes)?;
    let new = stored_snapshot(root, bytes)?;
    announced("snapshot", entry.version, new.version)?;
    not_expired("snapshot", new.expires, now)?;
    Ok(new)
}

/// Checks that nothing in `new` goes back behind `trusted`, and that nothing is gone (5.5.5).
///
/// # Errors
/// [`Flaw::Rollback`] or [`Flaw::NotListed`], of the role in question.
pub fn snapshot_after(trusted: &Snapshot, new: &Snapshot) -> Result<(), Distrust> {
    for (name, old) in &trusted.meta {
        let role = name.strip_suffix(".json").unwrap_or(name);
        let next = new.meta.get(name).ok_or_else(|| Flaw::NotListed.of(role))?;
        not_before(role, old.version, next.version)?;
    }
    Ok(())
}

/// What the snapshot says of a targets role.
///
/// # Errors
/// [`Flaw::NotListed`].
pub fn listed<'s>(snapshot: &'s Snapshot, role: &str) -> Result<&'s MetaFile, Distrust> {
    snapshot.meta.get(&format!("{role}.json")).ok_or_else(|| Flaw::NotListed.of(role))
}

/// Checks a targets role against `entry` of the snapshot and against who delegates to it (5.6.2 to 5.6.5).
///
/// # Errors
/// [`Distrust`].
pub fn targets(
    delegator: Delegator<'_>,
    name: &str,
    entry: &MetaFile,
    bytes: &[u8],
    now: Time,
) -> Result<Targets, Distrust> {
    entry.check(name, bytes)?;
    let authority = match delegator {
        Delegator::Root(root) => root.authority(name),
        Delegator::Role(delegations) => delegations.authority(name),
    };
    let new = signed::<Targets>(name, authority, bytes)?;
    announced(name, entry.version, new.version)?;
    not_expired(name, new.expires, now)?;
    if let Delegator::Role(Delegations { succinct_roles: Some(bins), .. }) = delegator {
        is_bin(bins, name, &new)?;
    }
    match new.flaw() {
        Some(flaw) => Err(malformed(name, flaw)),
        None => Ok(new),
    }
}

/// Checks that a bin is the one that was asked for, as far as it tells: else what is signed of a target could be hidden
/// behind another bin, whose signature and version are right.
fn is_bin(bins: &SuccinctRoles, name: &str, new: &Targets) -> Result<(), Distrust> {
    let other = match &new.bin {
        Some(own) => Some(own.clone()),
        None => new.targets.keys().map(|path| bins.bin_of(path)).find(|bin| bin != name),
    };
    match other.filter(|other| other != name) {
        Some(other) => Err(Flaw::AnotherBin(other).of(name)),
        None => Ok(()),
    }
}

impl MetaFile {
    /// Checks length and hashes, where they are given.
    pub(crate) fn check(&self, what: &str, bytes: &[u8]) -> Result<(), Distrust> {
        if let Some(expected) = self.length {
            same_length(what, expected, bytes.len() as u64)?;
        }
        self.hashes.as_ref().map_or(Ok(()), |hashes| same_hashes(what, hashes, bytes))
    }
}

fn same_length(what: &str, expected: u64, found: u64) -> Result<(), Distrust> {
    if expected == found { Ok(()) } else { Err(Flaw::Length { expected, found }.of(what)) }
}

fn same_hashes(
    what: &str,
    hashes: &BTreeMap<String, String>,
    bytes: &[u8],
) -> Result<(), Distrust> {
    let mut hashing = Hashing::default();
    hashing.update(bytes);
    hashing.finish(what, hashes)
}

fn not_before(what: &str, trusted: u64, found: u64) -> Result<(), Distrust> {
    if found < trusted { Err(Flaw::Rollback { trusted, found }.of(what)) } else { Ok(()) }
}

fn announced(what: &str, expected: u64, found: u64) -> Result<(), Distrust> {
    if found == expected { Ok(()) } else { Err(Flaw::Version { expected, found }.of(what)) }
}

fn malformed(what: &str, why: String) -> Distrust {
    Flaw::Malformed(why).of(what)
}

/// Metadata, with what is signed as it was sent: foreign metadata need not be in our own order.
#[derive(Deserialize)]
struct Envelope<'a> {
    signatures: Vec<Signature>,
    #[serde(borrow)]
    signed: &'a RawValue,
}

fn open<'a, R: Role>(name: &str, bytes: &'a [u8]) -> Result<(Envelope<'a>, R), Distrust> {
    // serde would take an array for a struct.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(malformed(name, "it is no JSON object".into()));
    }
    let unread = |error: serde_json::Error| malformed(name, error.to_string());
    let envelope: Envelope<'a> = serde_json::from_slice(bytes).map_err(unread)?;
    let role: R = serde_json::from_str(envelope.signed.get()).map_err(unread)?;
    if !is_known(role.spec_version()) {
        let version = role.spec_version().chars().take(40).collect();
        return Err(Flaw::SpecVersion(version).of(name));
    }
    if role.version() == 0 {
        return Err(malformed(name, "its version is 0".into()));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = envelope.signatures.iter().find(|sig| !seen.insert(&sig.keyid)) {
        return Err(malformed(name, format!("key {} signed twice", twice.keyid)));
    }
    Ok((envelope, role))
}

/// Reads a role, and checks that enough of those who may have signed it (5.3.4, 5.4.2, 5.5.3, 5.6.3).
fn signed<R: Role>(
    name: &str,
    authority: Option<Authority<'_>>,
    bytes: &[u8],
) -> Result<R, Distrust> {
    let authority = authority.ok_or_else(|| Flaw::NotDelegated.of(name))?;
    let (envelope, role) = open::<R>(name, bytes)?;
    let Strict(value) = serde_json::from_str(envelope.signed.get())
        .map_err(|error| malformed(name, error.to_string()))?;
    let message = canonical::to_vec(&value).map_err(|error| malformed(name, error.to_string()))?;
    authority
        .check(name, &message, &envelope.signatures)
        .map_err(|error| Flaw::from(error).of(name))?;
    Ok(role)
}

/// Whether a client of this version of the specification can read it (section 4.3, SPEC_VERSION): the same major version.
fn is_known(spec_version: &str) -> bool {
    let parts: Vec<&str> = spec_version.split('.').collect();
    let numbers = parts.iter().all(|part| part.parse::<u64>().is_ok());
    numbers && matches!(parts.as_slice(), ["1", _] | ["1", _, _])
}

#[cfg(test)]
mod tests;
