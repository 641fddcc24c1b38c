//! Public keys, key ids and signatures (TUF specification, section 4.2).

use std::collections::BTreeMap;
use std::fmt;

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};

use super::fields::open_struct;
use super::{Digest, canonical};

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
        /// The public value: `public`, and whatever else a foreign key carries.
        "keyval" => keyval: BTreeMap<String, serde_json::Value>,
        /// How signatures are made: `ed25519` …
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

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A key of a kind that cannot be used here.
    #[error("key type {keytype:?} with scheme {scheme:?} is not supported: use ed25519")]
    Unsupported {
        /// The key's type.
        keytype: String,
        /// The key's scheme.
        scheme: String,
    },
    /// The public value is not what its type asks for.
    #[error("the public value of a key of type {0:?} is malformed")]
    Malformed(String),
    /// The signature is not one of this key over these bytes.
    #[error("the signature does not verify")]
    BadSignature,
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

    /// Checks that `signature` (hex) is this key's over `message`.
    ///
    /// # Errors
    /// [`KeyError`]: an unsupported or malformed key, or a signature that does not verify.
    pub fn verify(&self, message: &[u8], signature: &str) -> Result<(), KeyError> {
        if self.keytype != "ed25519" || self.scheme != "ed25519" {
            return Err(KeyError::Unsupported {
                keytype: self.keytype.clone(),
                scheme: self.scheme.clone(),
            });
        }
        let malformed = || KeyError::Malformed(self.keytype.clone());
        let public = self.keyval.get("public").and_then(|v| v.as_str()).ok_or_else(malformed)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(public, &mut bytes).map_err(|_| malformed())?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| malformed())?;
        let mut sig = [0; 64];
        hex::decode_to_slice(signature, &mut sig).map_err(|_| KeyError::BadSignature)?;
        key.verify_strict(message, &sig.into()).map_err(|_| KeyError::BadSignature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 2.
    #[test]
    fn verifies_the_vector_of_rfc_8032() {
        let mut public = [0; 32];
        hex::decode_to_slice(
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            &mut public,
        )
        .unwrap();
        let key = Key::ed25519(&public);
        let sig = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                   085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        assert_eq!(key.verify(&[0x72], sig), Ok(()));
        assert_eq!(key.verify(&[0x73], sig), Err(KeyError::BadSignature));
        assert_eq!(key.verify(&[0x72], &sig[2..]), Err(KeyError::BadSignature));
    }

    /// The id that python-tuf's own `SSlibKey` computes for this key.
    #[test]
    fn id_is_over_type_value_and_scheme_alone() {
        let mut key = Key::ed25519(&[0; 32]);
        let id = key.id();
        key.extra.insert("x".into(), 1.into());
        key.keyval.insert("y".into(), 1.into());
        assert_eq!(key.id(), id);
        let text = format!(
            r#"{{"keytype":"ed25519","keyval":{{"public":"{}"}},"scheme":"ed25519"}}"#,
            "0".repeat(64)
        );
        assert_eq!(id.0, Digest::of(text.as_bytes()).to_string());
    }

    #[test]
    fn other_keys_are_named() {
        let mut key = Key::ed25519(&[0; 32]);
        key.keytype = "rsa".into();
        assert!(key.verify(b"", "").unwrap_err().to_string().contains("rsa"));
    }
}
