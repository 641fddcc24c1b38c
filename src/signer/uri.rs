//! What names a key: a URI whose scheme says where the key lies.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "aws-kms")]
use super::awskms::KmsSigner;
use super::vault::VaultSigner;
use super::{Backend, FileSigner, Signer, SignerError};

/// A key's name, such as `file:online.pem` or `pkcs11:token=…`. Never a secret: those lie in files that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUri {
    backend: Backend,
    text: String,
}

/// How keys are opened.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Where relative paths begin.
    pub base: PathBuf,
    /// How long one request to a device or service may take.
    pub timeout: Duration,
}

impl KeyUri {
    /// Where the key lies.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// What follows the scheme and its colon.
    pub(super) fn rest(&self) -> &str {
        self.text.split_once(':').map_or("", |(_, rest)| rest)
    }

    /// The error that this URI cannot be used.
    pub(super) fn wrong(&self, reason: impl Into<String>) -> SignerError {
        SignerError::Uri { text: self.text.clone(), reason: reason.into() }
    }
}

impl FromStr for KeyUri {
    type Err = SignerError;

    /// A text without one of the schemes is a path.
    fn from_str(text: &str) -> Result<Self, SignerError> {
        let scheme = text.split_once(':').map(|(scheme, _)| scheme);
        let backend = Backend::ALL.iter().copied().find(|backend| Some(backend.name()) == scheme);
        match (backend, scheme) {
            (Some(backend), _) => Ok(Self { backend, text: text.to_owned() }),
            (None, None) if !text.is_empty() => {
                Ok(Self { backend: Backend::File, text: format!("file:{text}") })
            }
            _ => {
                Err(SignerError::Uri { text: text.into(), reason: "its scheme is unknown".into() })
            }
        }
    }
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Opens the key that `uri` names; a folder of key files gives several.
///
/// # Errors
/// [`SignerError`]; [`SignerError::is_temporary`] tells whether another try may help.
pub async fn open(uri: &KeyUri, how: &Opening) -> Result<Vec<Arc<dyn Signer>>, SignerError> {
    match uri.backend() {
        Backend::File => {
            Ok(vec![Arc::new(FileSigner::load(&how.base.join(Path::new(uri.rest())))?)])
        }
        Backend::Vault => Ok(vec![Arc::new(VaultSigner::open(uri, how).await?)]),
        #[cfg(feature = "aws-kms")]
        Backend::AwsKms => Ok(vec![Arc::new(KmsSigner::open(uri, how).await?)]),
        #[cfg(not(feature = "aws-kms"))]
        Backend::AwsKms => Err(uri.wrong("this build has no aws-kms")),
        Backend::Pkcs11 | Backend::Command => Err(uri.wrong("it is not built in")),
    }
}
