//! What was verified, and what it cost.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of one process. Shared by reference.
#[derive(Debug, Default)]
pub struct Tally {
    /// Bytes of metadata that came over the network, as they were sent.
    pub metadata: Count,
    /// Project pages verified.
    pub pages: Count,
    /// Files verified, core metadata among them.
    pub files: Count,
    /// Bytes of verified files and pages handed out.
    pub bytes: Count,
    /// Requests refused because a check failed.
    pub refused: Count,
}

/// One count.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
