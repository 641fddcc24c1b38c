//! A new bins.

use jiff::Timestamp;

use super::targets::own_targets;
use super::{By, Checked, Next, Refusal, Report, keys, signatures, version};
use crate::tuf::{Delegations, Signed, SuccinctRoles, Targets};

const MOST_BITS: u32 = crate::tuf::bins::MOST.ilog2();
const LONGEST_PREFIX: usize = 32;

/// Checks that `new` may follow `old`, as `targets` says who signs it.
///
/// # Errors
/// The first [`Refusal`].
pub fn bins(
    targets: &Targets,
    old: Option<&Signed<Targets>>,
    new: &Signed<Targets>,
    next: Next,
    now: Timestamp,
) -> Result<Checked, Refusal> {
    bins_report(Some(targets), old.map(|old| &old.signed), new, next, now).finish()
}

/// All that is to be said of `new`, which may not be signed yet. Without `targets` nothing is said of signatures.
pub fn bins_report(
    targets: Option<&Targets>,
    old: Option<&Targets>,
    new: &Signed<Targets>,
    next: Next,
    now: Timestamp,
) -> Report {
    let bins = &new.signed;
    let mut faults = version::faults("bins", old.map(|old| old.version), bins, next, now);
    faults.extend(own_targets("bins", bins));
    match &bins.delegations {
        Some(Delegations { roles: None, succinct_roles: Some(succinct), .. }) => {
            faults.extend(shape(succinct));
            faults.extend(moved(old.and_then(succinct_of), succinct));
        }
        _ => faults.push(Refusal::NotThatRole {
            role: "bins",
            why: "it has no succinct_roles, or more than those".into(),
        }),
    }
    if let Some(delegations) = &bins.delegations {
        if let Some(succinct) = &delegations.succinct_roles
            && let Some(authority) = delegations.authority(&succinct.name(0))
        {
            faults.extend(keys::faults(&format!("{}-…", succinct.name_prefix), authority));
        }
        let before = old.and_then(|old| Some(&old.delegations.as_ref()?.keys));
        faults.extend(keys::misnamed(&delegations.keys, before));
    }
    let Some(targets) = targets else { return Report { faults, standings: Vec::new() } };
    faults.extend(named_like_a_bin(targets, bins));
    signed(targets, new, faults)
}

/// Checks that `bins`, which is not new, may stay where `targets` is.
///
/// # Errors
/// [`Refusal`]: too few of those who sign bins under `targets` signed it, or a delegation has the name of a bin.
pub fn fits(targets: &Targets, bins: &Signed<Targets>) -> Result<(), Refusal> {
    let report = signed(targets, bins, named_like_a_bin(targets, &bins.signed));
    // It was published: what else was signed then does no harm now.
    let harmful = |fault: &Refusal| !matches!(fault, Refusal::MayNotSign { .. });
    let faults = report.faults.into_iter().filter(harmful).collect();
    Report { faults, ..report }.finish().map(drop)
}

fn signed(targets: &Targets, new: &Signed<Targets>, mut faults: Vec<Refusal>) -> Report {
    let authority = targets.delegations.as_ref().and_then(|to| to.authority("bins"));
    if authority.is_none() {
        faults.push(Refusal::MissingRole { role: "targets", missing: "bins".into() });
    }
    let by = By::Targets(targets.version);
    let authorities: Vec<_> = authority.map(|authority| (by, authority)).into_iter().collect();
    signatures::report("bins", new, &authorities, faults)
}

/// The bins that `bins` delegates to.
pub(in crate::ceremony) fn succinct_of(bins: &Targets) -> Option<&SuccinctRoles> {
    bins.delegations.as_ref()?.succinct_roles.as_ref()
}

fn shape(succinct: &SuccinctRoles) -> Vec<Refusal> {
    let bits = succinct.bit_length;
    let count = (!(1..=MOST_BITS).contains(&bits)).then_some(Refusal::BinCount(bits));
    let name = bad_prefix(&succinct.name_prefix)
        .map(|why| Refusal::BadName { name: succinct.name_prefix.clone(), why });
    count.into_iter().chain(name).collect()
}

/// Why no bins can have this prefix.
pub(in crate::ceremony) fn bad_prefix(prefix: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if prefix.is_empty() || prefix.len() > LONGEST_PREFIX {
        Some("a prefix of bins has 1 to 32 characters")
    } else if !prefix.chars().all(plain) {
        Some("use letters, digits, _ and - in a prefix of bins")
    } else {
        None
    }
}

fn moved(old: Option<&SuccinctRoles>, new: &SuccinctRoles) -> Option<Refusal> {
    let old = old?;
    let same_names = old.name_prefix == new.name_prefix;
    (same_names && old.bit_length != new.bit_length).then(|| Refusal::OtherBins {
        prefix: new.name_prefix.clone(),
        found: new.count(),
        current: old.count(),
    })
}

fn named_like_a_bin(targets: &Targets, bins: &Targets) -> Vec<Refusal> {
    let Some(succinct) = succinct_of(bins) else { return Vec::new() };
    let delegations = targets.delegations.iter().flat_map(|to| to.roles.iter().flatten());
    let like = delegations.filter(|role| succinct.has(&role.name));
    let why = "that is the name of a bin";
    like.map(|role| Refusal::BadName { name: role.name.clone(), why }).collect()
}
