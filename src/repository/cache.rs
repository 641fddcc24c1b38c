//! What is kept in memory of the store: one budget in bytes for all kinds.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use moka::future::Cache;

use crate::index::{Links, ProjectName, ProjectPage, Sources};
use crate::tuf::{Digest, Signed, Targets};

use super::{Document, Encoding, RepositoryError};

/// What a cached value belongs to. All but sources are immutable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum CacheKey {
    Metadata(u64, String),
    Page(Digest),
    Encoded(Digest, Encoding),
    Bin(u64, String),
    Model(Digest),
    Sources(ProjectName),
}

#[derive(Debug, Clone)]
pub(super) enum Cached {
    Document(Arc<Document>),
    Encoded(Bytes),
    Bin(Arc<Signed<Targets>>, u32),
    Model(Arc<ProjectPage>, Arc<Links>, u32),
    Sources(Arc<Sources>, u32),
}

/// What every entry costs beside its bytes, roughly.
const ENTRY: u32 = 256;
/// How much larger decoded JSON is than its text, roughly.
pub(super) const DECODED: u32 = 3;

impl Cached {
    fn weight(&self) -> u32 {
        let bytes = match self {
            Self::Document(document) => document.bytes.len().try_into().unwrap_or(u32::MAX),
            Self::Encoded(bytes) => bytes.len().try_into().unwrap_or(u32::MAX),
            Self::Bin(_, text) | Self::Model(_, _, text) | Self::Sources(_, text) => {
                text.saturating_mul(DECODED)
            }
        };
        bytes.saturating_add(ENTRY)
    }
}

/// The cache.
#[derive(Clone)]
pub(super) struct Memory(Cache<CacheKey, Cached>);

impl Memory {
    /// A cache of `bytes` bytes.
    pub(super) fn new(bytes: u64) -> Self {
        Self(Cache::builder().max_capacity(bytes).weigher(|_, v: &Cached| v.weight()).build())
    }

    /// The value of `key`; loaded by `load`, once for all who ask meanwhile. What is absent is not kept.
    pub(super) async fn get(
        &self,
        key: CacheKey,
        load: impl Future<Output = Result<Option<Cached>, RepositoryError>>,
    ) -> Result<Option<Cached>, RepositoryError> {
        let load = async {
            let loaded = load.await.map_err(Some)?;
            loaded.ok_or(None::<RepositoryError>)
        };
        let loaded = self.0.try_get_with(key, load);
        match loaded.await {
            Ok(value) => Ok(Some(value)),
            Err(error) => match &*error {
                None => Ok(None),
                Some(error) => Err(error.clone()),
            },
        }
    }

    pub(super) async fn put(&self, key: CacheKey, value: Cached) {
        self.0.insert(key, value).await;
    }

    pub(super) async fn forget(&self, key: &CacheKey) {
        self.0.invalidate(key).await;
    }
}
