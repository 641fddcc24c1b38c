//! Looks at the store: which publication is the newest.
//!
//! Where several replicas share a store, `timestamp.json` is answered only after a look that began after the request
//! arrived; otherwise a client that saw version 10 from one replica and 9 from another would report an attack.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _, Shared};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::store::layout;

use super::published::{Base, Published};
use super::{Repository, RepositoryError, load};

/// What a look gives.
type Look = Shared<BoxFuture<'static, Result<Arc<Published>, RepositoryError>>>;

/// How often a look starts over that took too long, or whose objects went away meanwhile.
const TRIES: usize = 3;
/// How long a request waits for a look.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks that nobody asked for, at the most.
const OFTEN: Duration = Duration::from_secs(5);
/// As long as the store is lost.
const SOON: Duration = Duration::from_secs(1);
/// Bins read at once.
const READS: usize = 32;

/// The look that is under way, and the one after it.
pub(super) struct Looks(Mutex<State>);

struct State {
    /// When the last look that found something began.
    began: Instant,
    running: Option<Look>,
    next: Option<Look>,
    /// Why the last look found nothing: nobody waits for the next one to find nothing either.
    lost: Option<RepositoryError>,
}

impl Looks {
    /// None yet; the publication was read now.
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { began: Instant::now(), running: None, next: None, lost: None }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Repository {
    /// A look at the store that begins after now; whoever asks until it begins shares it. While the store is lost it is looked
    /// at on and on, and who asks is told at once.
    ///
    /// # Errors
    /// [`RepositoryError`] where the store cannot be looked at, or knows less than this process does.
    pub async fn look(&self) -> Result<Arc<Published>, RepositoryError> {
        let (look, lost) = {
            let mut state = self.0.looks.lock();
            let look = match &state.next {
                Some(next) => next.clone(),
                None => {
                    let next = self.look_after(state.running.clone());
                    state.next = Some(next.clone());
                    // It goes on where who asked goes away.
                    tokio::spawn(next.clone());
                    next
                }
            };
            (look, state.lost.clone())
        };
        if let Some(lost) = lost {
            return Err(lost);
        }
        timeout(PATIENCE, look).await.unwrap_or_else(|_| {
            self.0.looks.lock().lost = Some(RepositoryError::Lost);
            Err(RepositoryError::Lost)
        })
    }

    /// Whether the last look found nothing.
    pub(super) fn is_lost(&self) -> bool {
        self.0.looks.lock().lost.is_some()
    }

    /// Whether the last look is so long ago that what it found may have been collected.
    pub(super) fn is_stale(&self) -> bool {
        self.0.store.is_shared() && self.0.looks.lock().began.elapsed() > self.0.horizon.grace() / 2
    }

    fn look_after(&self, running: Option<Look>) -> Look {
        let repository = self.clone();
        let look = async move {
            if let Some(running) = running {
                // What came of it was told to those who waited for it.
                let _ = running.await;
            }
            {
                let mut state = repository.0.looks.lock();
                state.running = state.next.take();
            }
            repository.look_now().await
        };
        look.boxed().shared()
    }

    /// Looks again and again until `shutdown`, so that what other replicas publish is served here, too: at least every
    /// quarter of the grace period.
    pub async fn keep_looking(self, shutdown: CancellationToken) {
        if !self.0.store.is_shared() {
            return;
        }
        let pause = OFTEN.min(self.0.horizon.grace() / 4);
        let mut lost = false;
        loop {
            let pause = if lost { pause.min(SOON) } else { pause };
            if shutdown.run_until_cancelled(sleep(pause)).await.is_none() {
                return;
            }
            let looked = self.look().await;
            match &looked {
                Ok(_) if lost => tracing::info!("the store can be looked at again"),
                Err(error) if !lost => tracing::error!(%error, "the store cannot be looked at"),
                _ => {}
            }
            lost = looked.is_err();
        }
    }

    /// Looks, and takes what is newer into service.
    pub(super) async fn look_now(&self) -> Result<Arc<Published>, RepositoryError> {
        self.look_for(None).await
    }

    /// As [`Self::look_now`]; `ours` was just written and need not be read where it is the newest.
    pub(super) async fn look_for(
        &self,
        ours: Option<Published>,
    ) -> Result<Arc<Published>, RepositoryError> {
        let mut tries = 0;
        let mut began;
        let looked = loop {
            tries += 1;
            began = Instant::now();
            let found = self.newest(ours.as_ref()).await;
            let slow = began.elapsed() > self.0.horizon.grace() / 2;
            match found {
                // What it found may be collected before a client has loaded it, or is already.
                Ok(_) | Err(RepositoryError::Damaged { .. }) if slow && tries < TRIES => {}
                Ok(_) | Err(RepositoryError::Damaged { .. }) if slow => {
                    break Err(RepositoryError::Slow);
                }
                // Collected meanwhile: there is a newer one.
                Err(RepositoryError::Damaged { .. }) if tries < TRIES => {}
                Ok(newer) => break Ok(newer),
                Err(error) => break Err(error),
            }
        };
        self.0.note_look(&looked);
        self.0.looks.lock().lost = looked.as_ref().err().cloned();
        if let Some(newer) = looked? {
            self.show(newer);
        }
        let mut state = self.0.looks.lock();
        state.began = began.max(state.began);
        drop(state);
        Ok(self.published())
    }

    /// The publication of the newest timestamp, whole, if it is not the one that is served.
    async fn newest(&self, ours: Option<&Published>) -> Result<Option<Published>, RepositoryError> {
        let known = self.published();
        let version = known.timestamp.signed.version;
        let before = layout::timestamp_file(version.saturating_sub(1));
        let listed = self.0.store.list_after(layout::TIMESTAMPS, &before).await?;
        let mut newest = None;
        for timestamp in listed {
            let Some(number) = layout::number(&timestamp.name) else { continue };
            self.0.horizon.note(number, timestamp.modified);
            newest = newest.max(Some(number));
        }
        match newest {
            None => Err(RepositoryError::Ahead { what: "timestamp", known: version }),
            Some(newest) if newest <= version => Ok(None),
            Some(newest) if ours.is_some_and(|ours| ours.timestamp.signed.version == newest) => {
                Ok(ours.cloned())
            }
            Some(newest) => {
                let found = load::shown(&self.0.store, newest, Some(&known.base)).await?;
                self.read_changed(&known.base, &found.base).await?;
                Ok(Some(found))
            }
        }
    }

    /// Reads the bins that differ: a timestamp is answered only once all that it reaches was seen.
    async fn read_changed(&self, old: &Base, new: &Base) -> Result<(), RepositoryError> {
        if old.commit == new.commit {
            return Ok(());
        }
        let changed: Vec<String> = new
            .succinct
            .names()
            .filter(|name| old.version_of(name) != new.version_of(name))
            .collect();
        stream::iter(changed)
            .map(|name| async move { self.bin(new, &name).await.map(drop) })
            .buffer_unordered(READS)
            .try_collect()
            .await
    }
}
