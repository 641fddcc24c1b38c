//! Which commit touched a project last: a look at the upstream counts for a publication only if it began after that one was
//! read. Otherwise of two looks at once the older one could be published last.

use std::collections::HashMap;

use crate::index::ProjectName;

use super::commit::Commit;

/// Projects remembered, at the most.
const MOST: usize = 100_000;

/// The commits that were read since the start.
#[derive(Debug, Default)]
pub(super) struct Touched {
    last: HashMap<ProjectName, u64>,
    /// Of what was touched up to this commit nothing is known any more.
    floor: u64,
}

impl Touched {
    /// `commit` was read.
    pub(super) fn read(&mut self, commit: &Commit) {
        for record in &commit.projects {
            self.note(&record.project, commit.number);
        }
    }

    /// Commit `number` touched `project`.
    pub(super) fn note(&mut self, project: &ProjectName, number: u64) {
        if self.last.len() >= MOST && !self.last.contains_key(project) {
            self.forget(number);
        }
        let last = self.last.entry(project.clone()).or_default();
        *last = number.max(*last);
    }

    /// Commits up to `number` were passed over unread.
    pub(super) fn forget(&mut self, number: u64) {
        self.last.clear();
        self.floor = number.max(self.floor);
    }

    /// The commit that makes a look stale that began when `seen` was the newest commit that had been read.
    pub(super) fn since(&self, project: &ProjectName, seen: u64) -> Option<u64> {
        let last = self.last.get(project).copied().unwrap_or_default().max(self.floor);
        (last > seen).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_stale_once_a_later_commit_touched_its_project() {
        let project = |name| ProjectName::parse(name).unwrap();
        let mut touched = Touched::default();
        touched.note(&project("a"), 5);
        assert_eq!(touched.since(&project("a"), 4), Some(5));
        assert_eq!(touched.since(&project("a"), 5), None);
        assert_eq!(touched.since(&project("b"), 0), None);
        touched.forget(7);
        assert_eq!(touched.since(&project("b"), 6), Some(7));
        assert_eq!(touched.since(&project("b"), 7), None);
    }
}
