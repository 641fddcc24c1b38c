//! The online keys of a process. Which of them may sign what, root and bins say.
//!
//! Each configured URI is opened by itself: one key that is away, or a file that is damaged, keeps no other from signing.
//! [`Keyring::look`] takes up what changed since: a file that was replaced, a key that is back.

mod files;
mod keeper;
mod measured;

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Mutex;

use super::{KeyUri, Opening, Signer, SignerError};
use crate::telemetry::Metrics;
use crate::tuf::KeyId;
use keeper::Keeper;

/// The keys that are loaded now. Cheap to clone; all clones see the same keys.
#[derive(Clone)]
pub struct Keyring(Arc<Inner>);

struct Inner {
    loaded: ArcSwap<Vec<Arc<dyn Signer>>>,
    /// Of a key that is configured and away: why.
    away: ArcSwapOption<SignerError>,
    /// Opens the configured keys; none where keys were handed in.
    keeper: Option<Mutex<Keeper>>,
}

impl Keyring {
    /// These keys, and never others.
    pub fn of(signers: Vec<Arc<dyn Signer>>) -> Self {
        Self(Arc::new(Inner {
            loaded: ArcSwap::from_pointee(signers),
            away: ArcSwapOption::empty(),
            keeper: None,
        }))
    }

    /// Opens the keys that `uris` name. One that is away is tried again at each [`Self::look`], one that cannot be used is
    /// logged.
    ///
    /// # Errors
    /// The first [`SignerError`], where no key can be used and none is merely away.
    pub async fn open(
        uris: Vec<KeyUri>,
        how: Opening,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Arc<SignerError>> {
        let mut keeper = Keeper::new(uris, how, metrics);
        keeper.look(&|_| false).await;
        let nothing = keeper.loaded().is_empty() && keeper.away().is_none();
        if let Some(error) = keeper.refused().filter(|_| nothing) {
            return Err(error);
        }
        keeper.say();
        let (loaded, away) = (keeper.loaded(), keeper.away());
        Ok(Self(Arc::new(Inner {
            loaded: ArcSwap::from_pointee(loaded),
            away: ArcSwapOption::new(away),
            keeper: Some(Mutex::new(keeper)),
        })))
    }

    /// Takes up what changed: loads files whose content is another, tries again what was away. A key that is gone from its
    /// file stays as long as `needed` says that it may still be asked to sign. Gives what is wrong.
    pub async fn look(&self, needed: &(dyn Fn(&KeyId) -> bool + Send + Sync)) -> Option<String> {
        let mut keeper = self.0.keeper.as_ref()?.lock().await;
        keeper.look(needed).await;
        keeper.say();
        self.0.loaded.store(Arc::new(keeper.loaded()));
        self.0.away.store(keeper.away());
        keeper.wrong()
    }

    /// The keys that are loaded now.
    pub fn signers(&self) -> Arc<Vec<Arc<dyn Signer>>> {
        self.0.loaded.load_full()
    }

    /// Why a configured key is not loaded that may be back soon.
    pub fn away(&self) -> Option<Arc<SignerError>> {
        self.0.away.load_full()
    }

    /// Takes these keys in place of those that were loaded.
    pub fn replace(&self, signers: Vec<Arc<dyn Signer>>) {
        self.0.loaded.store(Arc::new(signers));
    }
}

#[cfg(test)]
mod tests;
