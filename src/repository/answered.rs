//! Which metadata is answered: what is published, and what was superseded less than a grace period ago.

use std::sync::Arc;

use crate::config::Lost;
use crate::store::layout;
use crate::tuf::Snapshot;

use super::cache::{CacheKey, Cached};
use super::published::Published;
use super::reader::document;
use super::{Document, Repository, RepositoryError, load};

/// Roots that may have come since the last look; what is beyond is not asked for.
const ROOTS_AHEAD: u64 = 16;

impl Repository {
    /// `<version>.<role>.json`, where it is published, or was superseded less than a grace period ago.
    ///
    /// # Errors
    /// [`RepositoryError`] where the store fails.
    pub async fn metadata(
        &self,
        version: u64,
        role: &str,
    ) -> Result<Option<Arc<Document>>, RepositoryError> {
        if role == "root" {
            return self.root(version).await;
        }
        let ask = |published: Arc<Published>| async move {
            let base = &published.base;
            let newest = match role {
                "snapshot" => Some(base.snapshot.signed.version),
                role => base.version_of(role),
            };
            match newest {
                // What lies above the newest is an orphan, or not there.
                Some(newest) if version > newest => Ok(None),
                Some(newest) if version == newest && role == "snapshot" => {
                    Ok(Some(base.snapshot_document.clone()))
                }
                Some(newest) if version == newest => {
                    let known = self.is_stale() || self.is_lost();
                    let stored = self.stored(version, role).await?;
                    // After the read, too: this process may have slept meanwhile.
                    if !known && self.is_stale() {
                        self.look().await?;
                        let young = version >= self.oldest(role).await?;
                        return Ok(stored.filter(|_| young));
                    }
                    Ok(stored)
                }
                Some(_) => {
                    let stored = self.stored(version, role).await?;
                    // After the read: what was collected may have been written anew.
                    let young = stored.is_some() && version >= self.oldest(role).await?;
                    Ok(stored.filter(|_| young))
                }
                None => Ok(None),
            }
        };
        self.ask_again(ask).await
    }

    /// The version of `role` that was the newest a grace period ago.
    pub(super) async fn oldest(&self, role: &str) -> Result<u64, RepositoryError> {
        let Some(mut number) = self.0.horizon.last_before_grace(self.0.watch.store_now()) else {
            return Ok(1);
        };
        loop {
            let published = self.published();
            if number >= published.timestamp.signed.version {
                return Ok(version_in(&published.base.snapshot.signed, role));
            }
            let mut oldest = self.0.oldest.lock().await;
            if let Some((_, snapshot)) = oldest.as_ref().filter(|(of, _)| *of == number) {
                return Ok(version_in(&snapshot.signed, role));
            }
            if let Some(snapshot) = load::snapshot_of(&self.0.store, number).await? {
                let version = version_in(&snapshot.signed, role);
                *oldest = Some((number, snapshot));
                return Ok(version);
            }
            // Collected: this clock is behind, so that a later one is T* already; or this process has slept.
            let Some(next) = self.0.horizon.after(number) else { return Ok(u64::MAX) };
            number = next;
        }
    }

    async fn root(&self, version: u64) -> Result<Option<Arc<Document>>, RepositoryError> {
        let newest = self.published().base.root.clone();
        let known = newest.signed.version;
        let most = if self.0.store.is_shared() { known + ROOTS_AHEAD } else { known };
        if version > most {
            return Ok(None);
        }
        match self.stored(version, "root").await {
            // A store that is lost loses nothing that is in memory.
            Err(_) if version == known => Ok(Some(Arc::new(Document::new(newest.to_bytes()?)))),
            // Clients ask for the next root before the timestamp: who gives the one must answer the other.
            Err(_) if version > known && self.0.lost == Lost::Serve => Ok(None),
            answer => answer,
        }
    }

    async fn stored(
        &self,
        version: u64,
        role: &str,
    ) -> Result<Option<Arc<Document>>, RepositoryError> {
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
}

/// The version of `role` that belongs to `snapshot`.
fn version_in(snapshot: &Snapshot, role: &str) -> u64 {
    match role {
        "snapshot" => snapshot.version,
        role => snapshot.meta.get(&format!("{role}.json")).map_or(1, |meta| meta.version),
    }
}
