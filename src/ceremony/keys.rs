//! Where the key files lie in a data folder.

use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::signer::{FileSigner, Signer, SignerError};

/// The key files of a data folder: three offline ones that must leave the machine, and the online one.
#[derive(Debug, Clone)]
pub struct KeyFolder {
    data: PathBuf,
}

impl KeyFolder {
    /// The key files below `data`.
    pub fn new(data: &Path) -> Self {
        Self { data: data.into() }
    }

    /// The folder of the offline keys.
    pub fn offline(&self) -> PathBuf {
        self.data.join("offline-keys")
    }

    /// The online key.
    pub fn online(&self) -> PathBuf {
        self.data.join("online.pem")
    }

    /// Loads the online key.
    ///
    /// # Errors
    /// [`SignerError`].
    pub fn load_online(&self) -> Result<Arc<dyn Signer>, SignerError> {
        Ok(Arc::new(FileSigner::load(&self.online())?))
    }

    /// The offline key of `role`, made where it is missing.
    pub(super) fn offline_key(&self, role: &str) -> Result<Arc<dyn Signer>, SignerError> {
        let folder = self.offline();
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|source| {
            SignerError::File { action: "make the folder of", path: folder.clone(), source }
        })?;
        load_or_make(&folder.join(format!("{role}.pem")))
    }

    /// The online key, made where it is missing.
    pub(super) fn online_key(&self) -> Result<Arc<dyn Signer>, SignerError> {
        load_or_make(&self.online())
    }
}

fn load_or_make(path: &Path) -> Result<Arc<dyn Signer>, SignerError> {
    if !path.exists() {
        make(path)?;
    }
    Ok(Arc::new(FileSigner::load(path)?))
}

/// The key is there whole or not at all, and who finds one keeps it: an init may be cut short, and another may run.
fn make(path: &Path) -> Result<(), SignerError> {
    let failed = |source| SignerError::File { action: "write", path: path.into(), source };
    let staged = path.with_extension(format!("pem.{}", std::process::id()));
    // Of a process that was killed and had this one's number.
    let _ = fs::remove_file(&staged);
    let linked = FileSigner::generate()?.save(&staged).map(|()| fs::hard_link(&staged, path));
    let _ = fs::remove_file(&staged);
    match linked? {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed(error)),
        _ => File::open(path.parent().unwrap_or(path)).and_then(|f| f.sync_all()).map_err(failed),
    }
}
