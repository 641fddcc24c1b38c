//! A bundle in the place of a repository: what is asked for is read where it lies in the file.

use std::fs::File;
use std::io::{self, BufReader};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::task::spawn_blocking;

use super::contents::{Contents, Flaw, scan};
use super::{BundleError, Manifest, names};
use crate::client::{Remote, RemoteError};
use crate::spool;
use crate::upstream::{FileReply, UpstreamError};

/// The longest `bundle.json`, bytes: room for 100,000 projects.
const LONGEST_MANIFEST: u64 = 8 << 20;

/// An opened bundle. Nothing of it is verified: that is for whoever asks it. Cheap to clone.
#[derive(Clone)]
pub struct Bundle {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    file: Arc<File>,
    contents: Contents,
    manifest: Manifest,
}

impl Bundle {
    /// Opens a bundle: reads the names of what is in it, and its description. Blocks.
    ///
    /// # Errors
    /// [`BundleError`] where it cannot be read, or is anything but what `bundle create` writes.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let read = || BundleError::disk("read", path);
        let file = File::open(path).map_err(read())?;
        let length = file.metadata().map_err(read())?.len();
        let flawed = |flaw| BundleError::Flawed { path: path.to_owned(), flaw };
        let contents = scan(BufReader::new(&file), length).map_err(flawed)?;
        let place = contents.get(names::MANIFEST).cloned().ok_or_else(|| flawed(Flaw::Manifest))?;
        let wrong = |why: String| BundleError::Manifest { path: path.to_owned(), why };
        if place.end - place.start > LONGEST_MANIFEST {
            return Err(wrong("its bundle.json is too long".into()));
        }
        let manifest = Manifest::parse(&read_at(&file, place).map_err(read())?).map_err(wrong)?;
        let inner = Inner { path: path.to_owned(), file: Arc::new(file), contents, manifest };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What it says of itself; not signed.
    pub fn manifest(&self) -> &Manifest {
        &self.inner.manifest
    }

    /// How many things are in it.
    pub fn entries(&self) -> usize {
        self.inner.contents.len()
    }

    fn place(&self, name: &str) -> Option<Range<u64>> {
        self.inner.contents.get(&names::key(name)?).cloned()
    }

    /// A small entry whole.
    async fn whole(&self, name: &str, place: Range<u64>, limit: u64) -> Result<Bytes, RemoteError> {
        if place.end - place.start > limit {
            return Err(RemoteError::TooLong { name: name.to_owned(), limit });
        }
        let file = self.inner.file.clone();
        let read = spawn_blocking(move || read_at(&file, place)).await.map_err(io::Error::other);
        let read = read.and_then(|read| read).map_err(|error| self.broken(name, &error));
        Ok(read?.into())
    }

    fn broken(&self, name: &str, error: &io::Error) -> UpstreamError {
        let url = format!("{name} in {}", self.inner.path.display());
        UpstreamError::Reset { url, why: error.to_string() }
    }
}

impl Remote for Bundle {
    fn metadata<'a>(
        &'a self,
        name: &'a str,
        limit: u64,
    ) -> BoxFuture<'a, Result<Bytes, RemoteError>> {
        Box::pin(async move {
            match self.place(&names::metadata(name)) {
                Some(place) => self.whole(name, place, limit).await,
                // The end of the chain; a client asks for it each time.
                None if name.ends_with(".root.json") => {
                    Err(RemoteError::Missing { name: name.to_owned() })
                }
                None => Err(not_bundled(name).into()),
            }
        })
    }

    fn target<'a>(
        &'a self,
        path: &'a str,
        limit: u64,
    ) -> BoxFuture<'a, Result<Bytes, RemoteError>> {
        Box::pin(async move {
            let place = self.place(&names::target(path)).ok_or_else(|| not_bundled(path))?;
            self.whole(path, place, limit).await
        })
    }

    fn open<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<FileReply, UpstreamError>> {
        Box::pin(async move {
            let place = self.place(&names::target(path)).ok_or_else(|| not_bundled(path))?;
            let length = Some(place.end - place.start);
            Ok(FileReply { length, body: spool::part(&self.inner.file, place) })
        })
    }
}

fn not_bundled(what: &str) -> UpstreamError {
    UpstreamError::NotBundled { what: what.to_owned() }
}

fn read_at(file: &File, place: Range<u64>) -> io::Result<Vec<u8>> {
    let length = usize::try_from(place.end - place.start).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, place.start)?;
    Ok(bytes)
}
