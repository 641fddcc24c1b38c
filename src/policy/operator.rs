//! What an operator withdraws, and gives back.

use crate::index::{ProjectName, ProjectPage};
use crate::repository::{Blocked, Decision, Edit, PageChange, ProjectBase};

/// Takes a project, or one file of it, out of what is signed, and keeps it out.
#[derive(Debug, Clone)]
pub struct Block {
    /// The project.
    pub project: ProjectName,
    /// The one file, or all of them.
    pub filename: Option<String>,
}

/// Takes a block back. What was withdrawn comes back with the next look at the project.
#[derive(Debug, Clone)]
pub struct Unblock {
    /// The project.
    pub project: ProjectName,
    /// The one file, or all blocks of the project.
    pub filename: Option<String>,
}

impl Edit for Block {
    fn project(&self) -> &ProjectName {
        &self.project
    }

    fn filenames(&self) -> Vec<String> {
        Vec::new()
    }

    fn decide(&self, base: &ProjectBase) -> Decision {
        let blocked = match (&base.blocked, &self.filename) {
            (_, None) | (Blocked::Project, _) => Blocked::Project,
            (Blocked::Nothing, Some(name)) => Blocked::Files(vec![name.clone()]),
            (Blocked::Files(names), Some(name)) => {
                let mut names = names.clone();
                names.push(name.clone());
                names.sort();
                names.dedup();
                Blocked::Files(names)
            }
        };
        let page = match (&blocked, base.page.as_deref()) {
            (Blocked::Project, _) => PageChange::Withdraw,
            (Blocked::Files(names), Some(page)) => {
                PageChange::Replace(Box::new(without(page, names)))
            }
            _ => PageChange::Keep,
        };
        let blocked = (blocked != base.blocked).then_some(blocked);
        Decision { page, blocked, ..Decision::default() }
    }
}

impl Edit for Unblock {
    fn project(&self) -> &ProjectName {
        &self.project
    }

    fn filenames(&self) -> Vec<String> {
        Vec::new()
    }

    fn decide(&self, base: &ProjectBase) -> Decision {
        let left = match (&base.blocked, &self.filename) {
            (_, None) => Blocked::Nothing,
            (Blocked::Files(names), Some(name)) => {
                let left: Vec<_> = names.iter().filter(|n| *n != name).cloned().collect();
                if left.is_empty() { Blocked::Nothing } else { Blocked::Files(left) }
            }
            (other, Some(_)) => other.clone(),
        };
        let blocked = (left != base.blocked).then_some(left);
        Decision { blocked, ..Decision::default() }
    }
}

fn without(page: &ProjectPage, names: &[String]) -> ProjectPage {
    let mut page = page.clone();
    page.files.retain(|file| !names.contains(&file.filename));
    page
}
