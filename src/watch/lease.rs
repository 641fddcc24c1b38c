//! Which of several replicas polls the mirror: one is enough. Advice alone: nothing breaks where two do, or none does for
//! a while, since every replica looks at what clients, uploads and webhooks name.
//!
//! Who polls writes a sign of life from time to time. Who sees none for a whole term, by its own clock, takes over.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::store::{Store, StoreError, layout};

/// Signs of life in a term.
const BEATS: u32 = 3;

/// This replica's part in the lease.
pub(super) struct Lease {
    store: Store,
    term: Duration,
    /// Tells this process from others.
    id: String,
    beat: AtomicU64,
    held: AtomicBool,
    /// The other replica's last sign of life, and when it was seen first.
    other: Mutex<Option<(Bytes, Instant)>>,
    /// Wakes who waits for the lease.
    pub(super) taken: Notify,
}

impl Lease {
    /// Held from the start where nobody else can be there.
    pub(super) fn new(store: Store, term: Duration) -> Self {
        let mut id = [0; 8];
        // Without randomness the process's number must do.
        let _ = getrandom::fill(&mut id);
        Self {
            held: AtomicBool::new(!store.is_shared()),
            id: format!("{}-{}", hex::encode(id), std::process::id()),
            store,
            term,
            beat: AtomicU64::new(0),
            other: Mutex::default(),
            taken: Notify::new(),
        }
    }

    /// Whether this replica polls.
    pub(super) fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// Until the next sign of life.
    pub(super) fn pause(&self) -> Duration {
        self.term / BEATS
    }

    /// Gives a sign of life, or looks for the other's; takes the lease where there is none.
    pub(super) async fn renew(&self) {
        if !self.store.is_shared() {
            return;
        }
        match self.try_to_hold().await {
            Ok(held) => {
                if self.held.swap(held, Ordering::Relaxed) != held {
                    tracing::info!(polls = held, "which replica polls the mirror has changed");
                    self.taken.notify_one();
                }
            }
            // What cannot be published need not be polled; but others may be no better off.
            Err(error) => tracing::debug!(%error, "the lease cannot be renewed"),
        }
    }

    async fn try_to_hold(&self) -> Result<bool, StoreError> {
        let name = layout::watch("lease");
        let found = self.store.read(&name).await?;
        if found.is_some_and(|found| !self.is_ours(&found) && self.is_alive(found)) {
            return Ok(false);
        }
        let beat = self.beat.fetch_add(1, Ordering::Relaxed);
        self.store.put(&name, format!("{} {beat}", self.id)).await?;
        // Of two that take it at once the later one has it.
        Ok(self.store.read(&name).await?.is_some_and(|found| self.is_ours(&found)))
    }

    fn is_ours(&self, sign: &[u8]) -> bool {
        sign.starts_with(self.id.as_bytes())
    }

    /// Whether the other replica has changed its sign of life within a term.
    fn is_alive(&self, sign: Bytes) -> bool {
        let mut other = self.other.lock().unwrap_or_else(PoisonError::into_inner);
        match &*other {
            Some((known, since)) if *known == sign => since.elapsed() < self.term,
            _ => {
                *other = Some((sign, Instant::now()));
                true
            }
        }
    }

    /// Lets another replica take over at once.
    pub(super) async fn release(&self) {
        if self.store.is_shared() && self.held.swap(false, Ordering::Relaxed) {
            // Where that fails it runs out.
            let _ = self.store.delete(vec![layout::watch("lease")]).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn one_holds_it_until_it_is_released_or_silent_for_a_term() {
        let store = Store::over_shared(Arc::new(InMemory::new()));
        let term = Duration::from_millis(200);
        let (a, b) = (Lease::new(store.clone(), term), Lease::new(store, term));
        a.renew().await;
        b.renew().await;
        assert!(a.is_held() && !b.is_held());
        a.release().await;
        b.renew().await;
        a.renew().await;
        assert!(!a.is_held() && b.is_held());
        // b gives no sign of life.
        tokio::time::sleep(term).await;
        a.renew().await;
        assert!(a.is_held());
        b.renew().await;
        assert!(!b.is_held());
    }

    #[tokio::test]
    async fn alone_it_is_always_held() {
        let folder = tempfile::tempdir().unwrap();
        let lease = Lease::new(Store::open(folder.path()).unwrap(), Duration::from_secs(1));
        lease.renew().await;
        assert!(lease.is_held());
    }
}
