//! The journal: every commit from the first, each with the next number.

use futures::StreamExt as _;

use crate::store::layout;

use super::super::restore::BY;
use super::super::{Commit, Journal, RepositoryError};
use super::{REPORT, RESTORE, SERVE, Stop, Summary, Walk};

/// A restore begins anew at the Unix time. Its commit is made at that time, give or take, seconds.
const RESTORE_TIME: u64 = 3600;

impl Walk<'_> {
    /// Checks every commit.
    pub(super) async fn journal(&self, summary: &mut Summary) -> Result<(), Stop> {
        let journal = match Journal::open(self.store.clone()).await {
            Ok(journal) => journal,
            Err(RepositoryError::Missing) => {
                self.damage(layout::JOURNAL, "there is no commit", RESTORE);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let mut commits = journal.from(1);
        let (mut last, mut snapshot, mut missing) = (0, 0, 0);
        while let Some(commit) = commits.next().await {
            let number = match &commit {
                Ok(commit) => commit.number,
                Err(RepositoryError::Damaged { object, reason }) => {
                    self.damage(object, reason, RESTORE);
                    let file = object.rsplit('/').next().unwrap_or_default();
                    layout::number(file).unwrap_or(last + 1)
                }
                Err(error) => return Err(error.clone().into()),
            };
            if number != last + 1 {
                missing += number - last - 1;
                if !commit.as_ref().is_ok_and(|commit| last > 0 && begins_anew(commit)) {
                    let first = layout::commit(last + 1);
                    let problem = match number - last - 1 {
                        1 => "it is missing".to_owned(),
                        more => format!("it and those up to {} are missing", last + more),
                    };
                    self.damage(&first, problem, RESTORE);
                }
            }
            if let Ok(commit) = &commit {
                self.commit(commit, snapshot);
                snapshot = commit.snapshot.version;
            }
            last = number;
            summary.commits += 1;
            self.progress("journal", summary.commits, journal.newest() - missing);
        }
        if last > summary.commit && summary.commit > 0 {
            let problem = format!("no timestamp shows it yet; the newest shows {}", summary.commit);
            self.warn(&layout::commit(last), problem, SERVE);
        }
        if last < summary.commit {
            self.damage(&layout::commit(last), "a timestamp shows a later commit", RESTORE);
        }
        Ok(())
    }

    fn commit(&self, commit: &Commit, snapshot: u64) {
        let name = layout::commit(commit.number);
        if commit.nonce.is_empty() {
            self.damage(&name, "it has no nonce", REPORT);
        }
        if commit.snapshot.version <= snapshot {
            let version = commit.snapshot.version;
            let problem = format!("its snapshot {version} is not above {snapshot}, the one before");
            self.damage(&name, problem, REPORT);
        }
    }
}

/// Whether the numbers may begin anew with `commit`: a restore made it, or it has the number that one gives, the Unix time.
fn begins_anew(commit: &Commit) -> bool {
    let at = u64::try_from(commit.at.as_second()).unwrap_or_default();
    commit.by.ends_with(BY) || commit.number.abs_diff(at) <= RESTORE_TIME
}
