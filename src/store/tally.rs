//! Counts and times what is asked of the store.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::{Created, StoreError};
use crate::telemetry::{Metrics, StoreOperation, StoreOutcome};

/// Where operations are counted, if anywhere.
#[derive(Clone, Default)]
pub(super) struct Tally(pub Option<Arc<Metrics>>);

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "counted" } else { "not counted" })
    }
}

impl Tally {
    /// An operation that begins now. It is counted when it is dropped, if its outcome is known by then.
    pub fn begin(&self, operation: StoreOperation) -> Underway {
        Underway { tally: self.clone(), operation, began: Instant::now(), outcome: None }
    }
}

/// One operation.
pub(super) struct Underway {
    tally: Tally,
    operation: StoreOperation,
    began: Instant,
    outcome: Option<StoreOutcome>,
}

impl Underway {
    /// Says how it went; the last word counts.
    pub fn became(&mut self, outcome: StoreOutcome) {
        self.outcome = Some(outcome);
    }

    /// Ends it.
    pub fn end<T: Outcome>(mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        self.became(result.as_ref().map_or(StoreOutcome::Error, Outcome::outcome));
        result
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let (Some(metrics), Some(outcome)) = (&self.tally.0, self.outcome) else { return };
        metrics.store_operations.of((self.operation, outcome)).inc();
        metrics.store_duration.of(self.operation).observe(self.began.elapsed().as_secs_f64());
        metrics.store_up.set(i64::from(outcome != StoreOutcome::Error));
    }
}

/// What an operation that did not fail gave.
pub(super) trait Outcome {
    /// As it is counted.
    fn outcome(&self) -> StoreOutcome {
        StoreOutcome::Ok
    }
}

impl Outcome for () {}
impl Outcome for u64 {}
impl<T> Outcome for Vec<T> {}

impl<T> Outcome for Option<T> {
    fn outcome(&self) -> StoreOutcome {
        self.as_ref().map_or(StoreOutcome::Missing, |_| StoreOutcome::Ok)
    }
}

impl Outcome for Created {
    fn outcome(&self) -> StoreOutcome {
        match self {
            Self::New => StoreOutcome::Ok,
            Self::Taken => StoreOutcome::Taken,
        }
    }
}
