//! Whether the keys that are loaded can go on signing.

use super::Refusal;
use super::bins::succinct_of;
use crate::tuf::{Authority, KeyId, Root, Targets};

/// Checks that the keys called `loaded` can sign timestamp and snapshot under `root`.
///
/// # Errors
/// [`Refusal::LockedOut`] where none may, [`Refusal::TooFewOnline`] where too few do.
pub fn root_online(root: &Root, loaded: &[KeyId]) -> Result<(), Refusal> {
    for signs in ["timestamp", "snapshot"] {
        let missing = || Refusal::MissingRole { role: "root", missing: signs.into() };
        enough("root", signs, root.authority(signs).ok_or_else(missing)?, loaded)?;
    }
    Ok(())
}

/// Checks that the keys called `loaded` can sign the bins that `bins` delegates to.
///
/// # Errors
/// [`Refusal::LockedOut`] where none may, [`Refusal::TooFewOnline`] where too few do.
pub fn bins_online(bins: &Targets, loaded: &[KeyId]) -> Result<(), Refusal> {
    let missing = || Refusal::NotThatRole { role: "bins", why: "it has no succinct_roles".into() };
    let succinct = succinct_of(bins).ok_or_else(missing)?;
    let delegations = bins.delegations.as_ref().ok_or_else(missing)?;
    let authority = delegations.authority(&succinct.name(0)).ok_or_else(missing)?;
    enough("bins", "the bins", authority, loaded)
}

fn enough(
    role: &'static str,
    signs: &'static str,
    authority: Authority<'_>,
    loaded: &[KeyId],
) -> Result<(), Refusal> {
    let mut may: Vec<_> = authority.keyids.iter().filter(|id| loaded.contains(id)).collect();
    may.sort();
    may.dedup();
    match (may.len() as u64, authority.threshold.max(1)) {
        (0, _) => Err(Refusal::LockedOut { role, signs }),
        (found, needed) if found < needed => {
            Err(Refusal::TooFewOnline { role, signs, found, needed })
        }
        _ => Ok(()),
    }
}
