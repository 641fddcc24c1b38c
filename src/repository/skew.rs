//! Whether the clock can be right. With a wrong one, signatures would expire too early or live too long.
//!
//! Wrong is a clock that differs from the store's date by more than five minutes; without such a date (a local folder has
//! this machine's own), one that lies that far behind what was published last.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

use crate::config::ClockCheck;
use crate::telemetry::Metrics;
use crate::time::Clock;

use super::RepositoryError;

/// How far clocks may be apart.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// This machine's clock, and what is known of its error.
#[derive(Clone)]
pub(super) struct Watch {
    clock: Clock,
    check: ClockCheck,
    metrics: Arc<Metrics>,
    /// What must be added to this machine's time to have the store's, milliseconds.
    skew: Arc<AtomicI64>,
}

impl Watch {
    pub(super) fn new(clock: Clock, check: ClockCheck, metrics: Arc<Metrics>) -> Self {
        Self { clock, check, metrics, skew: Arc::default() }
    }

    /// This machine's time.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The store's time, as far as is known.
    pub(super) fn store_now(&self) -> Timestamp {
        let skew = SignedDuration::from_millis(self.skew.load(Ordering::Relaxed));
        let now = self.now();
        now.checked_add(skew).unwrap_or(now)
    }

    /// The store dated `date` what was written to it between `began` and now.
    ///
    /// That may have been long, where this process was stopped or the store was slow: the date tells within which bounds the
    /// error is, and what was known before is kept where it lies between them.
    pub(super) fn compare(&self, began: Timestamp, date: Timestamp) -> Result<(), RepositoryError> {
        let (least, most) = (date.duration_since(self.now()), date.duration_since(began));
        let known = SignedDuration::from_millis(self.skew.load(Ordering::Relaxed));
        let skew = known.min(most).max(least);
        self.skew.store(i64::try_from(skew.as_millis()).unwrap_or(0), Ordering::Relaxed);
        self.metrics.clock_skew.set(-skew.as_secs_f64());
        self.judge(skew.abs() <= TOLERANCE, "the store", date)
    }

    /// Something was published at `published`, by whoever's clock.
    pub(super) fn not_before(&self, published: Timestamp) -> Result<(), RepositoryError> {
        let behind = published.duration_since(self.now());
        self.judge(behind <= TOLERANCE, "what was published last", published)
    }

    fn judge(
        &self,
        right: bool,
        what: &'static str,
        other: Timestamp,
    ) -> Result<(), RepositoryError> {
        self.metrics.clock_wrong.set((!right).into());
        match right || self.check == ClockCheck::Trust {
            true => Ok(()),
            false => Err(RepositoryError::Clock { now: self.now(), what, other }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_wait_is_no_wrong_clock() {
        let at = |minutes: i64| Timestamp::from_second(minutes * 60).unwrap();
        let clock = Clock::at(at(100));
        let metrics = Arc::new(Metrics::new().unwrap());
        let watch = Watch::new(clock.clone(), ClockCheck::Check, metrics);
        // Written at once, answered after an hour.
        assert!(watch.compare(at(40), at(40)).is_ok());
        assert_eq!(watch.store_now(), at(100));
        assert!(watch.compare(at(100), at(97)).is_ok());
        assert_eq!(watch.store_now(), at(97));
        // Nothing contradicts what is known.
        assert!(watch.compare(at(60), at(80)).is_ok());
        assert_eq!(watch.store_now(), at(97));
        assert!(watch.compare(at(99), at(93)).is_err());
        assert!(watch.compare(at(99), at(106)).is_err());
        assert_eq!(watch.store_now(), at(106));
    }
}
