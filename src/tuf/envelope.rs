//! Signed metadata: a role and the signatures over its canonical form (TUF specification, section 4.2.1).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::canonical::{self, CanonicalError};
use super::{Key, KeyId, Role, Signature};

/// A role with its signatures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "R: Role")]
pub struct Signed<R> {
    /// The signatures.
    pub signatures: Vec<Signature>,
    /// What they sign.
    pub signed: R,
}

/// Why metadata cannot be read or does not count.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// Not the JSON of the expected role.
    #[error("{role} metadata cannot be read: {source}")]
    Malformed {
        /// The expected `_type`.
        role: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// Too few keys signed.
    #[error("{role} is signed by {found} of the {needed} keys that it needs")]
    Threshold {
        /// The role's name.
        role: String,
        /// Valid signatures by different keys.
        found: u64,
        /// The threshold.
        needed: u64,
    },
    /// The delegating role does not know the role.
    #[error("{0} is not delegated")]
    NotDelegated(String),
}

impl<R: Role> Signed<R> {
    /// Reads metadata.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        serde_json::from_slice(bytes)
            .map_err(|source| MetadataError::Malformed { role: R::TYPE, source })
    }

    /// The bytes that are stored and served: compact JSON, keys sorted.
    ///
    /// # Errors
    /// [`CanonicalError`] when it cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Checks that `threshold` of the `keyids` signed it (specification, section 5.3.4 and others).
    /// Each key counts once, under however many key ids; unknown keys and bad signatures do not count and do no harm.
    ///
    /// # Errors
    /// [`MetadataError::Threshold`] when too few did.
    pub fn verify(
        &self,
        name: &str,
        keys: &BTreeMap<KeyId, Key>,
        keyids: &[KeyId],
        threshold: u64,
    ) -> Result<(), MetadataError> {
        let message = canonical::to_vec(&self.signed)?;
        let mut valid = BTreeSet::new();
        for Signature { keyid, sig, .. } in &self.signatures {
            let key = keys.get(keyid).filter(|_| keyids.contains(keyid));
            let Some(Ok(key)) = key.map(Key::public) else { continue };
            if key.verifies(&message, sig) {
                valid.insert(key.identity());
            }
        }
        let found = valid.len() as u64;
        if threshold == 0 || found < threshold {
            return Err(MetadataError::Threshold { role: name.into(), found, needed: threshold });
        }
        Ok(())
    }
}

impl super::Root {
    /// Checks `role`, a top-level role called `name`, against the keys that this root trusts it with.
    ///
    /// # Errors
    /// [`MetadataError`] when the role is unknown or too few keys signed.
    pub fn verify<R: Role>(&self, name: &str, role: &Signed<R>) -> Result<(), MetadataError> {
        let trusted =
            self.roles.get(name).ok_or_else(|| MetadataError::NotDelegated(name.into()))?;
        role.verify(name, &self.keys, &trusted.keyids, trusted.threshold)
    }
}

impl super::Delegations {
    /// Checks `role`, called `name`, against the keys that this delegation trusts it with.
    ///
    /// # Errors
    /// [`MetadataError`] when the role is unknown or too few keys signed.
    pub fn verify<R: Role>(&self, name: &str, role: &Signed<R>) -> Result<(), MetadataError> {
        let explicit = self.roles.iter().flatten().find(|role| role.name == name);
        let (keyids, threshold) = match (explicit, &self.succinct_roles) {
            (Some(role), _) => (&role.keyids, role.threshold),
            (None, Some(bins)) if bins.has(name) => (&bins.keyids, bins.threshold),
            _ => return Err(MetadataError::NotDelegated(name.into())),
        };
        role.verify(name, &self.keys, keyids, threshold)
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;
    use crate::tuf::{Expiry, Targets};

    /// A role with two signatures by each of `keys`, under key ids of their own.
    fn signed_by(keys: &[&SigningKey]) -> (Signed<Targets>, BTreeMap<KeyId, Key>) {
        let signed = Targets::empty(1, Expiry::at(jiff::Timestamp::UNIX_EPOCH));
        let message = canonical::to_vec(&signed).unwrap();
        let (mut signatures, mut public) = (Vec::new(), BTreeMap::new());
        for (n, key) in keys.iter().enumerate() {
            let keyid = KeyId(format!("key {n}"));
            let sig = hex::encode(key.sign(&message).to_bytes());
            public.insert(keyid.clone(), Key::ed25519(key.verifying_key().as_bytes()));
            let signature = Signature { keyid, sig, extra: BTreeMap::new() };
            signatures.extend([signature.clone(), signature]);
        }
        (Signed { signatures, signed }, public)
    }

    fn found(keys: &[&SigningKey]) -> u64 {
        let (role, public) = signed_by(keys);
        let keyids: Vec<_> = public.keys().cloned().collect();
        match role.verify("role", &public, &keyids, 100) {
            Err(MetadataError::Threshold { found, .. }) => found,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_counts_once() {
        let [a, b] = [1, 2].map(|seed| SigningKey::from_bytes(&[seed; 32]));
        assert_eq!(found(&[]), 0);
        assert_eq!(found(&[&a, &b]), 2, "two signatures each");
        assert_eq!(found(&[&a, &a]), 1, "one key under two ids");
    }
}
