//! What was refused is reported once, not with every look that finds it again.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use crate::index::ProjectName;
use crate::repository::{Receipt, Refused};
use crate::telemetry::{Metrics, Refusal};

/// Projects with refusals that are remembered.
const MOST: usize = 10_000;

/// Reports refusals.
pub(super) struct Reports {
    metrics: Arc<Metrics>,
    /// What the last look at a project refused, hashed.
    last: Mutex<HashMap<ProjectName, HashSet<u64>>>,
    /// What was wrong with the project list.
    list: Mutex<Option<String>>,
    hasher: RandomState,
}

impl Reports {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, last: Mutex::default(), list: Mutex::default(), hasher: RandomState::new() }
    }

    /// What a look at one project's page took and refused.
    pub(super) fn receipt(&self, project: &ProjectName, receipt: &Receipt) {
        self.refused(project, &receipt.refused);
        for (filename, old, new) in &receipt.allowed {
            let old = old.map(|old| old.to_string()).unwrap_or_default();
            tracing::warn!(%project, filename, old, %new, commit = receipt.commit, "other bytes were let in by an operator's word");
        }
    }

    fn refused(&self, project: &ProjectName, refused: &[Refused]) {
        let known = self.replace(project, refused.iter().map(|r| self.key(r)).collect());
        for refused in refused.iter().filter(|r| !known.contains(&self.key(r))) {
            let Some(reason) = Refusal::ALL.iter().find(|r| r.as_str() == refused.reason) else {
                continue;
            };
            let subject = refused.filename.as_deref().unwrap_or("the page");
            self.metrics.refusals.report(*reason, project.as_str(), subject, &detail(refused));
        }
    }

    /// The whole page was refused, or could not be loaded.
    pub(super) fn page(&self, project: &ProjectName, reason: Refusal, url: &str, why: &str) {
        let key = self.hasher.hash_one((reason, why));
        if self.replace(project, HashSet::from([key])).contains(&key) {
            self.metrics.refusals.count(reason);
        } else {
            self.metrics.refusals.report(reason, project.as_str(), url, why);
        }
    }

    /// The project list is none, or could not be loaded.
    pub(super) fn list(&self, url: &str, why: &str) {
        let mut last = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_deref() == Some(why) {
            self.metrics.refusals.count(Refusal::ListMalformed);
        } else {
            self.metrics.refusals.report(Refusal::ListMalformed, "", url, why);
            *last = Some(why.to_owned());
        }
    }

    pub(super) fn list_is_good(&self) {
        *self.list.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn key(&self, refused: &Refused) -> u64 {
        let Refused { project: _, filename, reason, expected, found } = refused;
        self.hasher.hash_one((filename, reason, expected, found))
    }

    fn replace(&self, project: &ProjectName, new: HashSet<u64>) -> HashSet<u64> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if new.is_empty() {
            return last.remove(project).unwrap_or_default();
        }
        if last.len() >= MOST {
            last.clear();
        }
        last.insert(project.clone(), new).unwrap_or_default()
    }
}

fn detail(refused: &Refused) -> String {
    match (&refused.expected, &refused.found) {
        (Some(expected), Some(found)) => format!("expected SHA-256 {expected}, found {found}"),
        (_, Some(found)) => found.clone(),
        _ => String::new(),
    }
}
