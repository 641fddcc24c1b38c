//! Trusted metadata on disk: the unchanged bytes, one file a role, replaced atomically.
//!
//! Several processes may share a folder. Each works on what it read, and writes only where that is still what lies there:
//! whoever comes second starts over from what the first has verified, so that nothing trusted goes back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::ClientError;

/// What a role's name keeps in a file's name and in a URL (RFC 3986, 2.3: unreserved).
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Serializes the writers; never deleted.
const LOCK: &str = ".lock";

/// How the names of unfinished files end.
const PART: &str = ".part";

/// A folder of trusted metadata. Cheap to clone.
#[derive(Debug, Clone)]
pub struct State {
    dir: Arc<Path>,
}

/// Whether something was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// It was.
    Done,
    /// Another process wrote meanwhile.
    Overtaken,
}

/// A role's name as it stands in file names and URLs.
pub fn quoted(role: &str) -> String {
    utf8_percent_encode(role, QUOTED).to_string()
}

impl State {
    /// The folder `dir`, which holds a trusted root. Blocks.
    ///
    /// # Errors
    /// [`ClientError::NoRoot`] where it holds none.
    pub fn open(dir: &Path) -> Result<Self, ClientError> {
        let state = Self { dir: dir.into() };
        if state.get("root")?.is_none() {
            let why = "begin with a root that you trust";
            return Err(ClientError::NoRoot { path: dir.to_owned(), why });
        }
        state.sweep()?;
        Ok(state)
    }

    /// Makes the folder (mode 0700) with a root that the user trusts, or opens it where it has one. Blocks.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn init(dir: &Path, root: &[u8]) -> Result<Self, ClientError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(failed("make", dir))?;
        let state = Self { dir: dir.into() };
        state.sweep()?;
        state.replace_now("root", None, root)?;
        Ok(state)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The metadata of `role` as it lies there. Blocks.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn get(&self, role: &str) -> Result<Option<Bytes>, ClientError> {
        let path = self.path(role);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    /// As [`State::get`], on a thread that may block.
    ///
    /// # Errors
    /// As [`State::get`].
    pub async fn read(&self, role: &str) -> Result<Option<Bytes>, ClientError> {
        let (state, name) = (self.clone(), role.to_owned());
        self.blocking(role, move || state.get(&name)).await
    }

    /// Replaces the metadata of `role` with `new`, if it is still `old`. It is durable when this returns.
    ///
    /// # Errors
    /// Where it cannot be written; what was there stays.
    pub async fn replace(
        &self,
        role: &str,
        old: Option<Bytes>,
        new: Bytes,
    ) -> Result<Replaced, ClientError> {
        let (state, name) = (self.clone(), role.to_owned());
        self.blocking(role, move || state.replace_now(&name, old.as_deref(), &new)).await
    }

    /// Keeps the metadata of a delegated role, which is of use only as long as the trusted snapshot names it.
    ///
    /// # Errors
    /// Where it cannot be written; what was there stays.
    pub async fn keep(&self, role: &str, new: Bytes) -> Result<(), ClientError> {
        let (state, name) = (self.clone(), role.to_owned());
        self.blocking(role, move || {
            let _lock = state.lock()?;
            state.write(&name, &new, Sync::No)
        })
        .await
    }

    fn replace_now(
        &self,
        role: &str,
        old: Option<&[u8]>,
        new: &[u8],
    ) -> Result<Replaced, ClientError> {
        let _lock = self.lock()?;
        if self.get(role)?.as_deref() != old {
            return Ok(Replaced::Overtaken);
        }
        self.write(role, new, Sync::Yes)?;
        Ok(Replaced::Done)
    }

    fn write(&self, role: &str, bytes: &[u8], sync: Sync) -> Result<(), ClientError> {
        let path = self.path(role);
        // One name is enough: writers hold the lock.
        let temporary = self.dir.join(format!(".new{PART}"));
        let written =
            write_new(&temporary, bytes, sync).and_then(|()| fs::rename(&temporary, &path));
        if written.is_err() {
            // What is left of it is of no use; the first error is the one to tell.
            let _ = fs::remove_file(&temporary);
        }
        written.map_err(failed("write", &path))?;
        match sync {
            Sync::Yes => File::open(&self.dir)
                .and_then(|dir| dir.sync_all())
                .map_err(failed("sync", &self.dir)),
            Sync::No => Ok(()),
        }
    }

    /// Waits for the lock. It is held for a few writes at the most, and freed when its holder dies.
    fn lock(&self) -> Result<File, ClientError> {
        let path = self.dir.join(LOCK);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(failed("open", &path))?;
        file.lock().map_err(failed("lock", &path))?;
        Ok(file)
    }

    /// Removes what a process that was killed left behind: whoever writes holds the lock.
    fn sweep(&self) -> Result<(), ClientError> {
        let _lock = self.lock()?;
        let entries = fs::read_dir(&self.dir).map_err(failed("read", &self.dir))?;
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().ends_with(PART) {
                // It will be tried again.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    fn path(&self, role: &str) -> PathBuf {
        self.dir.join(format!("{}.json", quoted(role)))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        role: &str,
        work: impl FnOnce() -> Result<T, ClientError> + Send + 'static,
    ) -> Result<T, ClientError> {
        let ended = tokio::task::spawn_blocking(work).await;
        ended.unwrap_or_else(|error| {
            Err(failed("work on", &self.path(role))(io::Error::other(error)))
        })
    }
}

/// Whether bytes must be durable: what protects from going back must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    Yes,
    No,
}

fn write_new(path: &Path, bytes: &[u8], sync: Sync) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    if sync == Sync::Yes { file.sync_all() } else { Ok(()) }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ClientError {
    let path = path.to_owned();
    move |error| ClientError::State { action, path, source: Arc::new(error) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_overtaken_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::init(dir.path(), b"root").unwrap();
        assert_eq!(state.replace_now("timestamp", None, b"1").unwrap(), Replaced::Done);
        assert_eq!(state.replace_now("timestamp", None, b"2").unwrap(), Replaced::Overtaken);
        assert_eq!(state.replace_now("timestamp", Some(b"1"), b"2").unwrap(), Replaced::Done);
        assert_eq!(state.get("timestamp").unwrap().as_deref(), Some(b"2".as_slice()));
    }

    #[test]
    fn a_root_that_is_there_stays() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(State::open(dir.path()), Err(ClientError::NoRoot { .. })));
        State::init(dir.path(), b"first").unwrap();
        State::init(dir.path(), b"second").unwrap();
        let state = State::open(dir.path()).unwrap();
        assert_eq!(state.get("root").unwrap().as_deref(), Some(b"first".as_slice()));
    }

    #[test]
    fn leftovers_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let left = dir.path().join(".new.part");
        State::init(dir.path(), b"root").unwrap();
        fs::write(&left, b"x").unwrap();
        State::open(dir.path()).unwrap();
        assert!(!left.exists());
    }

    proptest! {
        #[test]
        fn no_role_leaves_the_folder(role in any::<String>()) {
            let name = format!("{}.json", quoted(&role));
            prop_assert!(!name.contains('/') && !name.contains('\\') && !name.contains('\0'));
            prop_assert!(name != "." && name != "..");
        }
    }
}
