//! Where an inspected repository is read from: a store, or a URL.

use bytes::Bytes;
use url::Url;

use crate::config::{Access, LimitsConfig, UpstreamConfig};
use crate::repository::{RepositoryError, load};
use crate::store::{Store, StoreError, layout};
use crate::upstream::{Upstream, UpstreamError};

/// The largest metadata file that is read over HTTP, bytes (python-tuf's limit for targets).
const LARGEST: u64 = 5_000_000;

/// A repository to read.
pub(super) enum Source {
    /// The store itself.
    Store(Store),
    /// What is served under a URL that ends in `metadata/`.
    Web(Upstream, Url),
}

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error("{0} is missing: is there a repository?")]
    Missing(String),
}

impl Source {
    /// The repository under `url`, which is the one that ends in `/tuf/`, or in `/tuf/metadata/`.
    pub(super) fn web(url: &str) -> Result<Self, SourceError> {
        let config = UpstreamConfig { url: Some(url.to_owned()), ..UpstreamConfig::default() };
        let upstream = Upstream::new(&config, &LimitsConfig::default(), Access::Upstream)?;
        let mut base = upstream.simple_url().clone();
        if !base.path().ends_with("/metadata/") {
            base.set_path(&format!("{}metadata/", base.path()));
        }
        Ok(Self::Web(upstream, base))
    }

    /// The newest root's version.
    pub(super) async fn newest_root(&self) -> Result<u64, SourceError> {
        match self {
            Self::Store(store) => Ok(load::root(store).await?.signed.version),
            Self::Web(..) => {
                let mut version = 0;
                while self.try_read(&format!("{}.root.json", version + 1)).await?.is_some() {
                    version += 1;
                }
                Ok(version)
            }
        }
    }

    /// `timestamp.json`.
    pub(super) async fn timestamp(&self) -> Result<Bytes, SourceError> {
        let file = match self {
            Self::Web(..) => "timestamp.json".to_owned(),
            Self::Store(store) => {
                let all = store.list(layout::TIMESTAMPS).await?;
                let newest = all.iter().filter_map(|t| layout::number(&t.name)).max();
                layout::timestamp(newest.unwrap_or_default())
            }
        };
        self.read(&file).await
    }

    /// `<version>.<role>.json`.
    pub(super) async fn metadata(&self, version: u64, role: &str) -> Result<Bytes, SourceError> {
        let file = match self {
            Self::Web(..) => format!("{version}.{role}.json"),
            Self::Store(_) if role == "root" => layout::root(version),
            Self::Store(_) => layout::metadata(version, role),
        };
        self.read(&file).await
    }

    async fn read(&self, file: &str) -> Result<Bytes, SourceError> {
        self.try_read(file).await?.ok_or_else(|| SourceError::Missing(file.to_owned()))
    }

    async fn try_read(&self, file: &str) -> Result<Option<Bytes>, SourceError> {
        match self {
            Self::Store(store) => Ok(store.read(file).await?),
            Self::Web(upstream, base) => {
                let mut url = base.clone();
                url.set_path(&format!("{}{file}", base.path()));
                match upstream.small(&url, LARGEST).await {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(UpstreamError::Status { code: 404, .. }) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }
}
