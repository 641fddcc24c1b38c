//! Public key files: what a holder hands to those who draft.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::path::Path;

use super::{SignerError, private_file};
use crate::tuf::Key;

/// Far more than such a file needs, bytes.
const LARGEST: u64 = 64 * 1024;

/// The public key in a file: JSON as TUF has it, or PEM with a SubjectPublicKeyInfo.
///
/// # Errors
/// [`SignerError::File`] and [`SignerError::Public`].
pub fn read_public(path: &Path) -> Result<Key, SignerError> {
    let at = |source| SignerError::File { action: "read", path: path.into(), source };
    let bad = |reason: &str| SignerError::Public { path: path.into(), reason: reason.into() };
    let file = private_file::open(path).map_err(at)?;
    if !file.metadata().map_err(at)?.is_file() {
        return Err(bad("it is no regular file"));
    }
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(at)?;
    if text.len() as u64 > LARGEST {
        return Err(bad("it is too long"));
    }
    Key::from_text(&text).map_err(bad)
}

/// Writes a public key into a new file, as JSON.
///
/// # Errors
/// [`SignerError::File`], also where the file exists.
pub fn write_public(key: &Key, path: &Path) -> Result<(), SignerError> {
    let at = |source| SignerError::File { action: "write", path: path.into(), source };
    let text = serde_json::to_string_pretty(key).map_err(|e| at(e.into()))? + "\n";
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(at)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("red.pub.json");
        let key = Key::ed25519(&[3; 32]);
        write_public(&key, &path).unwrap();
        assert!(write_public(&key, &path).is_err(), "what is there is not overwritten");
        assert_eq!(read_public(&path).unwrap(), key);
    }

    #[test]
    fn other_files_are_refused_with_their_name() {
        let folder = tempfile::tempdir().unwrap();
        let (long, none) = (folder.path().join("long"), folder.path().join("none"));
        std::fs::write(&long, " ".repeat(LARGEST as usize + 1)).unwrap();
        for (path, why) in [
            (&long, "too long"),
            (&none, "No such file"),
            (&folder.path().into(), "no regular file"),
        ] {
            let error = read_public(path).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(&path.display().to_string()), "{error}");
        }
    }
}
