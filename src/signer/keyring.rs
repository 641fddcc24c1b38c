//! The online keys of a process. Which of them may sign what, root and bins say.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Signer;

/// The keys that are loaded now. Cheap to clone; all clones see the same keys.
#[derive(Clone)]
pub struct Keyring(Arc<ArcSwap<Vec<Arc<dyn Signer>>>>);

impl Keyring {
    /// These keys.
    pub fn of(signers: Vec<Arc<dyn Signer>>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(signers)))
    }

    /// The keys that are loaded now.
    pub fn signers(&self) -> Arc<Vec<Arc<dyn Signer>>> {
        self.0.load_full()
    }

    /// Takes these keys in place of those that were loaded.
    pub fn replace(&self, signers: Vec<Arc<dyn Signer>>) {
        self.0.store(Arc::new(signers));
    }
}
