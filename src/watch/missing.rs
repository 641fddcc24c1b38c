//! When a project that the mirror no longer has is believed to be gone: after three answers over a period,
//! while the mirror is otherwise well; many at once only on an operator's word.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::index::ProjectName;

/// So often a project must be answered to be gone.
const TIMES: u32 = 3;
/// More than this many at once, and more than this share of what is published, wait for an operator's word.
const MANY: usize = 50;
const SHARE: usize = 20;

/// The projects that seem to be gone.
pub(super) struct Missing {
    period: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seen: BTreeMap<ProjectName, Seen>,
    /// When the last withdrawals were.
    withdrawn: VecDeque<Instant>,
}

#[derive(Clone, Copy)]
struct Seen {
    first: Instant,
    last: Instant,
    times: u32,
    /// It waits for an operator's word.
    held: bool,
}

/// What to make of one more answer that a project is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is not believed yet.
    Wait,
    /// It is gone as far as the mirror is believed, but so are many.
    Hold {
        /// This is the first time that it is held.
        newly: bool,
    },
    /// It is gone.
    Believe,
}

impl Missing {
    pub(super) fn new(period: Duration) -> Self {
        Self { period, state: Mutex::default() }
    }

    /// `project` was answered at `now` not to be there. `healthy` tells whether the mirror answered other questions well since
    /// some moment; `published` is how many projects are.
    pub(super) fn note(
        &self,
        project: &ProjectName,
        now: Instant,
        healthy: impl Fn(Instant) -> bool,
        published: usize,
    ) -> Verdict {
        let mut state = self.lock();
        let fresh = Seen { first: now, last: now, times: 0, held: false };
        let seen = state.seen.entry(project.clone()).or_insert(fresh);
        seen.times = seen.times.saturating_add(1);
        seen.last = now;
        let Seen { first, times, held, .. } = *seen;
        if times < TIMES || now.duration_since(first) < self.period || !healthy(first) {
            return Verdict::Wait;
        }
        if !state.is_many(now, self.period, published) {
            return Verdict::Believe;
        }
        if let Some(seen) = state.seen.get_mut(project) {
            seen.held = true;
        }
        Verdict::Hold { newly: !held }
    }

    /// It is there. Whether it seemed to be gone.
    pub(super) fn back(&self, project: &ProjectName) -> bool {
        self.lock().seen.remove(project).is_some()
    }

    /// It was withdrawn.
    pub(super) fn withdrawn(&self, project: &ProjectName, now: Instant) {
        let mut state = self.lock();
        state.seen.remove(project);
        state.withdrawn.push_back(now);
    }

    /// How many seem to be gone.
    pub(super) fn count(&self) -> usize {
        self.lock().seen.len()
    }

    /// All that seem to be gone, where some of them wait for an operator's word; else none.
    pub(super) fn waiting(&self) -> Vec<ProjectName> {
        let state = self.lock();
        if state.seen.values().any(|seen| seen.held) {
            state.seen.keys().cloned().collect()
        } else {
            Vec::new()
        }
    }

    /// The projects that seem to be gone and do not wait for a word; when to look at the first of them again.
    pub(super) fn next_look(&self) -> Option<(Instant, Vec<ProjectName>)> {
        let state = self.lock();
        let unsure = || state.seen.iter().filter(|(_, seen)| !seen.held);
        let first = unsure().map(|(_, seen)| seen.last).min()?;
        let pause = (self.period / 2).max(Duration::from_millis(100));
        Some((first + pause, unsure().map(|(name, _)| name.clone()).collect()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_many(&mut self, now: Instant, period: Duration, published: usize) -> bool {
        while self.withdrawn.front().is_some_and(|at| now.duration_since(*at) > period) {
            self.withdrawn.pop_front();
        }
        let gone = self.seen.len() + self.withdrawn.len();
        gone > MANY && gone * SHARE > published + self.withdrawn.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(300);

    fn project(n: usize) -> ProjectName {
        ProjectName::parse(&format!("p{n}")).unwrap()
    }

    fn note(missing: &Missing, n: usize, start: Instant, after: u64) -> Verdict {
        missing.note(&project(n), start + Duration::from_secs(after), |_| true, 100)
    }

    #[test]
    fn three_answers_over_the_period_are_believed() {
        let (missing, start) = (Missing::new(PERIOD), Instant::now());
        assert_eq!(note(&missing, 1, start, 0), Verdict::Wait);
        assert_eq!(note(&missing, 1, start, 100), Verdict::Wait);
        assert_eq!(note(&missing, 1, start, 299), Verdict::Wait);
        assert_eq!(note(&missing, 1, start, 300), Verdict::Believe);
        assert_eq!(note(&missing, 2, start, 0), Verdict::Wait);
        assert_eq!(note(&missing, 2, start, 400), Verdict::Wait, "only twice");
    }

    #[test]
    fn nothing_is_believed_of_a_mirror_that_is_not_well_or_has_it_again() {
        let (missing, start) = (Missing::new(Duration::ZERO), Instant::now());
        for _ in 0..5 {
            assert_eq!(missing.note(&project(1), start, |_| false, 100), Verdict::Wait);
        }
        missing.back(&project(1));
        assert_eq!(note(&missing, 1, start, 1), Verdict::Wait);
        assert_eq!(missing.count(), 1);
    }

    #[test]
    fn many_at_once_wait_and_a_few_do_not() {
        let (missing, start) = (Missing::new(PERIOD), Instant::now());
        let many = |after| (0..60).map(|n| note(&missing, n, start, after)).collect::<Vec<_>>();
        assert!(many(0).iter().chain(&many(200)).all(|v| *v == Verdict::Wait));
        assert!(many(400).iter().all(|v| *v == Verdict::Hold { newly: true }));
        assert!(many(500).iter().all(|v| *v == Verdict::Hold { newly: false }));
        assert_eq!(missing.waiting().len(), 60);
        assert!(missing.next_look().is_none(), "they wait for a word, not for a look");
    }

    #[test]
    fn many_one_after_another_are_many() {
        let (missing, start) = (Missing::new(Duration::from_secs(10)), Instant::now());
        let mut believed = 0;
        for n in 0..60 {
            for after in [0, 5, 10] {
                if note(&missing, n, start, after) == Verdict::Believe {
                    missing.withdrawn(&project(n), start + Duration::from_secs(after));
                    believed += 1;
                }
            }
        }
        assert_eq!(believed, MANY);
    }
}
