//! Whether this process should get traffic.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use serde::Serialize;

/// Named conditions that must all hold for `/readyz` to say yes.
#[derive(Debug, Default)]
pub struct Readiness {
    checks: RwLock<BTreeMap<&'static str, Result<(), String>>>,
}

/// One condition, as `/readyz` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Whether it holds.
    pub ready: bool,
    /// Why it does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Readiness {
    /// Conditions of which none holds yet.
    pub fn requiring(names: &[&'static str]) -> Self {
        let unmet = |name: &&'static str| (*name, Err("not yet".to_owned()));
        Self { checks: RwLock::new(names.iter().map(unmet).collect()) }
    }

    /// The condition holds.
    pub fn met(&self, name: &'static str) {
        self.set(name, Ok(()));
    }

    /// The condition does not hold, and why.
    pub fn unmet(&self, name: &'static str, reason: impl Into<String>) {
        self.set(name, Err(reason.into()));
    }

    /// Whether every condition holds.
    pub fn ready(&self) -> bool {
        self.checks().iter().all(|check| check.ready)
    }

    /// Every condition, by name.
    pub fn checks(&self) -> Vec<Check> {
        let checks = self.checks.read().unwrap_or_else(PoisonError::into_inner);
        let shown = |(name, state): (&&'static str, &Result<(), String>)| Check {
            name,
            ready: state.is_ok(),
            reason: state.clone().err(),
        };
        checks.iter().map(shown).collect()
    }

    fn set(&self, name: &'static str, state: Result<(), String>) {
        self.checks.write().unwrap_or_else(PoisonError::into_inner).insert(name, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_ready_when_every_condition_holds() {
        let readiness = Readiness::requiring(&["repository", "listener"]);
        readiness.met("repository");
        assert!(!readiness.ready());
        readiness.met("listener");
        assert!(readiness.ready());
        readiness.unmet("listener", "draining");
        assert!(!readiness.ready());
        let reasons: Vec<_> = readiness.checks().into_iter().map(|c| (c.name, c.reason)).collect();
        assert_eq!(reasons, [("listener", Some("draining".into())), ("repository", None)]);
    }
}
