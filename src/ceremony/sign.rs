//! One holder's signature.

use jiff::Timestamp;

use super::case::Case;
use super::check::{Refusal, is_place, shown};
use super::words::{list, plain};
use crate::signer::{Signer, SignerError};
use crate::tuf::{KeyId, Signature};

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// It would be refused, whoever signs.
    #[error("it is not signed: {0}")]
    Refused(#[from] Refusal),
    /// The key may not sign this.
    #[error("key {} may not sign this {role}: {may} may", shown(keyid))]
    NotYours {
        /// The role.
        role: &'static str,
        /// The key.
        keyid: KeyId,
        /// Who may.
        may: String,
    },
    /// It has signed.
    #[error("key {} has signed this {role} already: pass the file on", shown(keyid))]
    Already {
        /// The role.
        role: &'static str,
        /// The key.
        keyid: KeyId,
    },
    /// The key gave something else than its signature.
    #[error("the signature that key {} gave does not verify: is it the key that it says?", shown(.0))]
    Wrong(KeyId),
    /// The key failed.
    #[error(transparent)]
    Signer(#[from] SignerError),
}

/// Says whether `signer` may sign, and under which id.
///
/// # Errors
/// [`SignError`].
pub fn may_sign(case: &Case, signer: &dyn Signer, now: Timestamp) -> Result<KeyId, SignError> {
    let role = case.kind().name();
    if let Some(fault) = case.report(now).faults.into_iter().next() {
        return Err(fault.into());
    }
    let (own, public) = (signer.key().id(), signer.key().public());
    let identity = public.map(|key| key.identity()).ok();
    let authorities = case.authorities();
    // A repository that was made elsewhere may have other ids.
    let is_own = |keys: &std::collections::BTreeMap<_, crate::tuf::Key>, id: &KeyId| {
        let there = keys.get(id).and_then(|key| key.public().ok()).map(|key| key.identity());
        there.is_some() && there == identity
    };
    let under = authorities.iter().find_map(|(_, authority)| {
        authority.keyids.iter().find(|id| is_own(authority.keys, id)).cloned()
    });
    let keyid = match under {
        Some(keyid) => keyid,
        // Nothing says who may.
        None if authorities.is_empty() => own,
        None => {
            let holders = case.holders();
            let ids = authorities.iter().flat_map(|(_, authority)| authority.keyids);
            let ids: std::collections::BTreeSet<_> = ids.collect();
            let may = ids.into_iter().map(|id| match holders.get(id) {
                Some(name) => format!("{} ({})", plain(name), shown(id)),
                None => shown(id).to_string(),
            });
            return Err(SignError::NotYours { role, keyid: own, may: list(may) });
        }
    };
    let signed = case.signatures().iter().any(|sig| sig.keyid == keyid && !is_place(sig));
    if signed { Err(SignError::Already { role, keyid }) } else { Ok(keyid) }
}

/// Adds the signature of `signer`.
///
/// # Errors
/// [`SignError`]; nothing is changed then.
pub async fn sign(
    case: &mut Case,
    signer: &dyn Signer,
    now: Timestamp,
) -> Result<KeyId, SignError> {
    let keyid = may_sign(case, signer, now)?;
    let message = case.message().map_err(SignerError::from)?;
    let sig = signer.sign(&message).await?;
    let key = case.key(&keyid).unwrap_or_else(|| signer.key().clone());
    if key.verify(&message, &sig).is_err() {
        return Err(SignError::Wrong(keyid));
    }
    let signatures = case.signatures_mut();
    signatures.retain(|signature| signature.keyid != keyid);
    signatures.push(Signature { keyid: keyid.clone(), sig, extra: Default::default() });
    Ok(keyid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ceremony::check::testing::{by, now, pair, root, targets};
    use crate::signer::FileSigner;
    use crate::tuf::{Expiry, Root};

    fn signer(seed: u8) -> FileSigner {
        pair(seed).0.into()
    }

    fn case(new: &Root, signed_by: &[u8]) -> Case {
        Case::Root { old: Some(by(&root(1), &[1, 2])), new: by(new, signed_by) }
    }

    #[tokio::test]
    async fn holders_of_the_old_root_and_of_the_new_may_sign_once() {
        let mut new = root(2);
        new.keys.insert(pair(6).id(), pair(6).key());
        new.roles.get_mut("root").unwrap().keyids = [2, 3, 6].map(|seed| pair(seed).id()).into();
        let mut case = case(&new, &[]);
        for seed in [1, 2, 6] {
            let keyid = sign(&mut case, &signer(seed), now()).await.unwrap();
            assert_eq!(keyid, pair(seed).id());
        }
        let report = case.report(now());
        assert!(report.is_signed() && report.faults.is_empty(), "{report:?}");
        let again = sign(&mut case, &signer(2), now()).await.unwrap_err().to_string();
        assert!(again.contains("has signed this root already"), "{again}");
        let other = sign(&mut case, &signer(4), now()).await.unwrap_err().to_string();
        assert!(
            other.contains("may not sign this root")
                && other.contains(&shown(&pair(1).id()).to_string()),
            "{other}"
        );
        assert_eq!(case.signatures().len(), 3);
    }

    #[tokio::test]
    async fn what_would_be_refused_is_not_signed() {
        let expired = Root { expires: Expiry::at(now()), ..root(2) };
        let harmful = Root { consistent_snapshot: false, ..root(2) };
        for (new, why) in [
            (expired, "expired"),
            (root(3), "leaves out"),
            (root(1), "already"),
            (harmful, "consistent"),
        ] {
            let said = sign(&mut case(&new, &[]), &signer(1), now()).await.unwrap_err().to_string();
            assert!(said.contains("it is not signed") && said.contains(why), "{said}");
        }
        let mut tampered = case(&root(2), &[1]);
        tampered.signatures_mut()[0].sig = "00".repeat(64);
        let said = sign(&mut tampered, &signer(2), now()).await.unwrap_err().to_string();
        assert!(said.contains("does not verify"), "{said}");
    }

    #[tokio::test]
    async fn a_place_for_a_signature_is_filled() {
        let mut case = case(&root(2), &[1]);
        case.signatures_mut()[0].sig.clear();
        sign(&mut case, &signer(1), now()).await.unwrap();
        assert_eq!(case.signatures().len(), 1);
    }

    #[tokio::test]
    async fn targets_is_signed_by_whom_root_says() {
        let new = || by(&targets(2), &[]);
        let mut told = Case::Targets { root: Some(by(&root(1), &[1, 2])), old: None, new: new() };
        assert!(sign(&mut told, &signer(5), now()).await.is_err());
        sign(&mut told, &signer(4), now()).await.unwrap();
        let mut untold = Case::Targets { root: None, old: None, new: new() };
        sign(&mut untold, &signer(5), now()).await.unwrap();
    }
}
