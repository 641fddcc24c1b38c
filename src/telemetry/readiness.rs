//! Whether this process should get traffic.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use serde::Serialize;

/// Named conditions that must all hold for `/readyz` to say yes.
#[derive(Debug, Default)]
pub struct Readiness {
    checks: RwLock<BTreeMap<&'static str, Result<(), String>>>,
    /// What is wrong and does not keep anybody from being served.
    notes: RwLock<BTreeMap<&'static str, String>>,
}

/// One condition, as `/readyz` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Whether it holds.
    pub ready: bool,
    /// Why it does not hold; or, of one that holds, what is wrong all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Readiness {
    /// Conditions of which none holds yet.
    pub fn requiring(names: &[&'static str]) -> Self {
        let unmet = |name: &&'static str| (*name, Err("not yet".to_owned()));
        let checks = RwLock::new(names.iter().map(unmet).collect());
        Self { checks, notes: RwLock::default() }
    }

    /// The condition holds.
    pub fn met(&self, name: &'static str) {
        self.set(name, Ok(()));
    }

    /// The condition does not hold, and why.
    pub fn unmet(&self, name: &'static str, reason: impl Into<String>) {
        self.set(name, Err(reason.into()));
    }

    /// Something is wrong, or is so no more, that does not take the process out of service.
    pub fn note(&self, name: &'static str, wrong: Option<String>) {
        let mut notes = self.notes.write().unwrap_or_else(PoisonError::into_inner);
        match wrong {
            Some(reason) => notes.insert(name, reason),
            None => notes.remove(name),
        };
    }

    /// Whether every condition holds.
    pub fn ready(&self) -> bool {
        self.checks().iter().all(|check| check.ready)
    }

    /// Every condition, by name; then every note.
    pub fn checks(&self) -> Vec<Check> {
        let checks = self.checks.read().unwrap_or_else(PoisonError::into_inner);
        let shown = |(name, state): (&&'static str, &Result<(), String>)| Check {
            name,
            ready: state.is_ok(),
            reason: state.clone().err(),
        };
        let notes = self.notes.read().unwrap_or_else(PoisonError::into_inner);
        let noted = |(name, reason): (&&'static str, &String)| Check {
            name,
            ready: true,
            reason: Some(reason.clone()),
        };
        checks.iter().map(shown).chain(notes.iter().map(noted)).collect()
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
        readiness.met("listener");
        readiness.note("store", Some("away".into()));
        assert!(readiness.ready());
        assert_eq!(readiness.checks()[2].reason.as_deref(), Some("away"));
        readiness.note("store", None);
        assert_eq!(readiness.checks().len(), 2);
    }
}
