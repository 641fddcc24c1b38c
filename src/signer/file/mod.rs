//! Keys in PKCS#8 PEM files (RFC 5958), plain or encrypted (PBES2).

mod folder;
mod secret;
#[cfg(test)]
mod tests;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use futures::future::{self, BoxFuture};
use pkcs8::der::pem::PemLabel as _;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

use super::{Backend, Signer, SignerError, private_file};
use crate::tuf::Key;
use secret::Secret;

pub(super) use folder::keys_in;

/// Kinds of keys that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyType {
    /// Ed25519: what every client takes.
    #[default]
    Ed25519,
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256,
}

/// A key that lies in a file.
pub struct FileSigner {
    secret: Secret,
    public: Key,
    uri: String,
}

impl FileSigner {
    /// Makes a new Ed25519 key.
    ///
    /// # Errors
    /// [`SignerError::Random`].
    pub fn generate() -> Result<Self, SignerError> {
        Self::generate_of(KeyType::Ed25519)
    }

    /// Makes a new key of this kind.
    ///
    /// # Errors
    /// [`SignerError::Random`], and [`SignerError::Refused`] where no key comes out.
    pub fn generate_of(kind: KeyType) -> Result<Self, SignerError> {
        let uri = "file:";
        Self::of(Secret::generate(kind)?, uri.into())
            .map_err(|reason| SignerError::Refused { uri: uri.into(), reason: reason.into() })
    }

    /// Reads the key in `path`, which nobody else may read or write.
    ///
    /// # Errors
    /// [`SignerError`]: unreadable, readable by others, encrypted, or no such key.
    pub fn load(path: &Path) -> Result<Self, SignerError> {
        Self::load_with(path, None)
    }

    /// Reads the key in `path`, decrypted with `passphrase` where it is encrypted.
    ///
    /// # Errors
    /// As [`Self::load`]; [`SignerError::Encrypted`] where a passphrase is needed and there is none.
    pub fn load_with(path: &Path, passphrase: Option<&str>) -> Result<Self, SignerError> {
        let bad = |reason: &str| SignerError::Format { path: path.into(), reason: reason.into() };
        let pem = private_file::read(path)?;
        let (label, der) = SecretDocument::from_pem(&pem)
            .map_err(|_| bad("it is no PEM with a private key in PKCS#8"))?;
        let der = match (label, passphrase) {
            (PrivateKeyInfoRef::PEM_LABEL, _) => der,
            (EncryptedPrivateKeyInfoRef::PEM_LABEL, None) => {
                return Err(SignerError::Encrypted(path.into()));
            }
            (EncryptedPrivateKeyInfoRef::PEM_LABEL, Some(passphrase)) => {
                decrypt(&der, passphrase).map_err(bad)?
            }
            ("EC PRIVATE KEY" | "RSA PRIVATE KEY", _) => {
                return Err(bad("it is not PKCS#8: `openssl pkcs8 -topk8` makes that of it"));
            }
            ("PUBLIC KEY", _) => return Err(bad("it holds a public key, not a private one")),
            _ => return Err(bad("it holds no private key in PKCS#8")),
        };
        let secret = Secret::from_pkcs8(der.as_bytes()).map_err(bad)?;
        Self::of(secret, format!("file:{}", path.display())).map_err(bad)
    }

    /// The same with a passphrase that lies in a file of its own.
    ///
    /// # Errors
    /// As [`Self::load_with`], of either file.
    pub fn load_unlocked(path: &Path, passphrase: Option<&Path>) -> Result<Self, SignerError> {
        let passphrase = passphrase.map(private_file::read_secret).transpose()?;
        Self::load_with(path, passphrase.as_deref().map(String::as_str))
    }

    /// Writes the key into a new file that its owner alone can read.
    ///
    /// # Errors
    /// [`SignerError::File`], also where the file exists.
    pub fn save(&self, path: &Path) -> Result<(), SignerError> {
        self.save_with(path, None)
    }

    /// The same, encrypted where there is a passphrase: PBES2 with scrypt and AES-256, as OpenSSL reads it.
    ///
    /// # Errors
    /// As [`Self::save`].
    pub fn save_with(&self, path: &Path, passphrase: Option<&str>) -> Result<(), SignerError> {
        let at = |source| SignerError::File { action: "write", path: path.into(), source };
        let pem = self
            .pem(passphrase)
            .map_err(|e| SignerError::Format { path: path.into(), reason: e.to_string() })?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(at)?;
        file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(at)
    }

    fn pem(&self, passphrase: Option<&str>) -> pkcs8::Result<Zeroizing<String>> {
        let der = self.secret.to_pkcs8()?;
        let (label, der) = match passphrase {
            None => (PrivateKeyInfoRef::PEM_LABEL, der),
            Some(passphrase) => {
                let plain = PrivateKeyInfoRef::try_from(der.as_bytes())?;
                (EncryptedPrivateKeyInfoRef::PEM_LABEL, plain.encrypt(passphrase)?)
            }
        };
        Ok(der.to_pem(label, LineEnding::LF)?)
    }

    fn of(secret: Secret, uri: String) -> Result<Self, &'static str> {
        Ok(Self { public: secret.public()?, secret, uri })
    }
}

/// What fails here is nearly always the passphrase, since nothing else says whether it is right.
fn decrypt(der: &SecretDocument, passphrase: &str) -> Result<SecretDocument, &'static str> {
    EncryptedPrivateKeyInfoRef::try_from(der.as_bytes())
        .map_err(
            |_| "it is encrypted in a way that is not supported: PBES2 with PBKDF2 or scrypt is",
        )?
        .decrypt(passphrase)
        .map_err(|_| "it is encrypted, and the passphrase is not the right one")
}

#[cfg(test)]
impl From<ed25519_dalek::SigningKey> for FileSigner {
    fn from(secret: ed25519_dalek::SigningKey) -> Self {
        let public = Key::ed25519(secret.verifying_key().as_bytes());
        Self { secret: Secret::Ed25519(secret), public, uri: "file:".into() }
    }
}

impl Signer for FileSigner {
    fn key(&self) -> &Key {
        &self.public
    }

    fn backend(&self) -> Backend {
        Backend::File
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<String, SignerError>> {
        let signature = self.secret.sign(message).map(hex::encode);
        Box::pin(future::ready(signature.map_err(|reason| SignerError::Refused {
            uri: self.uri.clone(),
            reason: reason.into(),
        })))
    }
}
