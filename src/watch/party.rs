//! Which projects have errands under way.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::index::ProjectName;

/// The projects with errands under way.
#[derive(Clone, Default)]
pub(super) struct Parties(Arc<Mutex<HashSet<ProjectName>>>);

/// Errands of one project; under way until it is dropped.
pub(super) struct Party {
    parties: Parties,
    project: ProjectName,
}

impl Parties {
    /// Begins errands for `project`, unless some are under way.
    pub(super) fn begin(&self, project: &ProjectName) -> Option<Party> {
        let begun = self.lock().insert(project.clone());
        begun.then(|| Party { parties: self.clone(), project: project.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<ProjectName>> {
        // Whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        self.parties.lock().remove(&self.project);
    }
}
