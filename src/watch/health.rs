//! Whether the mirror answers, as far as our own requests tell.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::index::ProjectName;
use crate::telemetry::{Metrics, UpstreamOutcome};
use crate::upstream::{PageReply, UpstreamError};

/// So many failures in a row are the mirror's, not a page's.
const FAILING: u32 = 5;

/// What our requests tell of the mirror.
pub(super) struct Health {
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Transient failures since the last answer.
    failures: u32,
    list_good: Option<Instant>,
    list_failed: Option<Instant>,
    /// The last two projects whose pages came, the newest last.
    good: Vec<(ProjectName, Instant)>,
    paused: Option<Instant>,
}

impl Health {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, state: Mutex::default() }
    }

    /// A page was asked for.
    pub(super) fn page(&self, project: &ProjectName, reply: &Result<PageReply, UpstreamError>) {
        self.count(reply);
        if matches!(reply, Ok(PageReply::Fresh(_) | PageReply::NotModified)) {
            let mut state = self.lock();
            state.good.retain(|(other, _)| other != project);
            state.good.push((project.clone(), Instant::now()));
            let surplus = state.good.len().saturating_sub(2);
            state.good.drain(..surplus);
        }
    }

    /// The project list was asked for; `usable` where it was one.
    pub(super) fn list(&self, reply: &Result<PageReply, UpstreamError>, usable: bool) {
        self.count(reply);
        let mut state = self.lock();
        match usable {
            true => state.list_good = Some(Instant::now()),
            false => state.list_failed = Some(Instant::now()),
        }
    }

    /// Something else was asked for.
    pub(super) fn other<T>(&self, reply: &Result<T, UpstreamError>) {
        let outcome = reply.as_ref().err().map_or(UpstreamOutcome::Ok, outcome_of);
        self.metrics.upstream_requests.of(outcome).inc();
    }

    /// Whether the list or another project's page was answered well after `since`, and the list is not failing.
    pub(super) fn others_good_since(&self, project: &ProjectName, since: Instant) -> bool {
        let state = self.lock();
        let after = |at: &Instant| *at > since;
        let other = state.good.iter().any(|(name, at)| name != project && after(at));
        let list = state.list_good.as_ref().is_some_and(after);
        (other || list) && state.list_failed <= state.list_good.or(state.list_failed)
    }

    /// Whether the mirror seems to be down.
    pub(super) fn is_failing(&self) -> bool {
        let state = self.lock();
        state.failures >= FAILING || state.paused.is_some_and(|until| until > Instant::now())
    }

    /// How long the mirror wants to be left alone.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.lock().paused.and_then(|until| until.checked_duration_since(Instant::now()))
    }

    fn count(&self, reply: &Result<PageReply, UpstreamError>) {
        let outcome = match reply {
            Ok(PageReply::Fresh(_)) => UpstreamOutcome::Ok,
            Ok(PageReply::NotModified) => UpstreamOutcome::NotModified,
            Ok(PageReply::Gone(crate::upstream::Gone::Elsewhere(_))) => UpstreamOutcome::Redirect,
            Ok(PageReply::Gone(_)) => UpstreamOutcome::NotFound,
            Err(error) => outcome_of(error),
        };
        self.metrics.upstream_requests.of(outcome).inc();
        let mut state = self.lock();
        match reply {
            Err(error) if error.is_transient() => {
                state.failures = state.failures.saturating_add(1);
                if let UpstreamError::BusyUntil { wait, .. } = error {
                    state.paused = state.paused.max(Instant::now().checked_add(*wait));
                }
                if state.failures >= FAILING {
                    self.metrics.upstream_up.set(0);
                }
            }
            _ => {
                state.failures = 0;
                self.metrics.upstream_up.set(1);
                let now = Timestamp::now().as_millisecond() as f64 / 1000.0;
                self.metrics.upstream_last_success.set(now);
            }
        }
    }

    /// The mirror does not answer at all.
    pub(super) fn down(&self) {
        self.metrics.upstream_up.set(0);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn outcome_of(error: &UpstreamError) -> UpstreamOutcome {
    match error {
        UpstreamError::LoginWanted { .. } => UpstreamOutcome::Denied,
        UpstreamError::BusyUntil { code: 429, .. } | UpstreamError::Status { code: 429, .. } => {
            UpstreamOutcome::Throttled
        }
        UpstreamError::BusyUntil { .. } => UpstreamOutcome::ServerError,
        UpstreamError::Status { code: 404 | 410, .. } => UpstreamOutcome::NotFound,
        UpstreamError::Status { code: 400..=499, .. } => UpstreamOutcome::ClientError,
        UpstreamError::Status { code: 500.., .. } => UpstreamOutcome::ServerError,
        UpstreamError::Connect { .. } | UpstreamError::Tls { .. } => UpstreamOutcome::Connect,
        UpstreamError::Timeout { .. } => UpstreamOutcome::Timeout,
        UpstreamError::TooLarge { .. } => UpstreamOutcome::Oversize,
        UpstreamError::RedirectRefused { .. } | UpstreamError::OriginRefused { .. } => {
            UpstreamOutcome::Redirect
        }
        _ => UpstreamOutcome::Protocol,
    }
}
