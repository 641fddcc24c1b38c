//! What lies at the paths that a `file:` URI names: when it is another than before, it is loaded anew.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::super::{Backend, KeyUri, SignerError};
use crate::tuf::Digest;

/// What is read of a file, bytes; a key file is far smaller.
const MOST: u64 = 64 * 1024;

/// The keys that `uri` stands for: itself; of a folder, each `*.pem` in it, by name. Each is loaded for itself, so that a bad
/// file keeps no other from signing.
pub(super) fn expand(uri: &KeyUri, base: &Path) -> Result<Vec<KeyUri>, SignerError> {
    let (path, query) = parts(uri);
    let folder = base.join(&path);
    if uri.backend() != Backend::File || !folder.is_dir() {
        return Ok(vec![uri.clone()]);
    }
    let failed = |source| SignerError::File { action: "read", path: folder.clone(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if Path::new(&name).extension().is_some_and(|e| e == "pem") && !folder.join(&name).is_dir()
        {
            names.push(name);
        }
    }
    if names.is_empty() {
        let none = "there is no *.pem file in this folder";
        return Err(failed(io::Error::new(ErrorKind::NotFound, none)));
    }
    names.sort();
    let member = |name| {
        let path = Path::new(&path).join(name);
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("file:{}{query}", path.display()).parse()
    };
    names.iter().map(member).collect()
}

/// Whether there is nothing at the path of `uri`.
pub(super) fn is_gone(uri: &KeyUri, base: &Path) -> bool {
    matches!(fs::metadata(base.join(parts(uri).0)), Err(error) if error.kind() == ErrorKind::NotFound)
}

/// Stands for the content and mode of the files that `uri` names, however they came there: by a rename, a symbolic link that
/// was swapped, or a write in place. Dates tell too little.
pub(super) fn identity(uri: &KeyUri, base: &Path) -> Digest {
    let (path, query) = parts(uri);
    let passphrase = query.into_iter().flat_map(|query| query.split('&'));
    let passphrase = passphrase.filter_map(|pair| pair.strip_prefix("passphrase-file="));
    let mut all = Sha256::new();
    for path in std::iter::once(path.as_str()).chain(passphrase) {
        let one = of_file(&base.join(path));
        all.update(one.unwrap_or_else(|error| Digest::of(error.to_string().as_bytes())).as_bytes());
    }
    all.into()
}

fn of_file(path: &Path) -> io::Result<Digest> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    // Of its full length at once: what grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST as usize + 1));
    file.take(MOST).read_to_end(&mut bytes)?;
    let mut hash = Sha256::new();
    hash.update(mode.to_be_bytes());
    hash.update(&*bytes);
    Ok(hash.into())
}

fn parts(uri: &KeyUri) -> (String, Option<&str>) {
    match uri.rest().split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query)),
        None => (uri.rest().to_owned(), None),
    }
}
