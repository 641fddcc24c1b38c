//! Ed25519 keys in PKCS#8 PEM files (RFC 5958, RFC 8410).

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use ed25519_dalek::{Signer as _, SigningKey};
use futures::future::{self, BoxFuture};
use zeroize::Zeroizing;

use super::{Backend, Signer, SignerError};
use crate::tuf::Key;

/// Far more than such a file needs, bytes.
const LARGEST: u64 = 64 * 1024;

/// A key that lies in a file.
pub struct FileSigner {
    secret: SigningKey,
    public: Key,
}

impl FileSigner {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`SignerError::Random`].
    pub fn generate() -> Result<Self, SignerError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(SignerError::Random)?;
        Ok(SigningKey::from_bytes(&seed).into())
    }

    /// Reads the key in `path`, which nobody else may read or write.
    ///
    /// # Errors
    /// [`SignerError`]: unreadable, readable by others, or no such key.
    pub fn load(path: &Path) -> Result<Self, SignerError> {
        let at = |source| SignerError::File { action: "read", path: path.into(), source };
        let file = OpenOptions::new().read(true).open(path).map_err(at)?;
        // A mounted Kubernetes Secret with fsGroup is 0440.
        if file.metadata().map_err(at)?.permissions().mode() & 0o027 != 0 {
            return Err(SignerError::Exposed(path.into()));
        }
        let mut pem = Zeroizing::new(String::new());
        file.take(LARGEST).read_to_string(&mut pem).map_err(at)?;
        let secret = SigningKey::from_pkcs8_pem(&pem)
            .map_err(|e| SignerError::Format { path: path.into(), reason: e.to_string() })?;
        Ok(secret.into())
    }

    /// Writes the key into a new file that its owner alone can read.
    ///
    /// # Errors
    /// [`SignerError::File`], also where the file exists.
    pub fn save(&self, path: &Path) -> Result<(), SignerError> {
        let at = |source| SignerError::File { action: "write", path: path.into(), source };
        let pem = self
            .secret
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|e| SignerError::Format { path: path.into(), reason: e.to_string() })?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(at)?;
        file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(at)
    }
}

impl From<SigningKey> for FileSigner {
    fn from(secret: SigningKey) -> Self {
        let public = Key::ed25519(secret.verifying_key().as_bytes());
        Self { secret, public }
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
        Box::pin(future::ready(Ok(hex::encode(self.secret.sign(message).to_bytes()))))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[tokio::test]
    async fn a_saved_key_is_the_same_key_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pem");
        let made = FileSigner::generate().unwrap();
        made.save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(made.save(&path).is_err(), "an existing key is never overwritten");
        let read = FileSigner::load(&path).unwrap();
        assert_eq!(read.key().id(), made.key().id());
        let sig = read.sign(b"x").await.unwrap();
        made.key().verify(b"x", &sig).unwrap();
    }

    #[test]
    fn exposed_and_foreign_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pem");
        FileSigner::generate().unwrap().save(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o604)).unwrap();
        assert!(matches!(FileSigner::load(&path), Err(SignerError::Exposed(_))));
        let other = folder.path().join("b.pem");
        fs::write(&other, "nonsense").unwrap();
        fs::set_permissions(&other, Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(FileSigner::load(&other), Err(SignerError::Format { .. })));
    }
}
