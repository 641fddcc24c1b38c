//! The secret half of a key of each kind. All of them are wiped when they are dropped: ed25519-dalek does it with
//! `zeroize`, and AWS-LC cleanses all memory that it frees.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PSS_SHA256,
};
use ed25519_dalek::pkcs8::KeypairBytes;
use ed25519_dalek::{Signer as _, SigningKey};
use pkcs8::der::oid::ObjectIdentifier;
use pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, PrivateKeyInfoRef, SecretDocument};
use zeroize::{Zeroize as _, Zeroizing};

use super::super::SignerError;
use super::KeyType;
use crate::tuf::Key;

/// RFC 8410, section 3.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// RFC 5480, section 2.1.1, and its P-256.
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// RFC 8017, appendix A.1.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// No `Debug`: nothing of it is ever shown.
pub(super) enum Secret {
    Ed25519(SigningKey),
    Ecdsa(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
}

impl Secret {
    pub(super) fn generate(kind: KeyType) -> Result<Self, SignerError> {
        let unknown =
            |_| SignerError::Refused { uri: "file:".into(), reason: "no key could be made".into() };
        Ok(match kind {
            KeyType::Ed25519 => {
                let mut seed = Zeroizing::new([0; 32]);
                getrandom::fill(&mut *seed).map_err(SignerError::Random)?;
                Self::Ed25519(SigningKey::from_bytes(&seed))
            }
            KeyType::EcdsaP256 => Self::Ecdsa(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(unknown)?,
            ),
        })
    }

    /// Reads PKCS#8. The error says what is wrong.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<Self, &'static str> {
        let info = PrivateKeyInfoRef::try_from(der).map_err(|_| "it is damaged")?;
        match (info.algorithm.oid, info.algorithm.parameters_oid().ok()) {
            (ED25519, _) => SigningKey::from_pkcs8_der(der)
                .map(Self::Ed25519)
                .map_err(|_| "its Ed25519 key is damaged"),
            (EC, Some(P256)) => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der)
                .map(Self::Ecdsa)
                .map_err(|_| "its P-256 key is damaged"),
            (RSA, _) => rsa::KeyPair::from_pkcs8(der).map(Self::Rsa).map_err(|error| {
                match error.to_string().as_str() {
                    "TooSmall" => "its RSA key is shorter than 2048 bits",
                    "TooLarge" => "its RSA key is longer than 8192 bits",
                    _ => "its RSA key is damaged",
                }
            }),
            _ => Err("it holds no key of Ed25519, ECDSA on P-256, or RSA"),
        }
    }

    /// PKCS#8 without the public half, which OpenSSL does not read.
    pub(super) fn to_pkcs8(&self) -> pkcs8::Result<SecretDocument> {
        match self {
            Self::Ed25519(key) => {
                let mut pair = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
                let der = pair.to_pkcs8_der();
                pair.secret_key.zeroize();
                der
            }
            Self::Ecdsa(key) => {
                let der = key.to_pkcs8v1().map_err(|_| pkcs8::Error::ParametersMalformed)?;
                Ok(SecretDocument::try_from(der.as_ref())?)
            }
            Self::Rsa(key) => {
                let der = key.as_der().map_err(|_| pkcs8::Error::ParametersMalformed)?;
                Ok(SecretDocument::try_from(der.as_ref())?)
            }
        }
    }

    pub(super) fn public(&self) -> Result<Key, &'static str> {
        let none = "it has no public half";
        match self {
            Self::Ed25519(key) => Ok(Key::ed25519(key.verifying_key().as_bytes())),
            Self::Ecdsa(key) => {
                Key::from_spki_der(key.public_key().as_der().map_err(|_| none)?.as_ref())
            }
            Self::Rsa(key) => {
                Key::from_spki_der(key.public_key().as_der().map_err(|_| none)?.as_ref())
            }
        }
    }

    /// The bytes of the signature: 64 for Ed25519, DER for ECDSA, PSS with a salt of 32 bytes for RSA.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, &'static str> {
        let failed = "it gave no signature";
        match self {
            Self::Ed25519(key) => Ok(key.sign(message).to_bytes().to_vec()),
            Self::Ecdsa(key) => {
                let made = key.sign(&SystemRandom::new(), message);
                Ok(made.map_err(|_| failed)?.as_ref().to_vec())
            }
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(|_| failed)?;
                Ok(signature)
            }
        }
    }
}
