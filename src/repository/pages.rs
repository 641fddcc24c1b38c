//! The reading side, for pages: the signed bytes, and the model that they hold.

use std::sync::Arc;

use crate::index::{Format, Links, ProjectName, ProjectPage, parse_signed};
use crate::store::layout;
use crate::tuf::{Digest, TargetFile, TargetPath};

use super::cache::{CacheKey, Cached};
use super::load::{self, Trust};
use super::published::{Base, Published};
use super::reader::{document, length};
use super::{Document, Repository, RepositoryError, page_path};

/// Older versions of a bin that are searched for a page, at the most.
const VERSIONS: usize = 64;

impl Repository {
    /// The signed page of `project`.
    ///
    /// # Errors
    /// [`RepositoryError`] where the store fails or is damaged.
    pub async fn page(
        &self,
        project: &ProjectName,
        format: Format,
    ) -> Result<Option<Arc<Document>>, RepositoryError> {
        let ask = |published: Arc<Published>| async move {
            self.page_in(&published.base, project, format).await
        };
        self.ask_again(ask).await
    }

    /// The page of `project` with this hash, where it is the signed one, or was less than a grace period ago and another one
    /// took its place: a client that verified a bin before asks for it. A page that was withdrawn is not found.
    ///
    /// # Errors
    /// [`RepositoryError`] where the store fails or is damaged.
    pub async fn pinned_page(
        &self,
        project: &ProjectName,
        format: Format,
        digest: Digest,
    ) -> Result<Option<Arc<Document>>, RepositoryError> {
        let ask = |published: Arc<Published>| async move {
            let page = self.page_in(&published.base, project, format).await?;
            Ok(page.filter(|page| page.digest == digest))
        };
        if let Some(page) = self.ask_again(ask).await? {
            return Ok(Some(page));
        }
        let base = &self.published().base;
        let Ok(path) = page_path(project, format) else { return Ok(None) };
        if self.target_in(base, &path).await?.is_none() {
            return Ok(None);
        }
        match self.0.superseded.find(project, format, digest).await {
            Some(target) => self.load_page(&path, &target).await,
            None => match self.find_superseded(base, base, &path, digest).await? {
                Some(page) => Ok(Some(page)),
                None => match self.former().await? {
                    Some(former) => self.find_superseded(&former, base, &path, digest).await,
                    None => Ok(None),
                },
            },
        }
    }

    /// What was published a grace period ago, where other bins have taken the place of its bins since.
    async fn former(&self) -> Result<Option<Base>, RepositoryError> {
        let now = self.0.watch.store_now();
        let first = self.0.horizon.last_before_grace(now).or_else(|| self.0.horizon.after(0));
        let Some(first) = first else { return Ok(None) };
        let base = &self.published().base;
        match load::shown_by(&self.0.store, first, Some(base), Trust::Chain).await {
            Ok(shown) if shown.base.bins.signed.version < base.bins.signed.version => {
                Ok(Some(shown.base))
            }
            // Collected, or the same.
            Ok(_) | Err(RepositoryError::Damaged { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The page `path` with this hash, named by an older version of its bin, down to the one of a grace period ago; `base`
    /// says which bin, and `newest` which version of it came last.
    async fn find_superseded(
        &self,
        base: &Base,
        newest: &Base,
        path: &TargetPath,
        digest: Digest,
    ) -> Result<Option<Arc<Document>>, RepositoryError> {
        let name = base.succinct.bin_of(path.as_str());
        let Some(newest) = newest.version_of(&name) else { return Ok(None) };
        let oldest = self.oldest(&name).await?;
        for version in (oldest..=newest).rev().take(VERSIONS) {
            // Versions have gaps.
            let bin = match self.bin_version(base, version, &name).await {
                Err(RepositoryError::Damaged { .. }) => continue,
                bin => bin?,
            };
            let target = bin.signed.targets.get(path.as_str());
            let Some(target) = target.filter(|target| target.sha256() == Some(digest)) else {
                continue;
            };
            match self.load_page(path, target).await {
                // An orphan of an old commit may name a page that is collected, and an older bin one that is there.
                Err(RepositoryError::Damaged { .. }) => {}
                page => return page,
            }
        }
        Ok(None)
    }

    pub(super) async fn supersede(
        &self,
        project: &ProjectName,
        format: Format,
        target: &TargetFile,
    ) {
        self.0.superseded.note(project, format, target).await;
    }

    /// The model of `project`'s page.
    ///
    /// # Errors
    /// [`RepositoryError`] where the store fails or is damaged.
    pub async fn model(
        &self,
        project: &ProjectName,
    ) -> Result<Option<Arc<ProjectPage>>, RepositoryError> {
        let ask = |published: Arc<Published>| async move {
            self.model_in(&published.base, project).await
        };
        self.ask_again(ask).await
    }

    /// As [`Self::model`], where `holds` is true of it. Where it is not, another replica may have published since.
    ///
    /// # Errors
    /// [`RepositoryError`] where the store fails or is damaged.
    pub async fn model_where(
        &self,
        project: &ProjectName,
        holds: impl Fn(&ProjectPage) -> bool,
    ) -> Result<Option<Arc<ProjectPage>>, RepositoryError> {
        let holds = &holds;
        let ask = |published: Arc<Published>| async move {
            let model = self.model_in(&published.base, project).await?;
            Ok(model.filter(|model| holds(model)))
        };
        self.ask_again(ask).await
    }

    /// As [`Self::model`], as far as this process knows: without a look at what other replicas published since.
    ///
    /// # Errors
    /// [`RepositoryError`] where the store fails or is damaged.
    pub async fn known_model(
        &self,
        project: &ProjectName,
    ) -> Result<Option<Arc<ProjectPage>>, RepositoryError> {
        self.model_in(&self.published().base, project).await
    }

    pub(super) async fn page_in(
        &self,
        base: &Base,
        project: &ProjectName,
        format: Format,
    ) -> Result<Option<Arc<Document>>, RepositoryError> {
        let Ok(path) = page_path(project, format) else { return Ok(None) };
        let Some(target) = self.target_in(base, &path).await? else { return Ok(None) };
        self.load_page(&path, &target).await
    }

    async fn load_page(
        &self,
        path: &TargetPath,
        target: &TargetFile,
    ) -> Result<Option<Arc<Document>>, RepositoryError> {
        let (Some(digest), Some(commit)) = (target.sha256(), target.commit()) else {
            return Err(RepositoryError::damaged(path.as_str(), "its target names no object"));
        };
        let load = async {
            let name = layout::page(&digest, commit);
            let stored = load::object(&self.0.store, &name).await?;
            let page = unpack(&stored, &digest, target.length)
                .map_err(|reason| RepositoryError::damaged(name, reason))?;
            Ok(Some(Cached::Document(Arc::new(page))))
        };
        Ok(document(self.0.memory.get(CacheKey::Page(digest), load).await?))
    }

    pub(super) async fn model_in(
        &self,
        base: &Base,
        project: &ProjectName,
    ) -> Result<Option<Arc<ProjectPage>>, RepositoryError> {
        Ok(self.parsed_in(base, project).await?.map(|(page, _)| page))
    }

    /// How the signed page of `project` refers to `/tuf/`.
    pub(super) async fn links_in(
        &self,
        base: &Base,
        project: &ProjectName,
    ) -> Result<Option<Arc<Links>>, RepositoryError> {
        Ok(self.parsed_in(base, project).await?.map(|(_, links)| links))
    }

    async fn parsed_in(
        &self,
        base: &Base,
        project: &ProjectName,
    ) -> Result<Option<(Arc<ProjectPage>, Arc<Links>)>, RepositoryError> {
        let Some(page) = self.page_in(base, project, Format::Json).await? else {
            return Ok(None);
        };
        let load = async {
            let (model, links) = parse_signed(&page.bytes)
                .map_err(|error| RepositoryError::damaged(format!("page of {project}"), error))?;
            Ok(Some(Cached::Model(Arc::new(model), Arc::new(links), length(&page.bytes))))
        };
        match self.0.memory.get(CacheKey::Model(page.digest), load).await? {
            Some(Cached::Model(model, links, _)) => Ok(Some((model, links))),
            _ => Ok(None),
        }
    }

    /// As [`Self::keep_bin`], for a page.
    pub(super) async fn keep_page(&self, page: Document) {
        self.0.memory.put(CacheKey::Page(page.digest), Cached::Document(Arc::new(page))).await;
    }
}

/// How a page lies in the store.
pub(super) fn pack(page: &[u8]) -> std::io::Result<Vec<u8>> {
    zstd::bulk::compress(page, 3)
}

/// The page of `length` bytes that was packed into `stored`.
pub(super) fn unpack(stored: &[u8], digest: &Digest, length: u64) -> Result<Document, String> {
    let length = usize::try_from(length).map_err(|e| e.to_string())?;
    let page = zstd::bulk::decompress(stored, length).map_err(|e| e.to_string())?;
    let document = Document::new(page);
    if document.digest != *digest {
        return Err(format!("its SHA-256 is {}", document.digest));
    }
    Ok(document)
}
