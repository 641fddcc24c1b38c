//! Public keys that verify: Ed25519, ECDSA and RSA-PSS (TUF specification, section 4.2).

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::rsa::PublicEncryptingKey;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, EcdsaVerificationAlgorithm, ParsedPublicKey,
    RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPssSaltLength, UnparsedPublicKey,
};
use ed25519_dalek::VerifyingKey;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;

/// The salt is as long as there is room for: what some signers do.
static RSA_PSS_LONGEST_SALT: RsaParameters =
    RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Max);

/// What key type and scheme say together.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Ed25519,
    Ecdsa(&'static EcdsaVerificationAlgorithm),
    RsaPss,
}

/// A public key, read and checked.
#[derive(Debug, Clone)]
pub struct PublicKey(Inner);

#[derive(Debug, Clone)]
enum Inner {
    Ed25519(VerifyingKey),
    Ecdsa(ParsedPublicKey),
    /// SubjectPublicKeyInfo, since each length of the salt is an algorithm of its own.
    RsaPss(Vec<u8>),
}

impl Kind {
    /// `None` for what is not supported. Old repositories have the scheme of ECDSA as its key type too.
    pub(super) fn of(keytype: &str, scheme: &str) -> Option<Self> {
        Some(match (keytype, scheme) {
            ("ed25519", "ed25519") => Self::Ed25519,
            ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => {
                Self::Ecdsa(&ECDSA_P256_SHA256_ASN1)
            }
            ("ecdsa" | "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384") => {
                Self::Ecdsa(&ECDSA_P384_SHA384_ASN1)
            }
            ("rsa", "rsassa-pss-sha256") => Self::RsaPss,
            _ => return None,
        })
    }

    /// Reads a public value. The error says what is wrong with it.
    pub(super) fn read(self, text: &str) -> Result<PublicKey, &'static str> {
        Ok(PublicKey(match self {
            Self::Ed25519 => Inner::Ed25519(ed25519(text)?),
            Self::Ecdsa(algorithm) => Inner::Ecdsa(ecdsa(algorithm, text)?),
            Self::RsaPss => Inner::RsaPss(rsa(text)?),
        }))
    }
}

fn ed25519(text: &str) -> Result<VerifyingKey, &'static str> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|_| "its public value is not 32 bytes in hex")?;
    VerifyingKey::from_bytes(&bytes).map_err(|_| "its public value is not a point of the curve")
}

/// PEM, or the uncompressed point in hex, as the first roots of sigstore have it.
fn ecdsa(
    algorithm: &'static EcdsaVerificationAlgorithm,
    text: &str,
) -> Result<ParsedPublicKey, &'static str> {
    let bytes = match text.starts_with("04") {
        true => hex::decode(text).map_err(|_| "its public value is neither PEM nor hex")?,
        false => pem(text)?,
    };
    UnparsedPublicKey::new(algorithm, bytes)
        .parse()
        .map_err(|_| "its public value is not a point of the scheme's curve")
}

fn rsa(text: &str) -> Result<Vec<u8>, &'static str> {
    let why = |error: KeyRejected| match error.to_string().as_str() {
        "TooSmall" => "it is shorter than 2048 bits",
        "TooLarge" => "it is longer than 8192 bits",
        _ => "its public value is not an RSA key",
    };
    let key = PublicEncryptingKey::from_der(&pem(text)?).map_err(why)?;
    // Written anew, so that one key has one form.
    Ok(key.as_der().map_err(|error| why(error.into()))?.as_ref().to_vec())
}

fn pem(text: &str) -> Result<Vec<u8>, &'static str> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes());
    Ok(der.map_err(|_| "its public value is not PEM with a PUBLIC KEY")?.as_ref().to_vec())
}

impl PublicKey {
    /// Whether `signature` is this key's over `message`. It is the hex of 64 bytes for Ed25519, of DER for ECDSA; for
    /// RSA-PSS with a salt as long as the digest, or as long as it can be.
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let Ok(signature) = hex::decode(signature) else { return false };
        let signature = signature.as_slice();
        match &self.0 {
            Inner::Ed25519(key) => signature
                .try_into()
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Inner::Ecdsa(key) => key.verify_sig(message, signature).is_ok(),
            Inner::RsaPss(spki) => [&RSA_PSS_2048_8192_SHA256, &RSA_PSS_LONGEST_SALT]
                .into_iter()
                .any(|salt| UnparsedPublicKey::new(salt, spki).verify(message, signature).is_ok()),
        }
    }

    /// Bytes that are the same for one key, however its public value is written and whatever its key id: a threshold
    /// counts keys.
    pub fn identity(&self) -> Vec<u8> {
        match &self.0 {
            Inner::Ed25519(key) => key.to_bytes().to_vec(),
            Inner::Ecdsa(key) => match key.as_der() {
                Ok(der) => der.as_ref().to_vec(),
                Err(_) => key.as_ref().to_vec(),
            },
            Inner::RsaPss(spki) => spki.clone(),
        }
    }
}
