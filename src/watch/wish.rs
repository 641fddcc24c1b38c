//! What a look is to do, and what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::policy::Allowance;
use crate::repository::Receipt;
use crate::telemetry::{LookOutcome, Trigger};
use crate::tuf::Digest;

use super::WatchError;

/// How long a look waits for what the mirror does not say of its files.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a look is to do.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) trigger: Trigger,
    /// Load the page even if the mirror would say that it has not changed.
    pub(super) whole: bool,
    /// Take the page apart even if it is the same as before.
    pub(super) anew: bool,
    /// The serial that the project list gives.
    pub(super) listed: Option<u64>,
    /// How long to wait for what the mirror does not say of its files.
    pub(super) patience: Duration,
    /// An operator's word on files.
    pub(super) allowances: Vec<Allowance>,
    /// An operator's word that a project which is gone is meant to be.
    pub(super) withdraw: bool,
}

/// What came of a look.
#[derive(Debug, Clone)]
pub(super) struct Looked {
    pub(super) outcome: LookOutcome,
    pub(super) error: Option<WatchError>,
    pub(super) receipt: Option<Arc<Receipt>>,
    /// What the mirror has under the names of the wish's allowances.
    pub(super) found: BTreeMap<String, Found>,
}

/// What the mirror has under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Bytes of this hash.
    Hash(Digest),
    /// Something that is not taken, and why.
    Held(String),
}

impl Wish {
    pub(super) fn new(trigger: Trigger) -> Self {
        Self {
            trigger,
            whole: true,
            anew: false,
            listed: None,
            patience: PATIENCE,
            allowances: Vec::new(),
            withdraw: false,
        }
    }

    /// A look that may find out quickly that nothing changed.
    pub(super) fn poll(trigger: Trigger, whole: bool, listed: Option<u64>) -> Self {
        Self { whole, listed, ..Self::new(trigger) }
    }

    /// A look that takes the page apart whatever was seen before.
    pub(super) fn anew(trigger: Trigger) -> Self {
        Self { anew: true, ..Self::new(trigger) }
    }

    /// One look for both.
    pub(super) fn merge(&mut self, other: Self) {
        self.whole |= other.whole;
        self.anew |= other.anew;
        self.listed = self.listed.max(other.listed);
        self.patience = self.patience.max(other.patience);
        self.allowances.extend(other.allowances);
        self.withdraw |= other.withdraw;
    }
}

impl Looked {
    pub(super) fn new(outcome: LookOutcome) -> Self {
        Self { outcome, error: None, receipt: None, found: BTreeMap::new() }
    }

    pub(super) fn failed(outcome: LookOutcome, error: impl Into<WatchError>) -> Self {
        Self { error: Some(error.into()), ..Self::new(outcome) }
    }
}
