//! Signed metadata: a role and the signatures over its canonical form (TUF specification, section 4.2.1).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::canonical::{self, CanonicalError};
use super::strict::Strict;
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
    /// Too few keys signed, and some could not have.
    #[error("{role} is signed by {found} of the {needed} keys that it needs, and {why}")]
    UnusableKey {
        /// The role's name.
        role: String,
        /// Valid signatures by different keys.
        found: u64,
        /// The threshold.
        needed: u64,
        /// Which key cannot be used, and why.
        why: String,
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

    /// Reads metadata that people pass on: no object in it names a key twice, so that all who read it see the same, and what
    /// is signed has a canonical form.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`], [`MetadataError::Canonical`].
    pub fn parse_strict(bytes: &[u8]) -> Result<Self, MetadataError> {
        let signed = Self::parse(bytes)?;
        serde_json::from_slice::<Strict>(bytes)
            .map_err(|source| MetadataError::Malformed { role: R::TYPE, source })?;
        canonical::to_vec(&signed.signed)?;
        Ok(signed)
    }

    /// The bytes that are stored and served: compact JSON, keys sorted.
    ///
    /// # Errors
    /// [`CanonicalError`] when it cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Checks that those who may sign it did (specification, section 5.3.4 and others).
    ///
    /// # Errors
    /// [`MetadataError::Threshold`] when too few did.
    pub fn verify(&self, name: &str, authority: Authority<'_>) -> Result<(), MetadataError> {
        let message = canonical::to_vec(&self.signed)?;
        authority.check(name, &message, &self.signatures)
    }
}

/// Who may sign a role, and how many of them must.
#[derive(Debug, Clone, Copy)]
pub struct Authority<'a> {
    /// All keys of the delegating role.
    pub keys: &'a BTreeMap<KeyId, Key>,
    /// Those that may sign.
    pub keyids: &'a [KeyId],
    /// How many must.
    pub threshold: u64,
}

impl Authority<'_> {
    /// Checks that enough of the keys signed `message`, the canonical form of the role called `name`. Each key counts once,
    /// also under several ids; unknown keys and bad signatures do not count and do no harm.
    ///
    /// # Errors
    /// [`MetadataError::Threshold`] or [`MetadataError::UnusableKey`] when too few did.
    pub fn check(
        &self,
        name: &str,
        message: &[u8],
        signatures: &[Signature],
    ) -> Result<(), MetadataError> {
        let mut valid = BTreeSet::new();
        for Signature { keyid, sig, .. } in signatures {
            let key = self.keys.get(keyid).filter(|_| self.keyids.contains(keyid));
            let Some(Ok(key)) = key.map(Key::public) else { continue };
            if key.verifies(message, sig) {
                valid.insert(key.identity());
            }
        }
        let found = valid.len() as u64;
        if self.threshold > 0 && found >= self.threshold {
            return Ok(());
        }
        let (role, needed) = (name.to_owned(), self.threshold.max(1));
        Err(match self.unusable() {
            Some(why) => MetadataError::UnusableKey { role, found, needed, why },
            None => MetadataError::Threshold { role, found, needed },
        })
    }

    /// A key that may sign and cannot.
    fn unusable(&self) -> Option<String> {
        self.keyids.iter().find_map(|keyid| match self.keys.get(keyid) {
            Some(key) => key.public().err().map(|error| error.to_string()),
            None => Some(format!("key {:?} is not defined", keyid.0)),
        })
    }

    /// What is wrong with the keys of the role called `name`, though they are well formed.
    pub(super) fn flaw(&self, name: &str) -> Option<String> {
        let mut seen = BTreeSet::new();
        if self.threshold == 0 {
            return Some(format!("the threshold of {name:?} is 0"));
        }
        let twice = self.keyids.iter().find(|keyid| !seen.insert(*keyid))?;
        Some(format!("{name:?} has the key {:?} twice", twice.0))
    }
}

impl super::Root {
    /// Whom this root trusts with the top-level role called `name`.
    pub fn authority(&self, name: &str) -> Option<Authority<'_>> {
        let role = self.roles.get(name)?;
        Some(Authority { keys: &self.keys, keyids: &role.keyids, threshold: role.threshold })
    }

    /// Checks `role`, a top-level role called `name`, against the keys that this root trusts it with.
    ///
    /// # Errors
    /// [`MetadataError`] when the role is unknown or too few keys signed.
    pub fn verify<R: Role>(&self, name: &str, role: &Signed<R>) -> Result<(), MetadataError> {
        let authority = self.authority(name);
        role.verify(name, authority.ok_or_else(|| MetadataError::NotDelegated(name.into()))?)
    }
}

impl super::Delegations {
    /// Whom this delegation trusts with the role called `name`.
    pub fn authority(&self, name: &str) -> Option<Authority<'_>> {
        let explicit = self.roles.iter().flatten().find(|role| role.name == name);
        let (keyids, threshold) = match (explicit, &self.succinct_roles) {
            (Some(role), _) => (&role.keyids, role.threshold),
            (None, Some(bins)) if bins.has(name) => (&bins.keyids, bins.threshold),
            _ => return None,
        };
        Some(Authority { keys: &self.keys, keyids, threshold })
    }

    /// Checks `role`, called `name`, against the keys that this delegation trusts it with.
    ///
    /// # Errors
    /// [`MetadataError`] when the role is unknown or too few keys signed.
    pub fn verify<R: Role>(&self, name: &str, role: &Signed<R>) -> Result<(), MetadataError> {
        let authority = self.authority(name);
        role.verify(name, authority.ok_or_else(|| MetadataError::NotDelegated(name.into()))?)
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
        match role.verify("role", Authority { keys: &public, keyids: &keyids, threshold: 100 }) {
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
