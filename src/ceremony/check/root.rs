//! A new root.

use jiff::Timestamp;

use super::{By, Checked, Next, Refusal, Report, keys, signatures, version};
use crate::tuf::{Root, Signed};

const ROLES: [&str; 4] = ["root", "targets", "snapshot", "timestamp"];

/// Checks that `new` may follow `old`, or be the first.
///
/// # Errors
/// The first [`Refusal`].
pub fn root(
    old: Option<&Signed<Root>>,
    new: &Signed<Root>,
    now: Timestamp,
) -> Result<Checked, Refusal> {
    root_report(old.map(|old| &old.signed), new, now).finish()
}

/// All that is to be said of `new`, which may not be signed yet.
pub fn root_report(old: Option<&Root>, new: &Signed<Root>, now: Timestamp) -> Report {
    let root = &new.signed;
    let mut faults = match old {
        None if root.version > 1 => vec![Refusal::NotFirst { role: "root", found: root.version }],
        _ => Vec::new(),
    };
    // The one fault says it all.
    let next = if faults.is_empty() { Next::One } else { Next::Later };
    faults.extend(version::faults("root", old.map(|old| old.version), root, next, now));
    if !root.consistent_snapshot {
        faults.push(Refusal::NotConsistent);
    }
    for role in ROLES {
        match root.authority(role) {
            Some(authority) => faults.extend(keys::faults(role, authority)),
            None => faults.push(Refusal::MissingRole { role: "root", missing: role.into() }),
        }
    }
    faults.extend(keys::misnamed(&root.keys, old.map(|old| &old.keys)));
    let before = old.and_then(|old| Some((By::OldRoot(old.version), old.authority("root")?)));
    let itself = root.authority("root").map(|authority| (By::NewRoot(root.version), authority));
    let authorities: Vec<_> = before.into_iter().chain(itself).collect();
    signatures::report("root", new, &authorities, faults)
}
