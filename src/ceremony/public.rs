//! Public key files: the JSON of TUF, or PEM.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;

use super::file::{FileError, bounded};
use crate::tuf::Key;

/// Far more than a public key needs, bytes.
const LARGEST: u64 = 64 * 1024;
/// What stands before the 32 bytes of an Ed25519 key (RFC 8410, section 4).
const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why a file gives no public key.
#[derive(Debug, thiserror::Error)]
pub enum PublicKeyError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is none, or one that is not supported or too weak.
    #[error(
        "{path} holds no public key that can be used: {why}; it is JSON with keytype, keyval and scheme, or PEM"
    )]
    NoKey {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// Reads the public key in `path`.
///
/// # Errors
/// [`PublicKeyError`].
pub fn read_public(path: &Path) -> Result<Key, PublicKeyError> {
    let bytes = bounded(path, LARGEST)?;
    parse(&bytes).map_err(|why| PublicKeyError::NoKey { path: path.into(), why })
}

/// The key in the bytes of a file.
fn parse(bytes: &[u8]) -> Result<Key, String> {
    if bytes.windows(11).any(|window| window == b"PRIVATE KEY") {
        return Err("it is a private key, which must not travel".into());
    }
    if let Ok(der) = SubjectPublicKeyInfoDer::from_pem_slice(bytes) {
        return of_der(&der);
    }
    let key: Key = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    key.public().map_err(|error| error.to_string())?;
    Ok(key)
}

/// As securesystemslib writes it, so that the id is the same.
fn of_der(der: &[u8]) -> Result<Key, String> {
    if let Some(public) = der.strip_prefix(&ED25519)
        && let Ok(public) = public.try_into()
    {
        return Ok(Key::ed25519(public));
    }
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        pem.extend(line.iter().map(|c| char::from(*c)));
        pem.push('\n');
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    let kinds = [
        ("ecdsa", "ecdsa-sha2-nistp256"),
        ("ecdsa", "ecdsa-sha2-nistp384"),
        ("rsa", "rsassa-pss-sha256"),
    ];
    let keys = kinds.map(|(keytype, scheme)| Key {
        keytype: keytype.into(),
        keyval: [("public".to_owned(), pem.clone().into())].into(),
        scheme: scheme.into(),
        extra: Default::default(),
    });
    let usable = keys.into_iter().find(|key| key.public().is_ok());
    usable.ok_or_else(|| {
        "it is neither Ed25519, nor on P-256 or P-384, nor RSA of 2048 bits or more".into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_pem_of_one_key_have_one_id() {
        let public = [7; 32];
        let secret = ed25519_dalek::SigningKey::from_bytes(&public);
        let key = Key::ed25519(secret.verifying_key().as_bytes());
        let der: Vec<u8> = ED25519.into_iter().chain(*secret.verifying_key().as_bytes()).collect();
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(der)
        );
        assert_eq!(parse(pem.as_bytes()).unwrap().id(), key.id());
        assert_eq!(parse(&serde_json::to_vec(&key).unwrap()).unwrap(), key);
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        for (bad, why) in [
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "must not travel"),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "neither Ed25519"),
            ("{}", "missing field"),
            (
                r#"{"keytype":"rsa","keyval":{"public":"x"},"scheme":"rsassa-pkcs1v15-sha256"}"#,
                "not supported",
            ),
        ] {
            let said = parse(bad.as_bytes()).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
