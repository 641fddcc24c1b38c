//! When each timestamp was written: what was superseded less than a grace period ago is still answered, and nothing older.
//!
//! T* is the highest-numbered timestamp that is older than the grace period. What it names was current within the grace
//! period or is so still; garbage collection deletes only what is below.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// The timestamps from T* on, with the dates that the store gives them.
pub(super) struct Horizon {
    grace: Duration,
    seen: Mutex<VecDeque<(u64, Timestamp)>>,
}

impl Horizon {
    pub(super) fn new(grace: Duration) -> Self {
        Self { grace, seen: Mutex::default() }
    }

    pub(super) fn grace(&self) -> Duration {
        self.grace
    }

    /// Timestamp `number` was written at `date`.
    pub(super) fn note(&self, number: u64, date: Timestamp) {
        let mut seen = self.lock();
        let at = seen.partition_point(|(known, _)| *known < number);
        if seen.get(at).is_none_or(|(known, _)| *known != number) {
            seen.insert(at, (number, date));
        }
    }

    /// T*, at `now` by the store's clock; `None` where all that ever was is young. Forgets what is older.
    pub(super) fn last_before_grace(&self, now: Timestamp) -> Option<u64> {
        let limit = now.checked_sub(self.grace).ok()?;
        let mut seen = self.lock();
        let at = seen.iter().rposition(|(_, date)| *date < limit)?;
        seen.drain(..at);
        seen.front().map(|(number, _)| *number)
    }

    /// The timestamp that came after `number`, as far as is known.
    pub(super) fn after(&self, number: u64) -> Option<u64> {
        self.lock().iter().map(|(known, _)| *known).find(|known| *known > number)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, Timestamp)>> {
        // Whole between any two statements.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_past_the_grace_period_counts() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let horizon = Horizon::new(Duration::from_secs(10));
        for (number, date) in [(3, 130), (1, 100), (2, 110), (2, 999)] {
            horizon.note(number, at(date));
        }
        assert_eq!(horizon.last_before_grace(at(110)), None);
        assert_eq!(horizon.last_before_grace(at(111)), Some(1));
        assert_eq!(horizon.last_before_grace(at(139)), Some(2));
        assert_eq!((horizon.after(1), horizon.after(3)), (Some(2), None));
        assert_eq!(horizon.last_before_grace(at(500)), Some(3));
        assert_eq!(horizon.last_before_grace(at(500)), Some(3));
    }
}
