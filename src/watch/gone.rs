//! A project that the mirror says it does not have.

use std::sync::Arc;
use std::time::Instant;

use crate::index::ProjectName;
use crate::repository::Edit;
use crate::telemetry::{LookOutcome, Refusal};

use super::cursor::Cursor;
use super::look::Began;
use super::missing::Verdict;
use super::wish::{Looked, Wish};
use super::{Watch, WatchError};

impl Watch {
    /// The mirror says that `project` is not there; `edit` is what that means once it is believed.
    pub(super) async fn gone(
        &self,
        project: &ProjectName,
        wish: &Wish,
        edit: Arc<dyn Edit>,
        how: &str,
        began: Began,
    ) -> Result<Looked, WatchError> {
        if !self.is_published(project).await? {
            self.back(project);
            if wish.listed.is_some() {
                // Listed, and not there: its serial tells when that changes.
                let cursor = Cursor { serial: wish.listed, ..Cursor::default() };
                self.cursors.set(project, cursor);
            }
            return Ok(Looked::new(LookOutcome::NotFound));
        }
        // It is looked at again whatever its serial says.
        self.cursors.forget(project);
        let now = Instant::now();
        let healthy = |since| self.health.others_good_since(project, since);
        let verdict = self.missing.note(project, now, healthy, self.published_count());
        self.count_missing();
        match verdict {
            _ if wish.withdraw => {}
            Verdict::Believe => {}
            Verdict::Wait => {
                tracing::info!(%project, how, "a project seems to be gone; looking again before that is believed");
                return Ok(Looked::new(LookOutcome::Pending));
            }
            Verdict::Hold { newly } => {
                if newly {
                    self.report_many(project, how);
                }
                return Ok(Looked::new(LookOutcome::Pending));
            }
        }
        let receipt = self.publish_seen(project, edit, began).await?;
        self.missing.withdrawn(project, Instant::now());
        self.count_missing();
        tracing::warn!(%project, how, commit = receipt.commit, "a project is withdrawn");
        let receipt = Some(Arc::new(receipt));
        Ok(Looked { receipt, ..Looked::new(LookOutcome::Withdrawn) })
    }

    /// It is there.
    pub(super) fn back(&self, project: &ProjectName) {
        if self.missing.back(project) {
            tracing::info!(%project, "a project that seemed to be gone is there again");
            self.count_missing();
        }
    }

    fn count_missing(&self) {
        self.metrics
            .withdrawals_pending
            .set(i64::try_from(self.missing.count()).unwrap_or(i64::MAX));
    }

    fn report_many(&self, project: &ProjectName, how: &str) {
        let detail = "many projects seem to be gone at once: if that is meant, say `countersign allow --withdrawals`";
        self.metrics.refusals.report(Refusal::MassWithdrawal, project.as_str(), how, detail);
    }
}
