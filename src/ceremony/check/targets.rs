//! A new targets.

use jiff::Timestamp;

use super::{By, Checked, Next, Refusal, Report, keys, signatures, version};
use crate::tuf::{DelegatedRole, Delegations, Root, Signed, Targets};

/// What bins is trusted with.
pub(in crate::ceremony) const ALL: [&str; 2] = ["simple/*/*", "files/*/*"];
const TOP_LEVEL: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];
const LONGEST_NAME: usize = 128;

/// Checks that `new` may follow `old`, as `root` says who signs it.
///
/// # Errors
/// The first [`Refusal`].
pub fn targets(
    root: &Root,
    old: Option<&Signed<Targets>>,
    new: &Signed<Targets>,
    next: Next,
    now: Timestamp,
) -> Result<Checked, Refusal> {
    targets_report(Some(root), old.map(|old| &old.signed), new, next, now).finish()
}

/// All that is to be said of `new`, which may not be signed yet. Without `root` nothing is said of signatures.
pub fn targets_report(
    root: Option<&Root>,
    old: Option<&Targets>,
    new: &Signed<Targets>,
    next: Next,
    now: Timestamp,
) -> Report {
    let targets = &new.signed;
    let mut faults = version::faults("targets", old.map(|old| old.version), targets, next, now);
    match &targets.delegations {
        Some(Delegations { roles: Some(_), succinct_roles: None, .. }) => (),
        _ => faults.push(Refusal::NotThatRole {
            role: "targets",
            why: "it delegates to no roles by name, as bins would be".into(),
        }),
    }
    faults.extend(own_targets("targets", targets));
    if let Some(delegations) = &targets.delegations {
        faults.extend(delegated(delegations));
        let before = old.and_then(|old| Some(&old.delegations.as_ref()?.keys));
        faults.extend(keys::misnamed(&delegations.keys, before));
    }
    let Some(root) = root else { return Report { faults, standings: Vec::new() } };
    let authority = root.authority("targets");
    if authority.is_none() {
        faults.push(Refusal::MissingRole { role: "root", missing: "targets".into() });
    }
    let authorities: Vec<_> =
        authority.map(|authority| (By::Root(root.version), authority)).into_iter().collect();
    signatures::report("targets", new, &authorities, faults)
}

pub(super) fn own_targets(role: &'static str, targets: &Targets) -> Option<Refusal> {
    let (example, _) = targets.targets.first_key_value()?;
    let (count, example) = (targets.targets.len(), example.clone());
    Some(Refusal::OwnTargets { role, count, example })
}

fn delegated(delegations: &Delegations) -> Vec<Refusal> {
    let mut faults = Vec::new();
    let (mut seen, mut bins) = (std::collections::BTreeSet::new(), None);
    for role in delegations.roles.iter().flatten() {
        let name = role.name.as_str();
        let why = match name {
            _ if !seen.insert(name) => Some("there is one of that name already"),
            _ if role.paths.is_some() == role.path_hash_prefixes.is_some() => {
                Some("it needs either paths or path_hash_prefixes")
            }
            "bins" => None,
            _ => bad_name(name),
        };
        let named = |why| Refusal::BadName { name: name.to_owned(), why };
        faults.extend(why.map(named));
        if let Some(authority) = delegations.authority(name) {
            faults.extend(keys::faults(name, authority));
        }
        if name == "bins" {
            bins = Some(role);
        } else if bins.is_none() && role.terminating {
            let hidden = ALL.into_iter().find(|pattern| covers(role, pattern));
            faults.extend(hidden.map(|pattern| Refusal::Hidden { name: name.into(), pattern }));
        }
    }
    match bins {
        None => faults.push(Refusal::MissingRole { role: "targets", missing: "bins".into() }),
        Some(bins) if !ALL.iter().all(|pattern| covers(bins, pattern)) => {
            faults.push(Refusal::NotCovered);
        }
        Some(_) => (),
    }
    faults
}

/// Why no delegated role other than bins can have this name.
pub(in crate::ceremony) fn bad_name(name: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+@".contains(c);
    if TOP_LEVEL.contains(&name) {
        Some("that is a top-level role")
    } else if is_like_a_bin(name) {
        Some("that is the name of a bin")
    } else if name.is_empty() || name.len() > LONGEST_NAME || name.starts_with('.') {
        Some("it is empty, too long, or begins with a dot")
    } else if !name.chars().all(plain) {
        Some("use letters, digits and . _ - + @")
    } else {
        None
    }
}

/// `bins`, perhaps a number, `-`, hex: a bin of today or of another time.
fn is_like_a_bin(name: &str) -> bool {
    let rest =
        name.strip_prefix("bins").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    match rest {
        Some("") => true,
        Some(rest) => rest.strip_prefix('-').is_some_and(|hex| {
            !hex.is_empty() && hex.bytes().all(|digit| digit.is_ascii_hexdigit())
        }),
        None => false,
    }
}

/// Whether `role` is trusted with every path that `pattern` matches, which is one of `simple/*/*` and `files/*/*`.
pub fn covers(role: &DelegatedRole, pattern: &str) -> bool {
    if let Some(prefixes) = &role.path_hash_prefixes {
        let taken = |byte: u8| {
            let hex = hex::encode([byte]);
            prefixes.iter().any(|prefix| hex.starts_with(prefix.as_str()))
        };
        return (0..=u8::MAX).all(taken);
    }
    let Some((first, _)) = pattern.split_once('/') else { return false };
    role.paths.iter().flatten().any(|paths| match paths.split('/').collect::<Vec<_>>()[..] {
        [folder, all, every] => {
            let stars = |text: &str| !text.is_empty() && text.bytes().all(|c| c == b'*');
            let one = DelegatedRole {
                paths: Some(vec![folder.to_owned()]),
                path_hash_prefixes: None,
                ..role.clone()
            };
            stars(all) && stars(every) && one.is_trusted_with(first)
        }
        _ => false,
    })
}
