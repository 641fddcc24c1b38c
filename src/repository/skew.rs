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

    /// The store just dated something `date`.
    pub(super) fn compare(&self, date: Timestamp) -> Result<(), RepositoryError> {
        let now = self.now();
        let skew = date.duration_since(now);
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
