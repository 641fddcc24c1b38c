//! What lies at the paths that a `file:` URI names: when it is another than before, it is loaded anew.

use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::super::file::keys_in;
use super::super::{KeyUri, SignerError, private_file};
use crate::tuf::Digest;

/// What is read of a file, bytes; a key file is far smaller.
const MOST: u64 = 64 * 1024;

/// The keys that `uri` stands for: itself; of a folder, each key file in it, by name. Each is loaded for itself, so that a bad
/// file keeps no other from signing.
pub(super) fn expand(uri: &KeyUri, base: &Path) -> Result<Vec<KeyUri>, SignerError> {
    let folder = uri.file(base).map(|(path, _)| path).filter(|path| path.is_dir());
    let Some(folder) = folder else { return Ok(vec![uri.clone()]) };
    let (path, query) = uri.rest().split_once('?').unwrap_or((uri.rest(), ""));
    let mark = if query.is_empty() { "" } else { "?" };
    let names = keys_in(&folder)?;
    let names = names.iter().filter_map(|found| found.file_name());
    let member = |name| format!("file:{}{mark}{query}", Path::new(path).join(name).display());
    names.map(|name| member(name).parse()).collect()
}

/// Whether there is nothing at the path of `uri`.
pub(super) fn is_gone(uri: &KeyUri, base: &Path) -> bool {
    let found = uri.file(base).map(|(path, _)| fs::metadata(path));
    matches!(found, Some(Err(error)) if error.kind() == ErrorKind::NotFound)
}

/// Stands for the content and mode of the files that `uri` names, however they came there: by a rename, a symbolic link that
/// was swapped, or a write in place. Dates tell too little. Nothing for a key that lies in no file.
pub(super) fn identity(uri: &KeyUri, base: &Path) -> Option<Digest> {
    let (path, passphrase) = uri.file(base)?;
    let mut all = Sha256::new();
    for path in std::iter::once(path).chain(passphrase) {
        let one = of_file(&path).unwrap_or_else(|error| Digest::of(error.to_string().as_bytes()));
        all.update(one.as_bytes());
    }
    Some(all.into())
}

fn of_file(path: &Path) -> io::Result<Digest> {
    let file = private_file::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    // Of its full length at once: what grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST as usize + 1));
    file.take(MOST).read_to_end(&mut bytes)?;
    let mut hash = Sha256::new();
    hash.update(mode.to_be_bytes());
    hash.update(&*bytes);
    Ok(hash.into())
}
