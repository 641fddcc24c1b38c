//! Who has signed, and who has not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Refusal, Report};
use crate::tuf::{Authority, KeyId, Role, Signature, Signed, canonical};

/// Whose keys must sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The root before this one.
    OldRoot(u64),
    /// The root itself.
    NewRoot(u64),
    /// The root that says who signs targets.
    Root(u64),
    /// The targets that says who signs bins.
    Targets(u64),
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OldRoot(version) | Self::NewRoot(version) | Self::Root(version) => {
                write!(f, "root {version}")
            }
            Self::Targets(version) => write!(f, "targets {version}"),
        }
    }
}

/// How far one of those who must agree has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The role that is signed.
    pub role: &'static str,
    /// Its version.
    pub version: u64,
    /// Whose keys these are.
    pub by: By,
    /// How many must sign.
    pub threshold: u64,
    /// Keys that signed.
    pub signed: Vec<KeyId>,
    /// Keys that may still sign.
    pub missing: Vec<KeyId>,
}

impl Standing {
    /// Whether enough have signed.
    pub fn reached(&self) -> bool {
        self.threshold > 0 && self.signed.len() as u64 >= self.threshold
    }

    /// How many more must sign.
    pub fn lacking(&self) -> u64 {
        self.threshold.max(1).saturating_sub(self.signed.len() as u64)
    }

    pub(in crate::ceremony) fn refusal(&self) -> Refusal {
        let (found, needed) = (self.signed.len() as u64, self.threshold.max(1));
        let (role, version, by) = (self.role, self.version, self.by.to_string());
        Refusal::Threshold { role, version, by, found, needed }
    }
}

/// Whether somebody was asked to sign here and has not: other tools write a place for the signature.
pub(in crate::ceremony) fn is_place(signature: &Signature) -> bool {
    signature.sig.is_empty()
}

/// Adds to `faults` what is wrong with the signatures, and counts them for each of `authorities`.
pub(super) fn report<R: Role>(
    role: &'static str,
    new: &Signed<R>,
    authorities: &[(By, Authority<'_>)],
    mut faults: Vec<Refusal>,
) -> Report {
    // What has no canonical form has no valid signature; reading a file refuses it before.
    let message = canonical::to_vec(&new.signed).unwrap_or_default();
    let (mut ids, mut valid) = (BTreeSet::new(), BTreeMap::<Vec<u8>, &KeyId>::new());
    for signature in new.signatures.iter().filter(|signature| !is_place(signature)) {
        let keyid = &signature.keyid;
        let may = |authority: &Authority<'_>| authority.keyids.contains(keyid);
        let mut keys = authorities.iter().filter(|(_, authority)| may(authority)).peekable();
        let fault = if !ids.insert(keyid) {
            Refusal::SignedTwice { role, keyid: keyid.clone() }
        } else if keys.peek().is_none() {
            Refusal::MayNotSign { role, keyid: keyid.clone() }
        } else {
            // Under one id two files could define two keys: the signature must be both's.
            let keys: Option<Vec<_>> = keys
                .map(|(_, authority)| authority.keys.get(keyid)?.public().ok())
                .map(|key| key.filter(|key| key.verifies(&message, &signature.sig)))
                .collect();
            match keys.as_deref() {
                Some([key, ..]) => match valid.insert(key.identity(), keyid) {
                    None => continue,
                    Some(first) => Refusal::OneKeySignedTwice {
                        role,
                        first: first.clone(),
                        second: keyid.clone(),
                    },
                },
                _ => Refusal::BadSignature { role, keyid: keyid.clone() },
            }
        };
        faults.push(fault);
    }
    let version = new.signed.version();
    let signed: BTreeSet<&KeyId> = valid.into_values().collect();
    let standings = authorities.iter().map(|(by, authority)| {
        let unique: BTreeSet<_> = authority.keyids.iter().collect();
        let (signed, missing): (Vec<_>, Vec<_>) =
            unique.into_iter().cloned().partition(|id| signed.contains(id));
        Standing { role, version, by: *by, threshold: authority.threshold, signed, missing }
    });
    let standings = standings.collect();
    Report { faults, standings }
}
