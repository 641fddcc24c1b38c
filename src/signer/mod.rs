//! Private keys. Each kind of key is a [`Signer`].

mod file;

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::tuf::canonical::{self, CanonicalError};
use crate::tuf::{Key, Role, Signature, Signed};

pub use file::FileSigner;

/// A private key that can sign.
pub trait Signer: Send + Sync {
    /// Its public side.
    fn key(&self) -> &Key;

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
    /// Not a key of the expected kind.
    #[error("the key file {path} holds no Ed25519 key in PKCS#8 PEM: {reason}")]
    Format {
        /// Which.
        path: PathBuf,
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
