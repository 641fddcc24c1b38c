//! Files whose bytes were wrong a moment ago: refused at once, since each client asks 6 to 8 times.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Pinned;
use crate::index::ProjectName;
use crate::tuf::Digest;

/// How long a mismatch is remembered.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);
/// So many are remembered; then the oldest goes.
const MOST: usize = 10_000;

/// A file name with the hash that it must have: another signed hash is another file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The project.
    pub project: ProjectName,
    /// The name of the file, or of what lies beside it.
    pub name: String,
    /// The signed SHA-256.
    pub digest: Digest,
}

/// The mismatches of the last minutes. Another signed length makes another file too: it may have been corrected.
#[derive(Default)]
pub(super) struct Recent(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    details: HashMap<Pinned, String>,
    /// In the order of time.
    since: VecDeque<(Instant, Pinned)>,
}

impl Recent {
    /// Remembers a mismatch; whether it is new.
    pub fn remember(&self, pinned: Pinned, detail: String, now: Instant) -> bool {
        let mut entries = self.lock();
        entries.forget_old(now);
        if entries.details.contains_key(&pinned) {
            return false;
        }
        entries.since.push_back((now, pinned.clone()));
        entries.details.insert(pinned, detail);
        true
    }

    /// What was wrong with the file, if it was a moment ago.
    pub fn detail(&self, pinned: &Pinned, now: Instant) -> Option<String> {
        let mut entries = self.lock();
        entries.forget_old(now);
        entries.details.get(pinned).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Both halves are changed together, without anything between that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn forget_old(&mut self, now: Instant) {
        let old = |since: &Instant| now.saturating_duration_since(*since) >= REMEMBERED;
        while self.since.front().is_some_and(|(since, _)| old(since)) || self.since.len() >= MOST {
            if let Some((_, pinned)) = self.since.pop_front() {
                self.details.remove(&pinned);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(n: usize) -> Pinned {
        let project = ProjectName::parse("demo").unwrap();
        let key = Key { project, name: format!("demo-{n}.whl"), digest: Digest::of(b"signed") };
        Pinned { key, length: Some(1) }
    }

    #[test]
    fn a_mismatch_is_remembered_for_five_minutes() {
        let recent = Recent::default();
        let start = Instant::now();
        assert!(recent.remember(file(1), "wrong".into(), start));
        assert!(!recent.remember(file(1), "wrong".into(), start));
        let mut other_hash = file(1);
        other_hash.key.digest = Digest::of(b"allowed");
        assert_eq!(recent.detail(&other_hash, start), None);
        let other_length = Pinned { length: Some(2), ..file(1) };
        assert_eq!(recent.detail(&other_length, start), None);
        let almost = start + REMEMBERED - Duration::from_secs(1);
        assert_eq!(recent.detail(&file(1), almost).as_deref(), Some("wrong"));
        assert_eq!(recent.detail(&file(1), start + REMEMBERED), None);
        assert!(recent.remember(file(1), "wrong".into(), start + REMEMBERED));
    }

    #[test]
    fn memory_is_bounded() {
        let recent = Recent::default();
        let now = Instant::now();
        for n in 0..MOST + 10 {
            recent.remember(file(n), String::new(), now);
        }
        let entries = recent.lock();
        assert!(entries.details.len() <= MOST);
        assert_eq!(entries.details.len(), entries.since.len());
    }
}
