//! The folder that is exported into. A file of it is there whole, or not at all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::ExportError;
use crate::tuf::Digest;

/// The folder in the folder that says who made it. What is written lies there until it is whole.
const OURS: &str = ".countersign-export";

/// A folder that an export made, or makes.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Takes the folder at `path`: it does not exist, is empty, or an export made it.
    pub(super) fn open(path: &Path) -> Result<Self, ExportError> {
        let ours = path.join(OURS);
        let is_empty = match fs::read_dir(path) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(at(path)(error)),
        };
        if !is_empty && !ours.is_dir() {
            return Err(ExportError::NotEmpty(path.into()));
        }
        fs::create_dir_all(&ours).map_err(at(&ours))?;
        Ok(Self { path: path.into() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file `name`; nothing where it does not exist.
    pub(super) async fn read(&self, name: &str) -> Result<Option<Bytes>, ExportError> {
        let path = self.path.join(name);
        match tokio::fs::read(&path).await {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(&path)(error)),
        }
    }

    /// Whether the file `name` is there and has this SHA-256.
    pub(super) async fn has(&self, name: &str, digest: &Digest) -> Result<bool, ExportError> {
        let (path, digest) = (self.path.join(name), *digest);
        in_thread(move || match File::open(&path) {
            Ok(mut file) => {
                let mut hasher = Sha256::new();
                io::copy(&mut file, &mut HashWriter(&mut hasher)).map_err(at(&path))?;
                Ok(Digest::from(hasher) == digest)
            }
            // Also where it would be below a file.
            Err(_) => Ok(false),
        })
        .await
    }

    /// Writes the file `name`, unless it is there with these bytes.
    pub(super) async fn put(&self, name: &str, bytes: &Bytes) -> Result<(), ExportError> {
        if self.has(name, &Digest::of(bytes)).await? {
            return Ok(());
        }
        let (folder, name, bytes) = (self.clone(), name.to_owned(), bytes.clone());
        in_thread(move || {
            let part = folder.part(&name);
            fs::write(&part, &bytes).map_err(at(&part))?;
            folder.finish(&part, &name)
        })
        .await
    }

    /// Where the file `name` is written until it is whole. One that is left by an interrupted export is written again.
    pub(super) fn part(&self, name: &str) -> PathBuf {
        self.path.join(OURS).join(Digest::of(name.as_bytes()).to_string())
    }

    /// Makes what was written at `part` the file `name`.
    pub(super) fn finish(&self, part: &Path, name: &str) -> Result<(), ExportError> {
        let path = self.path.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(at(folder))?;
        }
        fs::rename(part, &path).map_err(at(&path))
    }

    /// Returns when everything written before is on the disk.
    pub(super) async fn sync(&self) -> Result<(), ExportError> {
        let path = self.path.clone();
        in_thread(move || {
            let opened = File::open(&path).map_err(at(&path))?;
            rustix::fs::syncfs(&opened).map_err(|error| at(&path)(error.into()))
        })
        .await
    }
}

pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> ExportError {
    move |source| ExportError::File { path: path.into(), source }
}

/// Runs what blocks where it may.
pub(super) async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ExportError> + Send + 'static,
) -> Result<T, ExportError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(at(Path::new("the folder"))(io::Error::other(error))))
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_written_once_and_mended_where_it_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let ours = Folder::open(&folder.path().join("new/folder")).unwrap();
        let bytes = Bytes::from_static(b"right");
        ours.put("a/b/c", &bytes).await.unwrap();
        let path = ours.path().join("a/b/c");
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        ours.put("a/b/c", &bytes).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        fs::write(&path, "wrong").unwrap();
        assert!(!ours.has("a/b/c", &Digest::of(&bytes)).await.unwrap());
        ours.put("a/b/c", &bytes).await.unwrap();
        assert_eq!(ours.read("a/b/c").await.unwrap(), Some(bytes));
        assert_eq!(fs::read_dir(ours.path().join(OURS)).unwrap().count(), 0);
        ours.sync().await.unwrap();
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "").unwrap();
        let refused = Folder::open(folder.path());
        assert!(matches!(refused, Err(ExportError::NotEmpty(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let refused = Folder::open(&folder.path().join("thesis.txt"));
        assert!(matches!(refused, Err(ExportError::File { .. })));
    }
}
