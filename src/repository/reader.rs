//! The reading side: what is published, from memory or from the store.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;

use crate::config::{Lost, StoreConfig};
use crate::index::{Format, ProjectName, Sources};
use crate::store::{Store, layout};
use crate::telemetry::Readiness;
use crate::tuf::{Signed, Snapshot, TargetFile, TargetPath, Targets};

use super::cache::{CacheKey, Cached, Memory};
use super::edit::Blocked;
use super::horizon::Horizon;
use super::look::Looks;
use super::published::{Base, Published};
use super::skew;
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
    pub(super) looks: Looks,
    pub(super) horizon: Horizon,
    pub(super) watch: skew::Watch,
    pub(super) lost: Lost,
    readiness: Arc<Readiness>,
    /// The newest commit that was read.
    newest: AtomicU64,
    /// The snapshot of T*, with the timestamp's number.
    pub(super) oldest: tokio::sync::Mutex<Option<(u64, Arc<Signed<Snapshot>>)>>,
}

/// What a repository is opened with, beside its store.
pub(super) struct Settings {
    /// Memory for what is hot, bytes.
    pub(super) memory: u64,
    pub(super) config: StoreConfig,
    pub(super) watch: skew::Watch,
    pub(super) readiness: Arc<Readiness>,
}

impl Repository {
    pub(super) fn over(published: Published, store: Store, settings: Settings) -> Self {
        let Settings { memory, config, watch, readiness } = settings;
        Self(Arc::new(Inner {
            store,
            newest: AtomicU64::new(published.base.commit),
            published: ArcSwap::from_pointee(published),
            memory: Memory::new(memory),
            superseded: Superseded::new(config.grace),
            looks: Looks::new(),
            horizon: Horizon::new(config.grace),
            watch,
            lost: config.lost,
            readiness,
            oldest: tokio::sync::Mutex::default(),
        }))
    }

    /// The publication that is served now.
    pub fn published(&self) -> Arc<Published> {
        self.0.published.load_full()
    }

    /// The newest commit that this process has read. A look at the upstream that begins now knows what it says.
    pub fn newest_commit(&self) -> u64 {
        self.0.newest.load(Ordering::Acquire)
    }

    pub(super) fn note_commit(&self, number: u64) {
        self.0.newest.fetch_max(number, Ordering::AcqRel);
    }

    /// Makes `published` the one that is served; forward only.
    pub(super) fn show(&self, published: Published) {
        let version = published.timestamp.signed.version;
        let published = Arc::new(published);
        self.0.published.rcu(|old| {
            if old.timestamp.signed.version < version { published.clone() } else { old.clone() }
        });
    }

    /// `timestamp.json`: the newest when this was asked.
    ///
    /// # Errors
    /// [`RepositoryError`] where other processes may have published and the store cannot be looked at.
    pub async fn timestamp(&self) -> Result<Arc<Document>, RepositoryError> {
        if !self.0.store.is_shared() {
            return Ok(self.published().timestamp_document.clone());
        }
        match self.fresh_look().await {
            Ok(published) => Ok(published.timestamp_document.clone()),
            Err(_) if self.0.lost == Lost::Serve => Ok(self.published().timestamp_document.clone()),
            Err(error) => Err(error),
        }
    }

    /// A look that is not old yet when it is answered: clients have the other half of the grace period.
    async fn fresh_look(&self) -> Result<Arc<Published>, RepositoryError> {
        let looked = self.look().await?;
        if self.is_stale() { self.look().await } else { Ok(looked) }
    }

    /// What `ask` finds in the publication that is served; where it finds nothing, or something damaged, another replica may
    /// have published since: looks at the store, and asks again.
    pub(super) async fn ask_again<T, F>(
        &self,
        ask: impl Fn(Arc<Published>) -> F,
    ) -> Result<Option<T>, RepositoryError>
    where
        F: Future<Output = Result<Option<T>, RepositoryError>>,
    {
        if self.is_stale() {
            // A store that is lost loses nothing that is in memory, and nobody waits for it.
            let _ = self.look().await;
        }
        let before = self.published();
        let found = ask(before.clone()).await;
        let unknown = matches!(found, Ok(None) | Err(RepositoryError::Damaged { .. }));
        if !unknown || !self.0.store.is_shared() {
            return found;
        }
        let after = self.look().await?;
        if after.base.commit == before.base.commit { found } else { ask(after).await }
    }

    /// The target `path`, as the publication that is served signs it.
    ///
    /// # Errors
    /// [`RepositoryError`] where the store fails.
    pub async fn target(&self, path: &TargetPath) -> Result<Option<TargetFile>, RepositoryError> {
        self.ask_again(|published| async move { self.target_in(&published.base, path).await }).await
    }

    /// As [`Self::target`], as far as this process knows: without a look at what other replicas published since.
    ///
    /// # Errors
    /// [`RepositoryError`] where the store fails.
    pub async fn known_target(
        &self,
        path: &TargetPath,
    ) -> Result<Option<TargetFile>, RepositoryError> {
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

    /// [`sources`](Self::sources), read again: another replica may have learnt more since.
    ///
    /// # Errors
    /// [`RepositoryError`] where the store fails.
    pub async fn newest_sources(
        &self,
        project: &ProjectName,
    ) -> Result<Option<Arc<Sources>>, RepositoryError> {
        self.forget_sources(project).await;
        self.sources(project).await
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
        let ask = |published| async move { self.projects_in(published).await.map(Some) };
        Ok(self.ask_again(ask).await?.unwrap_or_default())
    }

    async fn projects_in(
        &self,
        published: Arc<Published>,
    ) -> Result<Vec<ProjectName>, RepositoryError> {
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
        self.bin_version(base, version, name).await
    }

    /// Version `version` of the bin `name`, verified by the delegation of `base`.
    pub(super) async fn bin_version(
        &self,
        base: &Base,
        version: u64,
        name: &str,
    ) -> Result<Arc<Signed<Targets>>, RepositoryError> {
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

impl Inner {
    /// What a look at a shared store came to, for `/readyz`.
    pub(super) fn note_look<T>(&self, looked: &Result<T, RepositoryError>) {
        let reason = looked.as_ref().err().filter(|_| self.store.is_shared());
        self.readiness.note("store", reason.map(ToString::to_string));
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
