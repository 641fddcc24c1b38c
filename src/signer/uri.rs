//! What names a key: a URI whose scheme says where the key lies.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "aws-kms")]
use super::awskms::{KmsSigner, KmsUri};
use super::command::CommandSigner;
use super::pkcs11::{Pkcs11Signer, Pkcs11Uri};
use super::vault::{VaultSigner, VaultUri};
use super::{Backend, FileSigner, Signer, SignerError, file};

/// What may follow the path of a key file.
const PASSPHRASE_FILE: &str = "?passphrase-file=";

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

    /// The path of a key file or of a folder of them, and that of the file with its passphrase; relative ones begin at
    /// `base`. Nothing for keys that lie elsewhere.
    pub fn file(&self, base: &Path) -> Option<(PathBuf, Option<PathBuf>)> {
        let Backend::File = self.backend else { return None };
        let (path, passphrase) = match self.rest().split_once(PASSPHRASE_FILE) {
            Some((path, passphrase)) => (path, Some(base.join(passphrase))),
            None => (self.rest(), None),
        };
        Some((base.join(path), passphrase))
    }

    /// The error that this URI cannot be used.
    pub(super) fn wrong(&self, reason: impl Into<String>) -> SignerError {
        SignerError::Uri { text: self.text.clone(), reason: reason.into() }
    }

    /// What is wrong with it is said when it is read, before anything is opened.
    fn checked(self) -> Result<Self, SignerError> {
        match self.backend {
            Backend::File => {
                let (path, query) = self.rest().split_once('?').unwrap_or((self.rest(), ""));
                let known = PASSPHRASE_FILE.trim_start_matches('?');
                match query.is_empty() || query.starts_with(known) {
                    _ if path.is_empty() => Err(self.wrong("it has no path")),
                    true => Ok(self),
                    false => Err(self.wrong("only passphrase-file=PATH may follow its ?")),
                }
            }
            Backend::Pkcs11 => Pkcs11Uri::parse(&self).map(|_| self),
            Backend::Command if self.rest().trim().is_empty() => {
                Err(self.wrong("it has no program"))
            }
            Backend::Vault => VaultUri::parse(&self).map(|_| self),
            #[cfg(feature = "aws-kms")]
            Backend::AwsKms => KmsUri::parse(&self).map(|_| self),
            #[cfg(not(feature = "aws-kms"))]
            Backend::AwsKms => Err(self.wrong("this build is without the feature aws-kms")),
            Backend::Command => Ok(self),
        }
    }
}

impl FromStr for KeyUri {
    type Err = SignerError;

    /// A text without one of the schemes is a path.
    fn from_str(text: &str) -> Result<Self, SignerError> {
        let scheme = text.split_once(':').map(|(scheme, _)| scheme);
        let backend = Backend::ALL.iter().copied().find(|backend| Some(backend.name()) == scheme);
        match (backend, scheme) {
            (Some(backend), _) => Self { backend, text: text.to_owned() }.checked(),
            (None, Some(scheme)) if !scheme.contains('/') => {
                Err(SignerError::Uri { text: text.into(), reason: "its scheme is unknown".into() })
            }
            (None, _) => Self { backend: Backend::File, text: format!("file:{text}") }.checked(),
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
        Backend::File => open_files(uri, how).await,
        Backend::Pkcs11 => Ok(vec![Arc::new(Pkcs11Signer::open(uri, how).await?)]),
        Backend::Command => Ok(vec![Arc::new(CommandSigner::open(uri, how).await?)]),
        Backend::Vault => Ok(vec![Arc::new(VaultSigner::open(uri, how).await?)]),
        #[cfg(feature = "aws-kms")]
        Backend::AwsKms => Ok(vec![Arc::new(KmsSigner::open(uri, how).await?)]),
        #[cfg(not(feature = "aws-kms"))]
        Backend::AwsKms => Err(uri.wrong("this build is without the feature aws-kms")),
    }
}

async fn open_files(uri: &KeyUri, how: &Opening) -> Result<Vec<Arc<dyn Signer>>, SignerError> {
    let (path, passphrase) = uri.file(&how.base).ok_or_else(|| uri.wrong("it has no path"))?;
    let load = move || {
        let paths = if path.is_dir() { file::keys_in(&path)? } else { vec![path] };
        let load = |path: &PathBuf| {
            let signer = FileSigner::load_unlocked(path, passphrase.as_deref())?;
            Ok(Arc::new(signer) as Arc<dyn Signer>)
        };
        paths.iter().map(load).collect()
    };
    // A passphrase takes a while.
    match tokio::task::spawn_blocking(load).await {
        Ok(loaded) => loaded,
        Err(error) => Err(SignerError::Away { uri: uri.to_string(), reason: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<KeyUri, String> {
        text.parse().map_err(|error: SignerError| error.to_string())
    }

    #[test]
    fn the_scheme_says_where_a_key_lies() {
        for (text, backend) in [
            ("online.pem", Backend::File),
            ("file:keys/", Backend::File),
            ("./a:b.pem", Backend::File),
            ("pkcs11:token=t;object=o?module-path=/m.so", Backend::Pkcs11),
            ("vault:https://127.0.0.1:8200/transit/k?token-file=t", Backend::Vault),
            ("command:/bin/sign it", Backend::Command),
        ] {
            assert_eq!(parse(text).unwrap().backend(), backend, "{text}");
        }
        for (text, why) in [
            ("file:", "no path"),
            ("file:a?passphrase=b", "passphrase-file"),
            ("fil:a", "scheme"),
            ("command: ", "no program"),
            ("pkcs11:object=o", "module-path"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(why) && error.contains(&format!("{text:?}")), "{error}");
        }
        assert!(parse("").unwrap_err().contains("no path"));
    }

    #[test]
    fn files_are_found_from_the_base() {
        let paths = |text: &str| parse(text).unwrap().file(Path::new("/data"));
        assert_eq!(paths("a.pem"), Some(("/data/a.pem".into(), None)));
        let both = Some(("/data/a.pem".into(), Some("/run/word".into())));
        assert_eq!(paths("file:a.pem?passphrase-file=/run/word"), both);
        assert_eq!(paths("command:a"), None);
    }

    #[tokio::test]
    async fn a_folder_gives_several_keys() {
        let folder = tempfile::tempdir().unwrap();
        let how = Opening { base: folder.path().into(), timeout: Duration::from_secs(60) };
        std::fs::create_dir(folder.path().join("keys")).unwrap();
        for name in ["keys/a.pem", "keys/b.pem"] {
            FileSigner::generate().unwrap().save(&folder.path().join(name)).unwrap();
        }
        for (uri, number) in [("file:keys/", 2), ("keys", 2), ("keys/a.pem", 1)] {
            assert_eq!(open(&parse(uri).unwrap(), &how).await.unwrap().len(), number);
        }
    }
}
