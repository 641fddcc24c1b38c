//! Polling: the project list, then the pages that may have changed.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use tokio::time::{sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::index::{ListedProject, ProjectName};
use crate::telemetry::Trigger;

use super::Watch;
use super::list::{List, ListLook};
use super::wish::Wish;

/// Looks that may wait for their publication together: what piles up while one publication is under way goes out with the next.
const TOGETHER: usize = 512;
/// Of this many projects one is looked at in each poll whatever its serial says, but not more than [`MOST_AUDITS`].
const AUDITED: usize = 20;
const MOST_AUDITS: usize = 50;
/// The longest pause while the mirror is down, unless the interval is longer.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// Polls of the list by the replica that polls, to one by each of the others.
const STAND_BY: u32 = 10;
/// How long the end waits for looks that are under way.
const LAST: Duration = Duration::from_secs(10);

impl Watch {
    /// Polls until `shutdown`.
    pub(super) async fn run(&self, shutdown: &CancellationToken) {
        self.lease.renew().await;
        tokio::select! {
            () = self.keep_polling() => {}
            () = self.keep_lease() => {}
            () = shutdown.cancelled() => {}
        }
        self.stop.cancel();
        self.tracker.close();
        if timeout(LAST, self.tracker.wait()).await.is_err() {
            tracing::info!("some looks at the mirror are broken off");
        }
        if self.lease.is_held() {
            self.save().await;
        }
        self.lease.release().await;
    }

    async fn keep_lease(&self) {
        loop {
            sleep(self.lease.pause()).await;
            self.lease.renew().await;
        }
    }

    async fn keep_polling(&self) {
        loop {
            self.load().await;
            if self.lease.is_held() {
                self.poll_while_held().await;
            } else {
                self.stand_by().await;
            }
        }
    }

    /// Another replica polls. The list is looked at now and then all the same, since clients ask for it here, too.
    async fn stand_by(&self) {
        while !self.lease.is_held() {
            self.look_at_list().await;
            tokio::select! {
                () = sleep(self.config.watch.interval * STAND_BY) => {}
                () = self.lease.taken.notified() => {}
                () = self.wake.notified() => {
                    self.poll(None).await;
                }
            }
        }
    }

    async fn poll_while_held(&self) {
        let mut failures = 0;
        let mut trigger = Some(Trigger::Start);
        loop {
            failures = match self.poll(trigger.take()).await {
                true => 0,
                false => failures + 1,
            };
            if !self.lease.is_held() {
                return;
            }
            self.save().await;
            let next = Instant::now() + self.pause_after(failures);
            while let Some(recheck) = self.wait(next).await {
                if let ListLook::Known(_) | ListLook::None = self.look_at_list().await {
                    let wish = || Wish::new(Trigger::Retry);
                    self.pass(recheck.into_iter().map(|project| (project, wish())).collect()).await;
                }
            }
        }
    }

    /// Waits until `next`, or until somebody says that something changed: `None`. Or until projects that seem to be gone should be
    /// looked at again: these.
    async fn wait(&self, next: Instant) -> Option<Vec<ProjectName>> {
        let missing = self.missing.next_look();
        let (at, projects) = match missing {
            // What cannot be looked at now is not asked for without a pause.
            Some((at, projects)) if at < next => {
                (at.max(Instant::now() + Duration::from_millis(100)), Some(projects))
            }
            _ => (next, None),
        };
        tokio::select! {
            () = sleep_until(at.into()) => projects,
            () = self.wake.notified() => None,
        }
    }

    /// Polls once; whether the mirror answered.
    pub(super) async fn poll(&self, trigger: Option<Trigger>) -> bool {
        let due = match self.look_at_list().await {
            ListLook::Known(list) => self.due(&list, trigger),
            ListLook::None => self.due(&List { projects: Vec::new(), whole: false }, trigger),
            ListLook::Down => return false,
        };
        tracing::debug!(pages = due.len(), "polling");
        self.pass(due).await;
        !self.health.is_failing()
    }

    /// Looks at each, as long as the mirror answers.
    async fn pass(&self, due: Vec<(ProjectName, Wish)>) {
        let look = |(project, wish)| async move {
            if !self.health.is_failing() {
                // Broken off where the process stops.
                let _ = self.look(&project, wish).await;
            }
        };
        stream::iter(due).for_each_concurrent(TOGETHER, look).await;
    }

    /// The pages that may have changed.
    fn due(&self, list: &List, trigger: Option<Trigger>) -> Vec<(ProjectName, Wish)> {
        let serials = self.beliefs.serials(&list.projects);
        let published = self.published().clone();
        let turn = self.polls.fetch_add(1, Ordering::Relaxed);
        let mut due = Vec::new();
        for (at, listed) in list.projects.iter().enumerate() {
            let signed = published.contains(&listed.name);
            let kind = match trigger {
                Some(trigger) => trigger,
                None if !signed => Trigger::List,
                None if serials => Trigger::Serial,
                None => Trigger::Poll,
            };
            let audit = serials && is_audited(turn, at, list.projects.len());
            if serials && !audit && self.is_told(listed, signed) {
                continue;
            }
            let whole = audit || self.cursors.is_audit(&listed.name);
            due.push((listed.name.clone(), Wish::poll(kind, whole, listed.serial)));
        }
        let listed = |name: &ProjectName| {
            list.projects.binary_search_by(|listed| listed.name.cmp(name)).is_ok()
        };
        for name in published.into_iter().filter(|name| !listed(name)) {
            let kind = trigger.unwrap_or(if list.whole { Trigger::List } else { Trigger::Poll });
            let whole = self.cursors.is_audit(&name);
            due.push((name, Wish::poll(kind, whole, None)));
        }
        due
    }

    /// Whether the page's serial says that it is as it was seen.
    fn is_told(&self, listed: &ListedProject, signed: bool) -> bool {
        let Some(cursor) = self.cursors.get(&listed.name, signed) else { return false };
        let same = listed.serial.is_some() && cursor.serial == listed.serial;
        same && !(cursor.gaps && self.cursors.is_audit(&listed.name))
    }

    /// Until the next poll, after so many failed ones in a row: a little less than the interval, or longer.
    fn pause_after(&self, failures: u32) -> Duration {
        let interval = self.config.watch.interval;
        let mut byte = [0];
        // Without randomness there is no jitter.
        let _ = getrandom::fill(&mut byte);
        let jitter = interval.mul_f64(f64::from(byte[0]) / 2560.0);
        let longer = interval.saturating_mul(1 << failures.min(4)).min(LONGEST.max(interval));
        let wanted = self.health.pause().unwrap_or_default();
        longer.saturating_sub(jitter).max(wanted)
    }

    /// Takes up where the last process stopped.
    pub(super) async fn load(&self) {
        if let Err(error) = self.note_all_published().await {
            tracing::error!(%error, "cannot list what is published");
        }
        let commit = self.repository.published().base.commit;
        let told = self.cursors.load(&self.store, &self.fingerprint(), commit).await;
        self.beliefs.restore(told.unwrap_or_default());
    }

    pub(super) async fn save(&self) {
        let commit = self.repository.published().base.commit;
        let told = self.beliefs.told();
        self.cursors.save(&self.store, &self.fingerprint(), commit, told).await;
    }

    /// What the cursors are valid for: the mirror, what is taken from it, and how it is written.
    fn fingerprint(&self) -> String {
        let config = &self.config;
        let root = &self.repository.published().base.root.signed.version;
        format!(
            "{} {} {:?} {:?} {} {} {root}",
            env!("CARGO_PKG_VERSION"),
            self.upstream.simple_url(),
            config.upstream.origins,
            config.targets,
            config.html,
            config.tuf_prefix,
        )
    }
}

/// Whether it is the turn of the project at `at` among `count`.
fn is_audited(turn: usize, at: usize, count: usize) -> bool {
    let each = (count / AUDITED).clamp(1, MOST_AUDITS);
    let start = turn.wrapping_mul(each) % count.max(1);
    (at + count - start) % count.max(1) < each
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_project_has_its_turn() {
        for count in [1, 7, 20, 333, 5000] {
            let each = (count / AUDITED).clamp(1, MOST_AUDITS);
            let turns = count.div_ceil(each);
            for at in 0..count {
                assert!((0..turns).any(|turn| is_audited(turn, at, count)), "{at} of {count}");
            }
            let audited = (0..count).filter(|at| is_audited(3, *at, count)).count();
            assert_eq!(audited, each);
        }
    }
}
