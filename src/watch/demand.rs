//! Looks that somebody asks for: clients, uploads, webhooks.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use crate::index::ProjectName;
use crate::telemetry::{LookOutcome, Trigger};

use super::wish::{Looked, Wish};
use super::{Asked, Watch, WatchError};

/// When after an upload is looked: some mirrors publish late.
const AFTER: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];

impl Watch {
    /// What a client asks for that is not published.
    pub(super) async fn ask(&self, project: &ProjectName) -> Asked {
        if let Some(asked) = self.negative.get(project).await {
            return asked;
        }
        let limit = self.config.watch.on_demand_timeout;
        let asked = timeout(limit, self.look_for(project)).await.unwrap_or(Asked::TimedOut);
        if matches!(asked, Asked::Unknown | Asked::Failed(_)) {
            self.negative.insert(project.clone(), asked.clone()).await;
        }
        asked
    }

    async fn look_for(&self, project: &ProjectName) -> Asked {
        let patience = self.config.watch.on_demand_timeout * 2 / 3;
        let wish = Wish { patience, ..Wish::anew(Trigger::Demand) };
        // One that is under way will do, unless it leaves open why nothing came of it.
        if let Some(current) = self.flights.current(project)
            && let Ok(looked) = current.await
            && let Some(asked) = self.asked(project, looked).await
        {
            return asked;
        }
        match self.look(project, wish).await {
            Ok(looked) => self.asked(project, looked).await.unwrap_or(Asked::Unknown),
            Err(_) => Asked::Failed(WatchError::Stopping),
        }
    }

    async fn asked(&self, project: &ProjectName, looked: Looked) -> Option<Asked> {
        match self.is_published(project).await {
            Ok(true) => return Some(Asked::Published),
            Ok(false) => {}
            Err(error) => return Some(Asked::Failed(error)),
        }
        match (looked.error, looked.outcome) {
            (Some(error), _) => Some(Asked::Failed(error)),
            (None, LookOutcome::NotFound | LookOutcome::Withdrawn) => Some(Asked::Unknown),
            _ => None,
        }
    }

    /// A file was uploaded.
    pub(super) fn uploaded(&self, project: Option<ProjectName>) {
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        let number = uploads.entry(project.clone()).and_modify(|n| *n += 1).or_default();
        self.tracker.spawn(self.clone().look_after_upload(project, *number));
    }

    /// Looks again and again, until a later upload does.
    async fn look_after_upload(self, project: Option<ProjectName>, number: u64) {
        let start = Instant::now();
        for pause in AFTER {
            tokio::select! {
                () = sleep_until(start + pause) => {}
                () = self.stop.cancelled() => return,
            }
            if pause > Duration::ZERO && !self.is_last_upload(&project, number) {
                return;
            }
            self.look_because(&project, Trigger::Upload).await;
        }
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        if uploads.get(&project) == Some(&number) {
            uploads.remove(&project);
        }
    }

    fn is_last_upload(&self, project: &Option<ProjectName>, number: u64) -> bool {
        let uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        uploads.get(project) == Some(&number)
    }

    /// Somebody says that a project changed, or that something did.
    pub(super) fn changed(&self, project: Option<ProjectName>) {
        let watch = self.clone();
        self.tracker.spawn(async move { watch.look_because(&project, Trigger::Webhook).await });
    }

    async fn look_because(&self, project: &Option<ProjectName>, trigger: Trigger) {
        match project {
            Some(project) => {
                self.negative.invalidate(project).await;
                // Broken off where the process stops.
                let _ = self.look(project, Wish::new(trigger)).await;
            }
            None => self.wake.notify_one(),
        }
    }
}
