//! Writing a bundle: aside, and under its name only when it is whole.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};
use tempfile::NamedTempFile;

use super::{BundleError, Manifest, names};

/// A bundle that is being written. Dropped before [`Writer::finish`], it leaves nothing.
pub struct Writer {
    path: PathBuf,
    tar: Builder<BufWriter<NamedTempFile>>,
    /// Of all entries, in seconds since 1970: equal contents, equal bytes.
    time: u64,
}

impl Writer {
    /// Begins a bundle that is to lie at `path`; what lies there stays until this one is whole. Blocks, as all here does.
    ///
    /// # Errors
    /// Where the folder cannot be written to, or what is written could not be read.
    pub fn create(path: &Path, manifest: &Manifest) -> Result<Self, BundleError> {
        let failed = || BundleError::disk("write", path);
        let bytes = manifest.to_bytes().map_err(io::Error::other).map_err(failed())?;
        Manifest::parse(&bytes)
            .map_err(|why| BundleError::Manifest { path: path.to_owned(), why })?;
        let mut options = tempfile::Builder::new();
        // What the umask leaves of it.
        options.prefix(".countersign-").suffix(".part").permissions(Permissions::from_mode(0o666));
        let aside = options.tempfile_in(folder_of(path)).map_err(failed())?;
        let time = u64::try_from(manifest.made.time().as_second()).unwrap_or_default();
        let tar = Builder::new(BufWriter::with_capacity(256 << 10, aside));
        let mut writer = Self { path: path.to_owned(), tar, time };
        writer.entry(names::MANIFEST, &bytes)?;
        Ok(writer)
    }

    /// Adds a metadata file by its name in the repository.
    ///
    /// # Errors
    /// Where the disk fails.
    pub fn metadata(&mut self, name: &str, bytes: &[u8]) -> Result<(), BundleError> {
        self.entry(&names::metadata(name), bytes)
    }

    /// Adds a target by the path that it is fetched under.
    ///
    /// # Errors
    /// Where the disk fails.
    pub fn target(&mut self, fetched_as: &str, bytes: &[u8]) -> Result<(), BundleError> {
        self.entry(&names::target(fetched_as), bytes)
    }

    /// Adds a target of `length` bytes from a file, from where that is being read.
    ///
    /// # Errors
    /// Where the disk fails, or the file ends before.
    pub fn file(&mut self, fetched_as: &str, length: u64, file: File) -> Result<(), BundleError> {
        let name = names::target(fetched_as);
        let mut from = file.take(length);
        self.append(&name, length, &mut from)
            .and_then(|()| {
                if from.limit() == 0 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
            })
            .map_err(BundleError::disk("write", &self.path))
    }

    /// Ends the bundle, and puts it in its place; tells its length in bytes.
    ///
    /// # Errors
    /// Where the disk fails.
    pub fn finish(self) -> Result<u64, BundleError> {
        let Self { path, tar, .. } = self;
        place(tar, &path).map_err(BundleError::disk("write", &path))
    }

    fn entry(&mut self, name: &str, bytes: &[u8]) -> Result<(), BundleError> {
        self.append(name, bytes.len() as u64, bytes).map_err(BundleError::disk("write", &self.path))
    }

    fn append(&mut self, name: &str, length: u64, from: impl Read) -> io::Result<()> {
        if names::key(name).is_none() || name.len() as u64 > names::LONGEST {
            return Err(io::Error::other(format!("{name:?} cannot be the name of an entry")));
        }
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(length);
        header.set_mode(0o644);
        header.set_mtime(self.time);
        self.tar.append_data(&mut header, name, from)
    }
}

fn place(tar: Builder<BufWriter<NamedTempFile>>, path: &Path) -> io::Result<u64> {
    let mut buffered = tar.into_inner()?;
    buffered.flush()?;
    let aside = buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
    aside.as_file().sync_all()?;
    let length = aside.as_file().metadata()?.len();
    aside.persist(path).map_err(|error| error.error)?;
    // So that the new name, too, outlives a power cut.
    File::open(folder_of(path))?.sync_all()?;
    Ok(length)
}

/// Whether a bundle may take the place of what lies at `path`, if anything does: links are not followed.
///
/// # Errors
/// Where it is no regular file, or that cannot be told.
pub(super) fn replaceable(path: &Path) -> Result<(), BundleError> {
    match path.symlink_metadata() {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(BundleError::Occupied { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(BundleError::disk("write", path)(error)),
    }
}

/// Where a file is to lie.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
