//! A project that is gone.

use crate::index::ProjectName;
use crate::repository::{Decision, Edit, PageChange, ProjectBase};

/// Withdraws a project's page. Its names retire: they keep their bytes should they come back.
#[derive(Debug, Clone)]
pub struct Withdrawal {
    /// The project.
    pub project: ProjectName,
}

impl Edit for Withdrawal {
    fn project(&self) -> &ProjectName {
        &self.project
    }

    fn filenames(&self) -> Vec<String> {
        Vec::new()
    }

    fn decide(&self, _: &ProjectBase) -> Decision {
        Decision { page: PageChange::Withdraw, ..Decision::default() }
    }
}
