//! What was refused: one place that counts it, logs it and remembers it for the status page.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use prometheus::IntCounterVec;

use super::metrics::Family;
use super::reason::Refusal;

/// So many different refusals are remembered.
const REMEMBERED: usize = 100;

/// Counts, logs and remembers refusals.
pub struct Refusals {
    counters: Family<IntCounterVec, Refusal>,
    recent: Mutex<VecDeque<Refused>>,
}

/// One thing that was refused, perhaps more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Refusal,
    /// The project, or "" where none is concerned.
    pub project: String,
    /// The file name, URL or path.
    pub subject: String,
    /// What was expected and what was found.
    pub detail: String,
    /// How often with this detail, since it was first remembered.
    pub times: u64,
    /// The last time.
    pub last: Timestamp,
}

impl Refusals {
    pub(super) fn new(counters: Family<IntCounterVec, Refusal>) -> Self {
        Self { counters, recent: Mutex::default() }
    }

    /// Counts one refusal, remembers it and writes a warning: the first time, the second, the fourth and so on,
    /// since clients and polls can repeat one without end.
    ///
    /// `subject` is a file name, URL or path; `detail` says what was expected and what was found. Neither may
    /// hold credentials.
    pub fn report(&self, reason: Refusal, project: &str, subject: &str, detail: &str) {
        self.counters.of(reason).inc();
        let [project, subject, detail] = [project, subject, detail].map(shorten);
        let times = self.remember(reason, &project, &subject, &detail);
        let reason = reason.as_str();
        if times.is_power_of_two() {
            tracing::warn!(reason, project, subject, detail, times, "refused");
        } else {
            tracing::debug!(reason, project, subject, detail, times, "refused");
        }
    }

    /// Counts one refusal and no more: for what clients can cause at will.
    pub fn count(&self, reason: Refusal) {
        self.counters.of(reason).inc();
    }

    /// The most recent refusals, newest first; at most 100.
    pub fn recent(&self) -> Vec<Refused> {
        self.lock().iter().rev().cloned().collect()
    }

    /// Returns how often this was refused with this detail.
    fn remember(&self, reason: Refusal, project: &str, subject: &str, detail: &str) -> u64 {
        let mut new = Refused {
            reason,
            project: project.into(),
            subject: subject.into(),
            detail: detail.into(),
            times: 1,
            last: Timestamp::now(),
        };
        let same = |r: &Refused| {
            (r.reason, &r.project, &r.subject) == (new.reason, &new.project, &new.subject)
        };
        let mut recent = self.lock();
        let before = recent.iter().position(same).and_then(|at| recent.remove(at));
        // Another detail, such as another hash, is news.
        new.times += before.filter(|r| r.detail == new.detail).map_or(0, |r| r.times);
        let times = new.times;
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(new);
        times
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Refused>> {
        // A list of past refusals is whole at every moment: a panic elsewhere does not spoil it.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The upstream chooses these texts: bound what is logged and kept of each.
fn shorten(text: &str) -> String {
    text.chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use crate::telemetry::{Metrics, Refusal};

    #[test]
    fn a_refusal_is_counted_each_time_and_remembered_once_with_its_newest_detail() {
        let metrics = Metrics::new().unwrap();
        let refusals = &metrics.refusals;
        refusals.report(Refusal::ChangedHash, "a", "a-1.whl", "old");
        refusals.report(Refusal::BadName, "b", &"x".repeat(1000), "");
        refusals.report(Refusal::BadName, "b", &"x".repeat(1000), "");
        refusals.report(Refusal::ChangedHash, "a", "a-1.whl", "new");
        let recent = refusals.recent();
        let seen: Vec<_> = recent.iter().map(|r| (r.reason, r.times, &*r.detail)).collect();
        assert_eq!(seen, [(Refusal::ChangedHash, 1, "new"), (Refusal::BadName, 2, "")]);
        let text = metrics.encode().unwrap();
        assert!(text.contains("countersign_refusals_total{reason=\"changed-hash\"} 2\n"));
    }

    #[test]
    fn memory_for_refusals_is_bounded() {
        let metrics = Metrics::new().unwrap();
        for n in 0..1000 {
            metrics.refusals.report(Refusal::BadName, "p", &format!("{n}"), "");
        }
        let recent = metrics.refusals.recent();
        assert_eq!(recent.len(), 100);
        assert_eq!(recent.first().unwrap().subject, "999");
    }
}
