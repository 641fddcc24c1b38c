//! What time it is: handed to those who sign and collect, so that tests can turn it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// A clock. Cheap to clone; clones go together.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    System,
    /// One that stands still until it is set; milliseconds since 1970.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `time`.
    pub fn at(time: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(time.as_millisecond())))
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Manual(time) => {
                Timestamp::from_millisecond(time.load(Ordering::Relaxed)).unwrap_or_default()
            }
        }
    }

    /// Sets a clock that stands still; the machine's stays as it is.
    pub fn set(&self, to: Timestamp) {
        if let Self::Manual(time) = self {
            time.store(to.as_millisecond(), Ordering::Relaxed);
        }
    }
}
