//! Public keys, key ids and signatures (TUF specification, section 4.2).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::fields::open_struct;
use super::{Digest, canonical};
use public::Kind;

pub use public::PublicKey;

mod public;
mod spki;

/// The id of a key: the SHA-256 of its canonical JSON, in hex. Foreign repositories may use other texts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

open_struct! {
    /// A public key.
    pub struct Key {
        /// `ed25519`, `ecdsa`, `rsa` …
        "keytype" => keytype: String,
        /// The public value: `public`, hex for Ed25519 and PEM (SPKI) for the others, and whatever else a foreign key carries.
        "keyval" => keyval: BTreeMap<String, serde_json::Value>,
        /// How signatures are made: `ed25519`, `ecdsa-sha2-nistp256`, `rsassa-pss-sha256` …
        "scheme" => scheme: String,
    }
}

open_struct! {
    /// One signature of a role.
    pub struct Signature {
        /// The key that made it.
        "keyid" => keyid: KeyId,
        /// Hex.
        "sig" => sig: String,
    }
}

impl super::fields::Field for KeyId {}

/// Why a signature does not count. Each names the key's type and scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A key of a kind that cannot be used here.
    #[error(
        "keys of type {keytype:?} with scheme {scheme:?} are not supported: ed25519, ecdsa on P-256 or P-384, and rsa with rsassa-pss-sha256 are"
    )]
    Unsupported {
        /// The key's type.
        keytype: String,
        /// The key's scheme.
        scheme: String,
    },
    /// The public value is not what type and scheme ask for, or too weak.
    #[error("the key of type {keytype:?} with scheme {scheme:?} cannot be used: {why}")]
    Unusable {
        /// The key's type.
        keytype: String,
        /// The key's scheme.
        scheme: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The signature is not one of this key over these bytes.
    #[error("the signature of the key of type {keytype:?} with scheme {scheme:?} does not verify")]
    BadSignature {
        /// The key's type.
        keytype: String,
        /// The key's scheme.
        scheme: String,
    },
}

impl Key {
    /// An Ed25519 key from its 32 public bytes.
    pub fn ed25519(public: &[u8; 32]) -> Self {
        Self {
            keytype: "ed25519".into(),
            keyval: [("public".to_owned(), hex::encode(public).into())].into(),
            scheme: "ed25519".into(),
            extra: BTreeMap::new(),
        }
    }

    /// The key's id: SHA-256 of the canonical JSON of key type, public value and scheme, and of nothing more.
    pub fn id(&self) -> KeyId {
        let public = self.keyval.get("public").cloned().unwrap_or_default();
        let plain = serde_json::json!({
            "keytype": self.keytype, "keyval": {"public": public}, "scheme": self.scheme,
        });
        // Strings alone: the canonical form exists.
        KeyId(Digest::of(&canonical::to_vec(&plain).unwrap_or_default()).to_string())
    }

    /// The key itself, ready to verify.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] and [`KeyError::Unusable`].
    pub fn public(&self) -> Result<PublicKey, KeyError> {
        let (keytype, scheme) = (self.keytype.clone(), self.scheme.clone());
        let Some(kind) = Kind::of(&keytype, &scheme) else {
            return Err(KeyError::Unsupported { keytype, scheme });
        };
        let text = self.keyval.get("public").and_then(|value| value.as_str());
        let key = text.ok_or("it has no public value").and_then(|text| kind.read(text));
        key.map_err(|why| KeyError::Unusable { keytype, scheme, why })
    }

    /// Checks that `signature` (hex) is this key's over `message`.
    ///
    /// # Errors
    /// [`KeyError`]: an unsupported or unusable key, or a signature that does not verify.
    pub fn verify(&self, message: &[u8], signature: &str) -> Result<(), KeyError> {
        if self.public()?.verifies(message, signature) {
            return Ok(());
        }
        let (keytype, scheme) = (self.keytype.clone(), self.scheme.clone());
        Err(KeyError::BadSignature { keytype, scheme })
    }
}

#[cfg(test)]
mod tests;
