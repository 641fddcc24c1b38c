//! Whether the mirror's serials and validators tell when a page changes. They only ever save work.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde::{Deserialize, Serialize};

use crate::index::{ListedProject, ProjectName};
use crate::upstream::Validators;

/// Fewer projects than this are looked at without regard to serials.
pub(super) const FEW: usize = 20;
/// ETags that are remembered, to see whether pages share one.
const MOST_ETAGS: usize = 200_000;
/// A file that changed so short a time ago may change again without a newer date, seconds.
const SETTLED: i64 = 2;

/// What is believed.
#[derive(Default)]
pub(super) struct Beliefs {
    state: Mutex<State>,
    hasher: RandomState,
}

#[derive(Default)]
struct State {
    told: Told,
    /// ETag to the project that was seen with it, both hashed.
    etags: HashMap<u64, u64>,
    shared: HashSet<u64>,
}

/// What experience told; kept over restarts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    /// A page had the serial that the list gave it.
    #[serde(default)]
    serials_agreed: bool,
    /// A page changed, and its serial did not.
    #[serde(default)]
    serials_lied: bool,
    /// A page changed, and its validators did not.
    #[serde(default)]
    validators_lied: bool,
}

impl Beliefs {
    /// What experience told so far.
    pub(super) fn told(&self) -> Told {
        self.lock().told.clone()
    }

    pub(super) fn restore(&self, told: Told) {
        self.lock().told = told;
    }

    /// Whether the serials of this list tell which pages changed.
    pub(super) fn serials(&self, list: &[ListedProject]) -> bool {
        let state = self.lock();
        if list.len() < FEW || !state.told.serials_agreed || state.told.serials_lied {
            return false;
        }
        // Some mirrors give every project the same.
        let first = list.first().and_then(|p| p.serial);
        list.iter().any(|p| p.serial != first)
    }

    /// A page has the serial `page`, and the list gave it `listed`.
    pub(super) fn compare(&self, page: Option<u64>, listed: Option<u64>) {
        if page.is_some() && page == listed {
            self.lock().told.serials_agreed = true;
        }
    }

    /// A page changed while its serial stayed.
    pub(super) fn serial_lied(&self, project: &ProjectName) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.told.serials_lied, true) {
            tracing::warn!(%project, "a page changed and its serial did not: serials are no longer believed");
        }
    }

    /// A page changed while its validators stayed.
    pub(super) fn validators_lied(&self, project: &ProjectName) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.told.validators_lied, true) {
            tracing::warn!(
                %project,
                "a page changed and its ETag and date did not: conditional requests are no longer believed"
            );
        }
    }

    /// Notes the validators of a page that was loaded at `now`; those to ask with next time.
    pub(super) fn usable(
        &self,
        project: &ProjectName,
        validators: &Validators,
        now: Timestamp,
    ) -> Option<Validators> {
        let none = validators.etag.is_none() && validators.last_modified.is_none();
        if none || !is_settled(validators, now) {
            return None;
        }
        self.note(project, validators);
        self.allowed(validators)
    }

    /// `validators`, unless experience speaks against them.
    pub(super) fn allowed(&self, validators: &Validators) -> Option<Validators> {
        let state = self.lock();
        let shared = validators
            .etag
            .as_ref()
            .is_some_and(|etag| state.shared.contains(&self.hasher.hash_one(etag)));
        (!shared && !state.told.validators_lied).then(|| validators.clone())
    }

    /// Some mirrors send one ETag with every page.
    fn note(&self, project: &ProjectName, validators: &Validators) {
        let Some(etag) = &validators.etag else { return };
        let (key, owner) = (self.hasher.hash_one(etag), self.hasher.hash_one(project));
        let mut state = self.lock();
        if state.etags.len() >= MOST_ETAGS {
            state.etags.clear();
        }
        if *state.etags.entry(key).or_insert(owner) != owner
            && state.shared.len() < MOST_ETAGS
            && state.shared.insert(key)
        {
            tracing::info!(%project, etag, "two pages have the same ETag: it is not asked with");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the page was not just being changed: dates, and ETags that are made of them, count whole seconds.
pub(super) fn is_settled(validators: &Validators, now: Timestamp) -> bool {
    let Some(date) = &validators.last_modified else { return true };
    match rfc2822::DateTimeParser::new().parse_timestamp(date.trim()) {
        Ok(changed) => (now.as_second() - changed.as_second()).abs() > SETTLED,
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(name: &str) -> ProjectName {
        ProjectName::parse(name).unwrap()
    }

    fn etag(etag: &str) -> Validators {
        Validators { etag: Some(etag.into()), last_modified: None }
    }

    #[test]
    fn an_etag_that_pages_share_is_not_asked_with() {
        let beliefs = Beliefs::default();
        let now = Timestamp::now();
        assert!(beliefs.usable(&project("a"), &etag("1"), now).is_some());
        assert!(beliefs.usable(&project("b"), &etag("2"), now).is_some());
        assert!(beliefs.usable(&project("a"), &etag("1"), now).is_some());
        assert_eq!(beliefs.usable(&project("b"), &etag("1"), now), None);
        assert_eq!(beliefs.allowed(&etag("1")), None);
        assert!(beliefs.allowed(&etag("2")).is_some());
        beliefs.validators_lied(&project("a"));
        assert_eq!(beliefs.allowed(&etag("2")), None);
    }

    #[test]
    fn a_date_of_just_now_is_no_validator() {
        let beliefs = Beliefs::default();
        let validators =
            Validators { etag: None, last_modified: Some("Sun, 22 Nov 2026 13:43:52 GMT".into()) };
        let changed: Timestamp = "2026-11-22T13:43:52Z".parse().unwrap();
        let later = |s| changed + jiff::SignedDuration::from_secs(s);
        assert_eq!(beliefs.usable(&project("a"), &validators, later(1)), None);
        assert!(beliefs.usable(&project("a"), &validators, later(3)).is_some());
    }

    #[test]
    fn serials_are_believed_once_they_agreed_and_until_they_lie() {
        let list = |serial: fn(u64) -> u64| -> Vec<ListedProject> {
            let listed =
                |n| ListedProject { name: project(&format!("p{n}")), serial: Some(serial(n)) };
            (0..FEW as u64).map(listed).collect()
        };
        let beliefs = Beliefs::default();
        beliefs.compare(Some(1), Some(2));
        beliefs.compare(None, None);
        assert!(!beliefs.serials(&list(|n| n)));
        beliefs.compare(Some(1), Some(1));
        assert!(beliefs.serials(&list(|n| n)));
        assert!(!beliefs.serials(&list(|_| 1)), "a constant tells nothing");
        beliefs.serial_lied(&project("p1"));
        assert!(!beliefs.serials(&list(|n| n)));
    }
}
