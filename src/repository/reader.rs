//! The reading side: what is published, from memory or from the store.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;

use crate::index::{Format, ProjectName, Sources};
use crate::store::{Store, layout};
use crate::tuf::{Signed, TargetFile, TargetPath, Targets};

use super::cache::{CacheKey, Cached, Memory};
use super::edit::Blocked;
use super::published::{Base, Published};
use super::superseded::Superseded;
use super::{Document, Encoding, RepositoryError, load, page_path};

/// A repository as it is served. Cheap to clone.
#[derive(Clone)]
pub struct Repository(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) store: Store,
    published: ArcSwap<Published>,
    pub(super) memory: Memory,
    pub(super) superseded: Superseded,
}

impl Repository {
    pub(super) fn over(published: Published, store: Store, memory: u64) -> Self {
        Self(Arc::new(Inner {
            store,
            published: ArcSwap::from_pointee(published),
            memory: Memory::new(memory),
            superseded: Superseded::new(),
        }))
    }

    /// The publication that is served now.
    pub fn published(&self) -> Arc<Published> {
        self.0.published.load_full()
    }

    /// Makes `published` the one that is served; forward only.
    pub(super) fn show(&self, published: Published) {
        let version = published.timestamp.signed.version;
        let published = Arc::new(published);
        self.0.published.rcu(|old| {
            if old.timestamp.signed.version < version { published.clone() } else { old.clone() }
        });
    }

    /// `timestamp.json`.
    pub fn timestamp(&self) -> Arc<Document> {
        self.published().timestamp_document.clone()
    }

    /// `<version>.<role>.json`, where it is or was published.
    ///
    /// # Errors
    /// [`RepositoryError`] where the store fails.
    pub async fn metadata(
        &self,
        version: u64,
        role: &str,
    ) -> Result<Option<Arc<Document>>, RepositoryError> {
        let published = self.published();
        let base = &published.base;
        let newest = match role {
            "root" => Some(base.root.signed.version),
            "snapshot" => Some(base.snapshot.signed.version),
            role => base.version_of(role),
        };
        // What lies above the newest is an orphan, or not there.
        if newest.is_none_or(|newest| version > newest) {
            return Ok(None);
        }
        if role == "snapshot" && newest == Some(version) {
            return Ok(Some(base.snapshot_document.clone()));
        }
        let load = async {
            let name = match role {
                "root" => layout::root(version),
                role => layout::metadata(version, role),
            };
            let read = self.0.store.read(&name).await?;
            Ok(read.map(|bytes| Cached::Document(Arc::new(Document::new(bytes)))))
        };
        let cached = self.0.memory.get(CacheKey::Metadata(version, role.into()), load).await?;
        Ok(document(cached))
    }

    /// The target `path`, as the publication that is served signs it.
    ///
    /// # Errors
    /// [`RepositoryError`] where the store fails.
    pub async fn target(&self, path: &TargetPath) -> Result<Option<TargetFile>, RepositoryError> {
        self.target_in(&self.published().base, path).await
    }

    /// What an operator withdrew of `project`.
    ///
    /// # Errors
    /// [`RepositoryError`] where the store fails or is damaged.
    pub async fn blocked(&self, project: &ProjectName) -> Result<Blocked, RepositoryError> {
        let Ok(path) = page_path(project, Format::Json) else { return Ok(Blocked::Nothing) };
        let base = &self.published().base;
        let bin = self.bin(base, &base.succinct.bin_of(path.as_str())).await?;
        Ok(Blocked::of(&bin.signed, project))
    }

    /// Where the files of `project` lie upstream. Advice: a name may be missing or wrong.
    ///
    /// # Errors
    /// [`RepositoryError`] where the store fails.
    pub async fn sources(
        &self,
        project: &ProjectName,
    ) -> Result<Option<Arc<Sources>>, RepositoryError> {
        let load = async {
            let read = self.0.store.read(&layout::sources(project)).await?;
            // Advice that cannot be read is none.
            let parsed = read.and_then(|b| Some((serde_json::from_slice(&b).ok()?, length(&b))));
            Ok(parsed.map(|(sources, size)| Cached::Sources(Arc::new(sources), size)))
        };
        match self.0.memory.get(CacheKey::Sources(project.clone()), load).await? {
            Some(Cached::Sources(sources, _)) => Ok(Some(sources)),
            _ => Ok(None),
        }
    }

    /// `document` under `encoding`, compressed once.
    ///
    /// # Errors
    /// [`RepositoryError`] where it cannot be compressed.
    pub async fn encoded(
        &self,
        document: &Document,
        encoding: Encoding,
    ) -> Result<Bytes, RepositoryError> {
        let bytes = document.bytes.clone();
        let load = async move {
            let compressed = tokio::task::spawn_blocking(move || encoding.compress(&bytes)).await;
            match compressed {
                Ok(Ok(bytes)) => Ok(Some(Cached::Encoded(bytes.into()))),
                Ok(Err(error)) => Err(RepositoryError::damaged(encoding.name(), error)),
                Err(error) => Err(RepositoryError::damaged(encoding.name(), error)),
            }
        };
        match self.0.memory.get(CacheKey::Encoded(document.digest, encoding), load).await? {
            Some(Cached::Encoded(bytes)) => Ok(bytes),
            _ => Ok(document.bytes.clone()),
        }
    }

    /// All projects that have a signed page, in order. Reads every bin.
    ///
    /// # Errors
    /// [`RepositoryError`] where the store fails or is damaged.
    pub async fn projects(&self) -> Result<Vec<ProjectName>, RepositoryError> {
        let published = self.published();
        let mut projects = Vec::new();
        for name in published.base.succinct.names() {
            let bin = self.read_bin(&published.base, &name).await?;
            projects.extend(bin.signed.targets.keys().filter_map(|path| {
                let project = path.strip_prefix("simple/")?.strip_suffix(PAGE_JSON)?;
                ProjectName::parse(project).ok()
            }));
        }
        projects.sort_unstable();
        Ok(projects)
    }

    pub(super) async fn target_in(
        &self,
        base: &Base,
        path: &TargetPath,
    ) -> Result<Option<TargetFile>, RepositoryError> {
        let bin = self.bin(base, &base.succinct.bin_of(path.as_str())).await?;
        Ok(bin.signed.targets.get(path.as_str()).cloned())
    }

    /// The bin `name` of `base`, verified.
    pub(super) async fn bin(
        &self,
        base: &Base,
        name: &str,
    ) -> Result<Arc<Signed<Targets>>, RepositoryError> {
        let version = base.version_of(name).ok_or_else(|| {
            RepositoryError::damaged("snapshot", format!("it does not list {name}"))
        })?;
        let load = async {
            let (bin, size) = self.load_bin(base, version, name).await?;
            Ok(Some(Cached::Bin(Arc::new(bin), size)))
        };
        match self.0.memory.get(CacheKey::Bin(version, name.into()), load).await? {
            Some(Cached::Bin(bin, _)) => Ok(bin),
            _ => Err(RepositoryError::damaged(name, "it is missing")),
        }
    }

    /// The bin `name` of `base`, without keeping it in memory.
    pub(super) async fn read_bin(
        &self,
        base: &Base,
        name: &str,
    ) -> Result<Signed<Targets>, RepositoryError> {
        let version = base.version_of(name).ok_or_else(|| {
            RepositoryError::damaged("snapshot", format!("it does not list {name}"))
        })?;
        Ok(self.load_bin(base, version, name).await?.0)
    }

    async fn load_bin(
        &self,
        base: &Base,
        version: u64,
        name: &str,
    ) -> Result<(Signed<Targets>, u32), RepositoryError> {
        let object = layout::metadata(version, name);
        let bytes = load::object(&self.0.store, &object).await?;
        let bin = Signed::<Targets>::parse(&bytes).map_err(RepositoryError::metadata(&object))?;
        if bin.signed.version != version {
            return Err(RepositoryError::damaged(object, "it holds another version"));
        }
        if let Some(delegations) = &base.bins.signed.delegations {
            delegations.verify(name, &bin).map_err(RepositoryError::metadata(&object))?;
        }
        Ok((bin, length(&bytes)))
    }

    /// Puts what a publication wrote into memory, so that its first readers find it there.
    pub(super) async fn keep_bin(&self, name: &str, bin: Arc<Signed<Targets>>, bytes: Bytes) {
        let version = bin.signed.version;
        let size = length(&bytes);
        self.0.memory.put(CacheKey::Bin(version, name.into()), Cached::Bin(bin, size)).await;
        let document = Cached::Document(Arc::new(Document::new(bytes)));
        self.0.memory.put(CacheKey::Metadata(version, name.into()), document).await;
    }

    pub(super) async fn forget_sources(&self, project: &ProjectName) {
        self.0.memory.forget(&CacheKey::Sources(project.clone())).await;
    }
}

const PAGE_JSON: &str = "/vnd.pypi.simple.v1.json";

pub(super) fn document(cached: Option<Cached>) -> Option<Arc<Document>> {
    match cached {
        Some(Cached::Document(document)) => Some(document),
        _ => None,
    }
}

pub(super) fn length(bytes: &[u8]) -> u32 {
    bytes.len().try_into().unwrap_or(u32::MAX)
}
