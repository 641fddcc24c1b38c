//! Opening keys for somebody at a terminal.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use zeroize::Zeroizing;

use crate::signer::{self, FileSigner, KeyUri, Opening, Signer, SignerError};

/// How long a device or service may take, which may wait for a person too.
const PATIENCE: Duration = Duration::from_secs(60);

/// Relative paths begin where the command was called.
pub(super) fn here() -> Opening {
    Opening { base: PathBuf::new(), timeout: PATIENCE }
}

/// Opens the key that `key` names, a path or a URI. The passphrase of an encrypted file is read from `passphrase_file`,
/// else from where the URI says, else asked for.
///
/// # Errors
/// As [`signer::open`], and where there is no terminal to ask at.
pub(in crate::cli) async fn open(
    key: &str,
    passphrase_file: Option<&Path>,
) -> anyhow::Result<Vec<Arc<dyn Signer>>> {
    let uri: KeyUri = key.parse()?;
    if let (Some(file), Some((path, _))) = (passphrase_file, uri.file(Path::new("")))
        && !path.is_dir()
    {
        return Ok(vec![Arc::new(FileSigner::load_unlocked(&path, Some(file))?)]);
    }
    match signer::open(&uri, &here()).await {
        Err(SignerError::Encrypted(path)) if !is_folder(&uri) => {
            let passphrase = ask(&format!("Passphrase of {}: ", path.display()))?;
            Ok(vec![Arc::new(FileSigner::load_with(&path, Some(&passphrase))?)])
        }
        opened => Ok(opened?),
    }
}

fn is_folder(uri: &KeyUri) -> bool {
    uri.file(Path::new("")).is_some_and(|(path, _)| path.is_dir())
}

/// The passphrase in a file.
pub(super) fn passphrase_in(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    Ok(signer::read_passphrase(file)?)
}

/// A passphrase that was typed twice.
pub(super) fn new_passphrase(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let passphrase = ask(&format!("New passphrase of {}: ", path.display()))?;
    if passphrase.is_empty() {
        anyhow::bail!("an empty passphrase protects nothing: no key was made");
    }
    if ask("The same again: ")? != passphrase {
        anyhow::bail!("the two passphrases differ: no key was made");
    }
    Ok(passphrase)
}

/// Blocks the thread, as it should: nothing else is to be done.
fn ask(prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    let typed = rpassword::prompt_password(prompt).context(
        "there is no terminal to ask for the passphrase: name a file with --passphrase-file",
    )?;
    Ok(Zeroizing::new(typed))
}
