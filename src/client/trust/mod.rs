//! The trust store: which root is trusted for which index. One folder an index, in the user's data folder.
//!
//! ```text
//! indexes/lock                              taken by whoever changes something
//! indexes/<host>-<16 hex>/pin.json          what is pinned; written last, removed first
//! indexes/<host>-<16 hex>/root.json         the root, as it was pinned
//! indexes/<host>-<16 hex>/metadata/         trusted metadata (see `state`)
//! ```

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use url::Url;

use crate::tuf::Digest;

mod error;
mod first_root;
mod pin;
mod port;
#[cfg(test)]
mod tests;

pub use error::TrustError;
pub use first_root::{FirstRoot, LARGEST_ROOT, RootFlaw};
pub use pin::Pin;
pub use port::Ports;

use pin::{METADATA, PIN, ROOT};

const LOCK: &str = "lock";

/// The pinned roots of one user.
#[derive(Debug, Clone)]
pub struct TrustStore {
    folder: PathBuf,
}

/// What became of a root that was to be pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The pin.
    pub pin: Pin,
    /// Whether it was not there before.
    pub new: bool,
}

impl TrustStore {
    /// The store in the user's data folder `data`, which need not exist.
    pub fn new(data: &Path) -> Self {
        Self { folder: data.join("indexes") }
    }

    /// What is pinned for `index`, which has no credentials and ends in `/`.
    ///
    /// # Errors
    /// [`TrustError`]: it is damaged, or cannot be read.
    pub fn pinned(&self, index: &Url) -> Result<Option<Pin>, TrustError> {
        Pin::read(&self.folder_of(index)).map_err(|error| error.of(index))
    }

    /// Everything that is pinned, by index; what cannot be read in its place.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Result<Pin, TrustError>>, TrustError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(at("read", &self.folder))?,
        };
        let mut pins = Vec::new();
        for entry in entries {
            let entry = entry.map_err(at("read", &self.folder))?;
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if !hidden && entry.path().is_dir() {
                pins.extend(Pin::read(&entry.path()).transpose());
            }
        }
        pins.sort_by_key(|pin| pin.as_ref().ok().map(|pin| pin.index.to_string()));
        Ok(pins)
    }

    /// Pins `root` for `index`. `tuf` is where its repository lies, if that is known. To pin the same root again is fine,
    /// and takes over `tuf`.
    ///
    /// # Errors
    /// [`TrustError::OtherRoot`] where another one is pinned; others where it cannot be written.
    pub fn add(
        &self,
        index: &Url,
        root: &FirstRoot,
        tuf: Option<&Url>,
        now: Timestamp,
    ) -> Result<Added, TrustError> {
        let _lock = self.lock()?;
        if let Some(pin) = self.pinned(index)? {
            pin.agrees(root.sha256())?;
            let pin = Pin { tuf: tuf.cloned(), ..pin };
            self.write(&pin.folder, PIN, &pin.to_bytes()?)?;
            return Ok(Added { pin, new: false });
        }
        let folder = self.folder_of(index);
        make(&folder)?;
        let pin = Pin {
            index: index.clone(),
            root_sha256: root.sha256(),
            port: self.free_port(index)?,
            // Nobody cares for less than a second.
            added: Timestamp::from_second(now.as_second()).unwrap_or(now),
            tuf: tuf.cloned(),
            folder: folder.clone(),
        };
        // Of a pin whose removal was cut short: it belongs to another root.
        remove_all(&folder.join(METADATA))?;
        self.write(&folder, ROOT, root.bytes())?;
        self.write(&folder, PIN, &pin.to_bytes()?)?;
        Ok(Added { pin, new: true })
    }

    /// Remembers where the repository of `pin` lies.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn learn(&self, pin: &Pin, tuf: &Url) -> Result<Pin, TrustError> {
        let _lock = self.lock()?;
        let pin = Pin { tuf: Some(tuf.clone()), ..pin.clone() };
        // Unless somebody removed it meanwhile.
        if self.pinned(&pin.index)?.is_some_and(|now| now.root_sha256 == pin.root_sha256) {
            self.write(&pin.folder, PIN, &pin.to_bytes()?)?;
        }
        Ok(pin)
    }

    /// Forgets what is pinned for `index`, damaged or not, with all trusted metadata; whether there was anything.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn remove(&self, index: &Url) -> Result<bool, TrustError> {
        let folder = self.folder_of(index);
        if !folder.exists() {
            return Ok(false);
        }
        let _lock = self.lock()?;
        // Out of the way at once: another process may be writing into it.
        let aside = self.folder.join(format!(".removed-{}", std::process::id()));
        remove_all(&aside)?;
        match fs::rename(&folder, &aside) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            moved => moved.map_err(at("remove", &folder))?,
        }
        remove_all(&aside)?;
        Ok(true)
    }

    fn folder_of(&self, index: &Url) -> PathBuf {
        let host = index.host_str().unwrap_or_default().chars().take(100);
        let plain = |c: char| if c.is_ascii_alphanumeric() || ".-".contains(c) { c } else { '_' };
        let host: String = host.map(plain).collect();
        let mut digest = Digest::of(index.as_str().as_bytes()).to_string();
        digest.truncate(16);
        self.folder.join(format!("{host}-{digest}"))
    }

    /// The port that the index's URL gives, or the next that no other pin has.
    fn free_port(&self, index: &Url) -> Result<u16, TrustError> {
        let taken: Vec<u16> =
            self.list()?.into_iter().filter_map(Result::ok).map(|pin| pin.port).collect();
        Ports::of(index).find(|port| !taken.contains(port)).ok_or(TrustError::NoPort)
    }

    /// Held by whoever changes something, until it is dropped. Readers need none: each file is replaced whole.
    fn lock(&self) -> Result<Option<File>, TrustError> {
        make(&self.folder)?;
        let path = self.folder.join(LOCK);
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(at("open", &path))?;
        match file.lock() {
            Ok(()) => Ok(Some(file)),
            // Some network volumes have no locks.
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(None),
            Err(error) => Err(at("lock", &path)(error)),
        }
    }

    /// Replaces a file whole; under the lock.
    fn write(&self, folder: &Path, name: &str, bytes: &[u8]) -> Result<(), TrustError> {
        let (staged, path) = (folder.join(format!(".{name}.new")), folder.join(name));
        let replace = || {
            let mut options = File::options();
            let mut file =
                options.create(true).truncate(true).write(true).mode(0o600).open(&staged)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&staged, &path)?;
            File::open(folder)?.sync_all()
        };
        replace().map_err(at("write", &path))
    }
}

fn make(folder: &Path) -> Result<(), TrustError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(at("make", folder))
}

fn remove_all(folder: &Path) -> Result<(), TrustError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at("remove", folder)(error)),
        _ => Ok(()),
    }
}

fn at(action: &'static str, path: &Path) -> impl Fn(io::Error) -> TrustError {
    move |source| TrustError::Files { action, path: path.into(), source }
}
