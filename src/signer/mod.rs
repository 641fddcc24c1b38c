//! Private keys. Each kind of key is a [`Signer`].

#[cfg(feature = "aws-kms")]
mod awskms;
mod command;
mod file;
mod http;
mod hygiene;
mod keyring;
mod pkcs11;
mod private_file;
mod public_file;
mod uri;
mod vault;

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::tuf::canonical::{self, CanonicalError};
use crate::tuf::{Key, Role, Signature, Signed};

pub use crate::telemetry::Backend;
pub use file::{FileSigner, KeyType};
pub use hygiene::keep_out_of_core_dumps;
pub use keyring::Keyring;
pub use pkcs11::generate as generate_in_token;
pub(crate) use private_file::open as open_at_once;
pub use private_file::read_secret as read_passphrase;
pub use public_file::{read_public, write_public};
pub use uri::{KeyUri, Opening, open};

impl Backend {
    /// The URI's scheme, and the label of metrics.
    pub fn name(self) -> &'static str {
        self.as_str()
    }
}

/// A private key that can sign.
pub trait Signer: Send + Sync {
    /// Its public side.
    fn key(&self) -> &Key;

    /// Where it lies.
    fn backend(&self) -> Backend;

    /// Signs `message`; the signature in hex, as the key's scheme writes it.
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<String, SignerError>>;
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The file cannot be read or written.
    #[error("cannot {action} the key file {path}: {source}")]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others can read the file.
    #[error("the key file {0} can be read by others: chmod 600 it, and ask who may have read it")]
    Exposed(PathBuf),
    /// Not a key of the expected kind, or no other secret.
    #[error("the key file {path} cannot be used: {reason}")]
    Format {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file is encrypted, and nobody gave a passphrase.
    #[error("the key file {0} is encrypted: name a file with its passphrase")]
    Encrypted(PathBuf),
    /// Not a public key.
    #[error("the file {path} holds no public key that can be used: {reason}")]
    Public {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Not the name of a key.
    #[error("{text:?} names no key: {reason}; docs/signing.md has the forms")]
    Uri {
        /// As it was given.
        text: String,
        /// Why not.
        reason: String,
    },
    /// A device or service that holds a key does not answer, or has lost the session: another try may help.
    #[error("the key {uri} cannot be used now: {reason}")]
    Away {
        /// Which.
        uri: String,
        /// What happened.
        reason: String,
    },
    /// A device or service refuses: trying again does not help.
    #[error("the key {uri} cannot be used: {reason}")]
    Refused {
        /// Which.
        uri: String,
        /// Why.
        reason: String,
    },
    /// The machine gives no random bytes.
    #[error("no random bytes to make a key: {0}")]
    Random(getrandom::Error),
    /// What shall be signed has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

impl SignerError {
    /// Whether the same may succeed later, without anybody changing anything here.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Away { .. })
    }
}

/// The signature, where it is one of `key` over `message`: a device that is broken must not publish.
fn checked(uri: &str, key: &Key, message: &[u8], signature: String) -> Result<String, SignerError> {
    match key.verify(message, &signature) {
        Ok(()) => Ok(signature),
        Err(_) => Err(SignerError::Refused {
            uri: uri.into(),
            reason: "it gave a signature that does not verify with its public key".into(),
        }),
    }
}

/// Signs `role` with each of `signers`.
///
/// # Errors
/// [`SignerError`] of the first signer that fails.
pub async fn sign<R: Role>(role: R, signers: &[Arc<dyn Signer>]) -> Result<Signed<R>, SignerError> {
    let message = canonical::to_vec(&role)?;
    let mut signatures = Vec::with_capacity(signers.len());
    for signer in signers {
        let sig = signer.sign(&message).await?;
        let keyid = signer.key().id();
        signatures.push(Signature { keyid, sig, extra: Default::default() });
    }
    Ok(Signed { signatures, signed: role })
}
