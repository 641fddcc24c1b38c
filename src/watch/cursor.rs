//! What was seen last of each page. Advice: without it pages are loaded once more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::index::ProjectName;
use crate::store::{Store, layout};
use crate::tuf::Digest;
use crate::upstream::Validators;

use super::belief::Told;

/// More pages than any index has; what is beyond is loaded whole each time.
const MOST: usize = 1_000_000;
/// Every so many polls a page is loaded unconditionally.
const AUDIT: u8 = 10;

/// What was seen last of one page, all of it published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// What to ask with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) validators: Option<Validators>,
    /// The hash of its body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Digest>,
    /// Its serial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) serial: Option<u64>,
    /// The hash of the signed page that came of it. Where another one is signed now, the rest means nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) page: Option<Digest>,
    /// Something about its files could not be found out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) gaps: bool,
    /// Something of it was refused: not kept over a restart, so that the next process reports it too.
    #[serde(skip)]
    pub(super) refused: bool,
    /// Polls since it was last loaded unconditionally.
    #[serde(skip)]
    pub(super) polls: u8,
}

/// The cursors of all pages.
#[derive(Default)]
pub(super) struct Cursors {
    pages: Mutex<HashMap<ProjectName, Cursor>>,
    changed: AtomicBool,
}

/// How the cursors lie in the store.
#[derive(Serialize, Deserialize)]
struct Saved {
    /// What they are valid for: the mirror, and how pages are written.
    of: String,
    /// The newest commit when they were written.
    commit: u64,
    told: Told,
    pages: HashMap<ProjectName, Cursor>,
}

impl Cursors {
    /// What was seen of a project which now is `signed`, or not.
    pub(super) fn get(&self, project: &ProjectName, signed: bool) -> Option<Cursor> {
        self.lock().get(project).filter(|cursor| cursor.page.is_some() == signed).cloned()
    }

    /// What was seen of a project whose signed page now has this hash, or which has none.
    pub(super) fn of_page(&self, project: &ProjectName, page: Option<Digest>) -> Option<Cursor> {
        self.lock().get(project).filter(|cursor| cursor.page == page).cloned()
    }

    /// Whether this poll of a page is to be unconditional. Counts it.
    pub(super) fn is_audit(&self, project: &ProjectName) -> bool {
        let mut pages = self.lock();
        let Some(cursor) = pages.get_mut(project) else { return true };
        cursor.polls += 1;
        cursor.polls >= AUDIT
    }

    /// A page was seen, and is published as it was seen.
    pub(super) fn set(&self, project: &ProjectName, cursor: Cursor) {
        let cursor = Cursor { polls: 0, ..cursor };
        let mut pages = self.lock();
        if pages.len() >= MOST && !pages.contains_key(project) {
            return;
        }
        if pages.get(project).is_none_or(|old| Cursor { polls: 0, ..old.clone() } != cursor) {
            self.changed.store(true, Ordering::Relaxed);
        }
        pages.insert(project.clone(), cursor);
    }

    /// The page is to be loaded whole next time.
    pub(super) fn forget(&self, project: &ProjectName) {
        if self.lock().remove(project).is_some() {
            self.changed.store(true, Ordering::Relaxed);
        }
    }

    /// Reads what was saved for `of`; gives what experience told. `commit` is the newest one.
    pub(super) async fn load(&self, store: &Store, of: &str, commit: u64) -> Option<Told> {
        let read = store.read(&layout::watch("pages")).await;
        let bytes = match read {
            Ok(bytes) => bytes?,
            Err(error) => {
                tracing::warn!(%error, "the watcher's cursors cannot be read: all pages are loaded once more");
                return None;
            }
        };
        let saved: Saved = serde_json::from_slice(&bytes).ok()?;
        // A store that was put back to an earlier state knows less than they say.
        if saved.of != of || saved.commit > commit || saved.pages.len() > MOST {
            return None;
        }
        *self.lock() = saved.pages;
        Some(saved.told)
    }

    /// Writes the cursors, where they changed. Every publication that they cover must be done.
    pub(super) async fn save(&self, store: &Store, of: &str, commit: u64, told: Told) {
        if !self.changed.swap(false, Ordering::Relaxed) {
            return;
        }
        let mut pages = self.lock().clone();
        pages.retain(|_, cursor| !cursor.refused);
        let saved = Saved { of: of.to_owned(), commit, told, pages };
        let bytes = tokio::task::spawn_blocking(move || serde_json::to_vec(&saved)).await;
        let Ok(Ok(bytes)) = bytes else { return };
        if let Err(error) = store.put(&layout::watch("pages"), bytes).await {
            self.changed.store(true, Ordering::Relaxed);
            tracing::warn!(%error, "the watcher's cursors cannot be written; trying again later");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProjectName, Cursor>> {
        // A map of advice.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> ProjectName {
        ProjectName::parse("a").unwrap()
    }

    #[tokio::test]
    async fn cursors_come_back_only_for_what_they_were_written_for() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let cursors = Cursors::default();
        let cursor = Cursor { serial: Some(7), body: Some(Digest::of(b"x")), ..Cursor::default() };
        cursors.set(&project(), cursor.clone());
        cursors.save(&store, "this", 5, Told::default()).await;
        for (of, commit, expected) in
            [("this", 5, true), ("this", 9, true), ("other", 5, false), ("this", 4, false)]
        {
            let read = Cursors::default();
            assert_eq!(read.load(&store, of, commit).await.is_some(), expected);
            assert_eq!(read.get(&project(), false), expected.then(|| cursor.clone()));
        }
        store.put(&layout::watch("pages"), "{\"of\":").await.unwrap();
        assert!(Cursors::default().load(&store, "this", 5).await.is_none());
    }

    #[test]
    fn every_tenth_poll_is_unconditional() {
        let cursors = Cursors::default();
        assert!(cursors.is_audit(&project()), "nothing is known yet");
        cursors.set(&project(), Cursor::default());
        let audits = (0..10).filter(|_| cursors.is_audit(&project())).count();
        assert_eq!(audits, 1);
    }
}
