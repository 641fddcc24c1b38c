//! The current snapshot as a folder that any web server can serve as a TUF repository.
//!
//! ```text
//! metadata/1.root.json …  N.snapshot.json  N.targets.json  N.bins.json  N.bins-xxxx.json  timestamp.json
//! targets/simple/<project>/<sha256>.vnd.pypi.simple.v1.json
//! targets/files/<project>/<sha256>.<filename>
//! ```
//!
//! A folder that was made before is brought up to date: what is there already and right stays, `timestamp.json` comes
//! last and by one rename, so that a client finds one snapshot or the other, whole. What is superseded is left.

mod files;
mod folder;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::store::{Store, layout};
use crate::tuf::{Digest, Expiry, Signed, TargetFile, TargetPath};
use crate::upstream::Upstream;

use self::files::Files;
use self::folder::Folder;
use super::pages::unpack;
use super::{Base, Published, RepositoryError, bin, load};

/// Bins, and what hangs on them, written at once.
const WRITES: usize = 8;
/// How often a newer publication is begun with where the one that is exported is superseded and gone.
const TRIES: usize = 5;

/// Why nothing, or not all, was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder is somebody else's.
    #[error("{0} is not empty, and no export made it: name an empty folder")]
    NotEmpty(PathBuf),
    /// The folder holds another repository.
    #[error("{0} holds another repository, with another 1.root.json: name another folder")]
    Another(PathBuf),
    /// The folder holds a newer publication.
    #[error(
        "{folder} holds timestamp {there}, and the store only {here}: clients would see it go back. Was the store put back? \
         Name another folder"
    )]
    Newer {
        /// The folder.
        folder: PathBuf,
        /// Its timestamp's version.
        there: u64,
        /// The store's.
        here: u64,
    },
    /// A file of the folder cannot be read or written.
    #[error("cannot write {path}: {source}; check that there is room and that it may be written")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The repository cannot be read.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// What was exported was superseded and collected under way, again and again.
    #[error(
        "publications were superseded and collected faster than they could be exported: lengthen store.grace, or export again \
         into the same folder, which goes on where this ended"
    )]
    Overtaken,
}

/// What an export tells on its way.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// So many bins are done with all that they name, of so many.
    Progress(u64, u64),
    /// This target is left out: it could not be had, and why.
    Failed(&'a str, &'a str),
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// The timestamp's version.
    pub timestamp: u64,
    /// Until when clients take the folder as it is: the first expiry of timestamp and snapshot.
    pub expires: Expiry,
    /// Bins.
    pub bins: u64,
    /// Pages.
    pub pages: u64,
    /// Files that are in the folder.
    pub files: u64,
    /// Files that nobody asked for.
    pub left_out: u64,
    /// Files that could not be had.
    pub failed: u64,
}

/// Exports what `store` shows into the folder `to`: with `upstream`, also the files, fetched from there and verified.
///
/// # Errors
/// [`ExportError`]. A folder that was whole before stays so. A file that cannot be had is told and counted.
pub async fn export(
    store: &Store,
    to: &Path,
    upstream: Option<&Upstream>,
    tell: &(dyn Fn(Event<'_>) + Send + Sync),
) -> Result<Exported, ExportError> {
    let folder = Folder::open(to)?;
    let files = upstream.map(|upstream| Files::new(store, upstream, &folder));
    for _ in 0..TRIES {
        let published = load::published(store).await?;
        let export = Export { store, folder: &folder, files: files.as_ref(), tell };
        let result = export.run(&published).await;
        let overtaken =
            matches!(result, Err(ExportError::Repository(RepositoryError::Damaged { .. })))
                && load::newest_timestamp(store).await? > Some(published.timestamp.signed.version);
        if !overtaken {
            return result;
        }
    }
    Err(ExportError::Overtaken)
}

struct Export<'a> {
    store: &'a Store,
    folder: &'a Folder,
    files: Option<&'a Files<'a>>,
    tell: &'a (dyn Fn(Event<'_>) + Send + Sync),
}

#[derive(Default)]
struct Counts {
    pages: AtomicU64,
    files: AtomicU64,
    left_out: AtomicU64,
    failed: AtomicU64,
}

impl Export<'_> {
    async fn run(&self, published: &Published) -> Result<Exported, ExportError> {
        let base = &published.base;
        self.continues(published).await?;
        let counts = Counts::default();
        let bins = base.succinct.count();
        let mut writes = stream::iter(0..bins)
            .map(|index| self.bin(base, index as u32, &counts))
            .buffer_unordered(WRITES);
        let mut done = 0;
        while writes.try_next().await?.is_some() {
            done += 1;
            (self.tell)(Event::Progress(done, bins));
        }
        drop(writes);
        self.roles(base).await?;
        // All that the timestamp reaches is on the disk before it is.
        self.folder.sync().await?;
        self.folder.put(TIMESTAMP, &published.timestamp_document.bytes).await?;
        self.folder.sync().await?;
        let expires = published.timestamp.signed.expires.min(base.snapshot.signed.expires);
        let Counts { pages, files, left_out, failed } = counts;
        Ok(Exported {
            timestamp: published.timestamp.signed.version,
            expires,
            bins,
            pages: pages.into_inner(),
            files: files.into_inner(),
            left_out: left_out.into_inner(),
            failed: failed.into_inner(),
        })
    }

    /// That what the folder holds is an earlier state of this repository, or nothing.
    async fn continues(&self, published: &Published) -> Result<(), ExportError> {
        let path = || self.folder.path().to_owned();
        let root = load::object(self.store, &layout::root(1)).await?;
        if self.folder.read("metadata/1.root.json").await?.is_some_and(|there| there != root) {
            return Err(ExportError::Another(path()));
        }
        let Some(there) = self.folder.read(TIMESTAMP).await? else { return Ok(()) };
        let there = Signed::<crate::tuf::Timestamp>::parse(&there)
            .map_err(RepositoryError::metadata(TIMESTAMP))?;
        let (there, here) = (there.signed.version, published.timestamp.signed.version);
        match there > here {
            true => Err(ExportError::Newer { folder: path(), there, here }),
            false => Ok(()),
        }
    }

    /// All roles but the bins and the timestamp.
    async fn roles(&self, base: &Base) -> Result<(), ExportError> {
        for version in 1..=base.root.signed.version {
            let name = layout::root(version);
            let bytes = load::object(self.store, &name).await?;
            self.folder.put(&format!("metadata/{version}.root.json"), &bytes).await?;
        }
        // Also those of a repository that was taken over.
        let listed = base.snapshot.signed.meta.iter();
        let listed =
            listed.map(|(file, entry)| (file.strip_suffix(".json").unwrap_or(file), entry));
        for (role, entry) in listed.filter(|(role, _)| !base.succinct.has(role)) {
            let name = layout::metadata(entry.version, role);
            let bytes = load::object(self.store, &name).await?;
            self.folder.put(&name, &bytes).await?;
        }
        let snapshot = layout::metadata(base.snapshot.signed.version, "snapshot");
        self.folder.put(&snapshot, &base.snapshot_document.bytes).await
    }

    /// A bin with all that it names.
    async fn bin(&self, base: &Base, index: u32, counts: &Counts) -> Result<(), ExportError> {
        let (bin, bytes) = bin::read(self.store, base, index).await?;
        for (path, target) in &bin.signed.targets {
            self.target(path, target, counts).await?;
        }
        let name = base.succinct.name(index);
        self.folder.put(&layout::metadata(bin.signed.version, &name), &bytes).await
    }

    async fn target(
        &self,
        path: &str,
        target: &TargetFile,
        counts: &Counts,
    ) -> Result<(), ExportError> {
        let refused = |why: String| RepositoryError::damaged(path, why);
        // A path that could lead out of the folder is none.
        let path = TargetPath::new(path).map_err(|error| refused(error.to_string()))?;
        let Some(digest) = target.sha256() else {
            return Err(refused("it has no SHA-256".into()).into());
        };
        let name = hashed(&path, &digest);
        if path.as_str().starts_with("files/") {
            return self.file(&path, &name, &digest, target.length, counts).await;
        }
        let commit = target.commit();
        let commit = commit.ok_or_else(|| refused("it names no commit".into()))?;
        self.page(&name, &digest, target.length, commit).await?;
        counts.pages.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn page(
        &self,
        name: &str,
        digest: &Digest,
        length: u64,
        commit: u64,
    ) -> Result<(), ExportError> {
        if self.folder.has(name, digest).await? {
            return Ok(());
        }
        let object = layout::page(digest, commit);
        let stored = load::object(self.store, &object).await?;
        let page = unpack(&stored, digest, length)
            .map_err(|reason| RepositoryError::damaged(object, reason))?;
        self.folder.put(name, &page.bytes).await
    }

    async fn file(
        &self,
        path: &TargetPath,
        name: &str,
        digest: &Digest,
        length: u64,
        counts: &Counts,
    ) -> Result<(), ExportError> {
        let Some(files) = self.files else {
            counts.left_out.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        let count = match files.fetch(path, name, digest, length).await? {
            Ok(()) => &counts.files,
            Err(reason) => {
                (self.tell)(Event::Failed(path.as_str(), &reason));
                &counts.failed
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

const TIMESTAMP: &str = "metadata/timestamp.json";

/// Where a target lies in a consistent snapshot (specification, section 6.2.2).
fn hashed(path: &TargetPath, digest: &Digest) -> String {
    let (folder, name) = path.split();
    format!("targets/{folder}{digest}.{name}")
}
