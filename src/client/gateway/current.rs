//! The newest verified view of the repository.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::client::{ClientError, RemoteError, Updater, View};
use crate::time::Clock;
use crate::tuf::Flaw;

/// After a refresh without which nothing can be answered, the next one comes sooner.
const SOON: Duration = Duration::from_secs(5);

/// Refreshes when it is asked, but once an interval at the most. Cheap to clone.
#[derive(Clone)]
pub(super) struct Current(Arc<Inner>);

struct Inner {
    updater: Updater,
    interval: Duration,
    /// How long is waited for a refresh, where there is something to go on with.
    patience: Duration,
    clock: Clock,
    last: Mutex<Option<Last>>,
    /// One refresh at a time: who comes meanwhile shares it.
    turn: tokio::sync::Mutex<()>,
}

/// The last refresh.
#[derive(Clone)]
struct Last {
    began: Instant,
    /// When it came out: what takes long is not due again the moment it ends.
    ended: Instant,
    outcome: Outcome,
}

/// What came of it.
#[derive(Clone)]
enum Outcome {
    Fresh(View),
    /// It could not be had; this was verified before.
    Stale(View, ClientError),
    /// A check failed: what was verified before is out of use until a refresh fails no check.
    Refused(ClientError, Option<View>),
    /// It could not be had, and nothing was verified before.
    Nothing(ClientError),
}

/// A verified view, and whether it is the newest.
pub(super) struct Standing {
    pub view: View,
    /// Why it could not be refreshed.
    pub stale: Option<ClientError>,
}

impl Current {
    pub fn new(updater: Updater, interval: Duration, patience: Duration, clock: Clock) -> Self {
        let (last, turn) = (Mutex::default(), tokio::sync::Mutex::default());
        Self(Arc::new(Inner { updater, interval, patience, clock, last, turn }))
    }

    /// The view, refreshed where the interval is over.
    ///
    /// # Errors
    /// Where the last refresh failed a check, the view has expired, or there is none.
    pub async fn view(&self) -> Result<Standing, ClientError> {
        self.look(Inner::is_due).await
    }

    /// The view by a refresh that began after `moment`.
    ///
    /// # Errors
    /// As [`Current::view`].
    pub async fn view_after(&self, moment: Instant) -> Result<Standing, ClientError> {
        self.look(move |_, last| last.began < moment).await
    }

    async fn look(
        &self,
        due: impl Fn(&Inner, &Last) -> bool + Send + Sync + 'static,
    ) -> Result<Standing, ClientError> {
        let before = self.0.last();
        if let Some(last) = before.as_ref().filter(|last| !due(&self.0, last)) {
            return self.0.standing(last);
        }
        let this = self.0.clone();
        // In a task of its own: who waits for it may go away.
        let refreshed = tokio::spawn(async move { this.refreshed(due).await });
        let refreshed = async { refreshed.await.unwrap_or_else(|error| Err(broken(&error))) };
        tokio::pin!(refreshed);
        match timeout(self.0.patience, &mut refreshed).await {
            Ok(standing) => standing,
            Err(late) => match self.0.meanwhile(before, broken(&late)).await {
                Some(standing) => Ok(standing),
                None => refreshed.await,
            },
        }
    }
}

impl Inner {
    async fn refreshed(&self, due: impl Fn(&Self, &Last) -> bool) -> Result<Standing, ClientError> {
        let _turn = self.turn.lock().await;
        let before = self.last();
        if let Some(last) = before.as_ref().filter(|last| !due(self, last)) {
            return self.standing(last);
        }
        let began = Instant::now();
        let outcome = match self.updater.refresh().await {
            Ok(view) => Outcome::Fresh(view),
            Err(error) => self.failed(error, before.and_then(Last::into_view)).await,
        };
        outcome.tell();
        let last = Last { began, ended: Instant::now(), outcome };
        let standing = self.standing(&last);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        standing
    }

    /// What there is to go on with while a refresh takes long: what was known `before` it, or what is stored. Nothing, where a
    /// check failed before.
    async fn meanwhile(&self, before: Option<Last>, error: ClientError) -> Option<Standing> {
        let known = before.as_ref().map(|last| last.began);
        let (began, view) = match before {
            Some(Last { outcome: Outcome::Refused(..), .. }) => return None,
            Some(Last {
                began, outcome: Outcome::Fresh(view) | Outcome::Stale(view, _), ..
            }) => (began, view),
            None | Some(Last { outcome: Outcome::Nothing(_), .. }) => {
                (Instant::now(), self.updater.stored().await.ok()?)
            }
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // The refresh may just have ended, and what it found counts.
        if last.as_ref().map(|last| last.began) == known {
            let outcome = Outcome::Stale(view, error);
            outcome.tell();
            *last = Some(Last { began, ended: Instant::now(), outcome });
        }
        last.as_ref().and_then(|last| self.standing(last).ok())
    }

    /// What remains after a refresh that failed; `before` is what this process verified.
    async fn failed(&self, error: ClientError, before: Option<View>) -> Outcome {
        // Without a root nothing is trusted any more, whatever was verified under it.
        if error.is_distrust() || matches!(error, ClientError::NoRoot { .. }) {
            return Outcome::Refused(error, before);
        }
        if let Some(view) = before {
            return Outcome::Stale(view, error);
        }
        match self.updater.stored().await {
            Ok(view) => Outcome::Stale(view, error),
            Err(stored) if stored.is_distrust() => Outcome::Refused(stored, None),
            Err(_) => Outcome::Nothing(error),
        }
    }

    fn is_due(&self, last: &Last) -> bool {
        let wait = match &last.outcome {
            Outcome::Fresh(view) if self.has_expired(view) => Duration::ZERO,
            Outcome::Fresh(_) | Outcome::Stale(..) => self.interval,
            Outcome::Refused(..) | Outcome::Nothing(_) => self.interval.min(SOON),
        };
        last.ended.elapsed() >= wait
    }

    fn standing(&self, last: &Last) -> Result<Standing, ClientError> {
        let (view, stale) = match &last.outcome {
            Outcome::Fresh(view) => (view, None),
            Outcome::Stale(view, error) => (view, Some(error.clone())),
            Outcome::Refused(error, _) | Outcome::Nothing(error) => return Err(error.clone()),
        };
        if self.has_expired(view) {
            return Err(Flaw::Expired(view.expires()).of("what was verified last").into());
        }
        Ok(Standing { view: view.clone(), stale })
    }

    fn has_expired(&self, view: &View) -> bool {
        view.expires().passed(self.clock.now())
    }

    fn last(&self) -> Option<Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Last {
    fn into_view(self) -> Option<View> {
        match self.outcome {
            Outcome::Fresh(view) | Outcome::Stale(view, _) => Some(view),
            Outcome::Refused(_, view) => view,
            Outcome::Nothing(_) => None,
        }
    }
}

impl Outcome {
    /// Says in the log what does not go as it should.
    fn tell(&self) {
        match self {
            Self::Fresh(view) => {
                tracing::debug!(timestamp = view.timestamp().version, "the metadata is verified");
            }
            Self::Stale(view, error) => {
                let until = view.expires();
                tracing::warn!(%error, %until, "the metadata cannot be refreshed: what was verified before counts until it expires");
            }
            Self::Refused(error, _) => {
                tracing::error!(%error, "the metadata failed a check: nothing is handed out until it passes");
            }
            Self::Nothing(error) => {
                tracing::error!(%error, "there is no verified metadata yet, and none can be had");
            }
        }
    }
}

fn broken(why: &dyn std::error::Error) -> ClientError {
    let (name, why) = ("a refresh of the metadata".to_owned(), why.to_string());
    RemoteError::Broken { name, why }.into()
}
