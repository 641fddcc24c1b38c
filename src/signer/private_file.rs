//! Files with secrets: keys, passphrases, PINs. Others must not be able to read them.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use zeroize::{Zeroize as _, Zeroizing};

use super::SignerError;

/// Far more than such a file needs, bytes.
const LARGEST: usize = 64 * 1024;
/// What others may do with a file, and its group beside reading it: a mounted Kubernetes Secret with fsGroup is 0440.
const FORBIDDEN: u32 = 0o027;

/// Opens a file for reading. What nobody writes to, such as a FIFO, does not hold up the reader.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(nonblocking).open(path)
}

/// The text in a file with a secret.
///
/// # Errors
/// [`SignerError::File`], [`SignerError::Exposed`], and [`SignerError::Format`] for what is no short text in a regular file.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, SignerError> {
    let at = |source| SignerError::File { action: "read", path: path.into(), source };
    let bad = |reason: &str| SignerError::Format { path: path.into(), reason: reason.into() };
    let file = open(path).map_err(at)?;
    let metadata = file.metadata().map_err(at)?;
    if !metadata.is_file() {
        return Err(bad("it is no regular file"));
    }
    if metadata.permissions().mode() & FORBIDDEN != 0 {
        return Err(SignerError::Exposed(path.into()));
    }
    // Room for all of it, since growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST + 1));
    file.take(LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(at)?;
    if bytes.len() > LARGEST {
        return Err(bad("it is too long"));
    }
    String::from_utf8(std::mem::take(&mut *bytes)).map(Zeroizing::new).map_err(|error| {
        error.into_bytes().zeroize();
        bad("it is no text")
    })
}

/// The one secret in a file: all of its text but the line break that editors put at its end.
///
/// # Errors
/// [`SignerError::File`], [`SignerError::Exposed`], and [`SignerError::Format`] for what is no short text in a regular file, or
/// nothing.
pub fn read_secret(path: &Path) -> Result<Zeroizing<String>, SignerError> {
    let text = read(path)?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(SignerError::Format { path: path.into(), reason: "it is empty".into() });
    }
    Ok(Zeroizing::new(secret.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use rustix::fs::{CWD, FileType, Mode};

    use super::*;

    fn file(text: &[u8], mode: u32) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn the_secret_is_the_text_without_its_last_line_break() {
        for (text, secret) in [("a b", "a b"), ("a b \n", "a b "), ("a\r\n", "a"), ("a\n\n", "a\n")]
        {
            let (_folder, path) = file(text.as_bytes(), 0o440);
            assert_eq!(*read_secret(&path).unwrap(), secret);
        }
        for text in ["", "\n", "\r\n"] {
            let (_folder, path) = file(text.as_bytes(), 0o600);
            assert!(read_secret(&path).unwrap_err().to_string().contains("empty"));
        }
    }

    #[test]
    fn files_that_others_can_read_or_write_are_refused() {
        for mode in [0o604, 0o602, 0o620, 0o644, 0o660] {
            let (_folder, path) = file(b"a", mode);
            assert!(matches!(read(&path), Err(SignerError::Exposed(_))), "{mode:o}");
        }
    }

    #[test]
    fn what_is_no_short_text_is_refused() {
        for bytes in [&[0xff, 0xfe][..], &[b'a'; LARGEST + 1]] {
            let (_folder, path) = file(bytes, 0o600);
            assert!(matches!(read(&path), Err(SignerError::Format { .. })));
        }
    }

    #[test]
    fn a_fifo_and_a_folder_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        for path in [&fifo, folder.path()] {
            assert!(matches!(read(path), Err(SignerError::Format { .. })));
        }
    }
}
