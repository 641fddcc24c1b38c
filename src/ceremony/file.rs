//! Metadata files that travel between holders.

use std::fs::{File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::signer::open_at_once;
use crate::tuf::{MetadataError, Role, Signed};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// root.
    Root,
    /// targets.
    Targets,
    /// bins.
    Bins,
}

impl Kind {
    /// The role's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Bins => "bins",
        }
    }

    /// The most bytes that clients take.
    pub fn largest(self) -> u64 {
        match self {
            Self::Root => 512_000,
            Self::Targets | Self::Bins => 5_000_000,
        }
    }
}

/// Whether a file that is there may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// It may.
    Yes,
    /// It stays: others may have signed it.
    No,
}

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system refuses.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Clients would not take it.
    #[error("{path} has more than {most} bytes, which is the most that is taken")]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// The most.
        most: u64,
    },
    /// There is a file already.
    #[error("{0} exists and may have been signed: choose another name, or remove it")]
    Exists(PathBuf),
    /// It is not the metadata that was expected.
    #[error("{path} cannot be used: {source}")]
    Metadata {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: MetadataError,
    },
}

/// Reads a file of at most `most` bytes.
pub(super) fn bounded(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let at = |source| FileError::Io { action: "read", path: path.into(), source };
    let mut bytes = Vec::new();
    let file = open_at_once(path).map_err(at)?;
    if !file.metadata().map_err(at)?.is_file() {
        return Err(at(io::Error::other("it is no regular file")));
    }
    file.take(most + 1).read_to_end(&mut bytes).map_err(at)?;
    if bytes.len() as u64 > most {
        return Err(FileError::TooLarge { path: path.into(), most });
    }
    Ok(bytes)
}

/// Reads the metadata file `path`. What it says is not checked.
///
/// # Errors
/// [`FileError`].
pub fn read<R: Role>(path: &Path, kind: Kind) -> Result<Signed<R>, FileError> {
    let bytes = bounded(path, kind.largest())?;
    Signed::parse_strict(&bytes).map_err(|source| FileError::Metadata { path: path.into(), source })
}

/// Writes metadata: the whole file, or none.
///
/// # Errors
/// [`FileError`].
pub fn write<R: Role>(
    path: &Path,
    kind: Kind,
    role: &Signed<R>,
    replace: Replace,
) -> Result<(), FileError> {
    let bytes = role
        .to_bytes()
        .map_err(|error| FileError::Metadata { path: path.into(), source: error.into() })?;
    write_bytes(path, kind, &bytes, replace)
}

/// Writes the bytes of metadata: the whole file, or none.
///
/// # Errors
/// [`FileError`].
pub fn write_bytes(
    path: &Path,
    kind: Kind,
    bytes: &[u8],
    replace: Replace,
) -> Result<(), FileError> {
    if bytes.len() as u64 > kind.largest() {
        return Err(FileError::TooLarge { path: path.into(), most: kind.largest() });
    }
    let at = |source| FileError::Io { action: "write", path: path.into(), source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Public, within the umask.
    let open = Permissions::from_mode(0o666);
    let mut staged = tempfile::Builder::new().permissions(open).tempfile_in(folder).map_err(at)?;
    staged.write_all(bytes).and_then(|()| staged.as_file().sync_all()).map_err(at)?;
    match replace {
        Replace::Yes => staged.persist(path).map_err(|error| at(error.error))?,
        Replace::No => {
            staged.persist_noclobber(path).map_err(|error| match error.error.kind() {
                io::ErrorKind::AlreadyExists => FileError::Exists(path.into()),
                _ => at(error.error),
            })?
        }
    };
    // Some file systems of USB sticks cannot sync a folder.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ceremony::check::testing::{by, root};
    use crate::tuf::{Root, Targets};

    #[test]
    fn a_file_is_read_back_and_never_overwritten_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.json");
        let written = by(&root(1), &[1]);
        write(&path, Kind::Root, &written, Replace::No).unwrap();
        assert_eq!(read::<Root>(&path, Kind::Root).unwrap(), written);
        let again = write(&path, Kind::Root, &by(&root(1), &[]), Replace::No);
        assert!(matches!(again, Err(FileError::Exists(_))), "{again:?}");
        assert_eq!(read::<Root>(&path, Kind::Root).unwrap(), written);
        write(&path, Kind::Root, &by(&root(1), &[2]), Replace::Yes).unwrap();
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_fifo_holds_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("root.json");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        for path in [fifo.as_path(), folder.path()] {
            let error = read::<Root>(path, Kind::Root).unwrap_err().to_string();
            assert!(error.contains("no regular file"), "{error}");
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.json");
        let text = String::from_utf8(by(&root(1), &[]).to_bytes().unwrap()).unwrap();
        let id = crate::ceremony::check::testing::pair(1).id();
        let key = format!("\"{id}\":{{");
        for (from, to, why) in [
            (key.as_str(), format!("{key}\"keytype\":\"x\","), "duplicate"),
            (
                "\"keys\":{",
                format!(
                    "\"keys\":{{\"{id}\":{{\"keytype\":\"\",\"keyval\":{{}},\"scheme\":\"\"}},"
                ),
                "stands twice",
            ),
            ("\"version\":1", "\"version\":1,\"x\":1.5".into(), "canonical"),
            ("\"_type\":\"root\"", "\"_type\":\"targets\"".into(), "expected \"root\""),
        ] {
            assert!(text.contains(from), "{from}");
            std::fs::write(&path, text.replacen(from, &to, 1)).unwrap();
            let said = read::<Root>(&path, Kind::Root).unwrap_err().to_string();
            assert!(said.contains(why) && said.contains("root.json"), "{said}");
        }
    }

    #[test]
    fn larger_files_than_clients_take_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        std::fs::write(&path, vec![b' '; 512_001]).unwrap();
        assert!(matches!(read::<Root>(&path, Kind::Root), Err(FileError::TooLarge { .. })));
        let error = read::<Targets>(&path, Kind::Targets).unwrap_err();
        assert!(matches!(error, FileError::Metadata { .. }), "{error}");
    }
}
