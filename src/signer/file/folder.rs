//! A folder of key files: how a next key is deployed beside the one in use.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::SignerError;

/// The `*.pem` in a folder, sorted. What Kubernetes keeps for itself in a mounted Secret begins with a dot; the keys in
/// it are symlinks, which are followed.
///
/// # Errors
/// Where it cannot be read, or no key file is in it.
pub(in crate::signer) fn keys_in(folder: &Path) -> Result<Vec<PathBuf>, SignerError> {
    let at = |source| SignerError::File { action: "read", path: folder.into(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(at)? {
        let path = entry.map_err(at)?.path();
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        if name.ends_with(b".pem") && !name.starts_with(b".") && path.is_file() {
            found.push(path);
        }
    }
    if found.is_empty() {
        let reason = "it is a folder without any *.pem".into();
        return Err(SignerError::Format { path: folder.into(), reason });
    }
    found.sort();
    Ok(found)
}
