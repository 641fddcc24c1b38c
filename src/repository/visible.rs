//! The last step of a publication: the timestamp that shows it.

use std::sync::Arc;

use super::load::{self, Trust};
use super::published::Published;
use super::roles::RolesError;
use super::signing::write_timestamp;
use super::writer::Writer;
use super::{RepositoryError, gauges};

/// How often a timestamp's name may be taken by others before the store is called busy.
const TRIES: usize = 50;

/// When a publication is visible.
#[derive(Debug, Clone, Copy)]
pub(super) enum Goal {
    /// Once the newest timestamp names this commit, or a later one.
    Commit(u64),
    /// Once there is a timestamp after this version.
    After(u64),
}

impl Goal {
    fn is_reached(self, published: &Published) -> bool {
        match self {
            Self::Commit(number) => published.base.commit >= number,
            Self::After(version) => published.timestamp.signed.version > version,
        }
    }
}

impl Writer {
    /// Lists the timestamps, then reads the newest commit, then creates the next timestamp, which names that commit; lists
    /// again, and repeats until the goal is reached. Whoever sees a commit without a timestamp completes it so.
    pub(super) async fn make_visible(&mut self, goal: Goal) -> Result<(), RepositoryError> {
        let mut ours = None;
        for _ in 0..TRIES {
            let alone = !self.unsure && !self.store.is_shared();
            let known = match alone {
                true => Ok(self.repository.published()),
                false => self.repository.look_for(ours.take()).await,
            };
            let known = match known {
                Ok(known) if goal.is_reached(&known) => {
                    self.gauge();
                    return Ok(());
                }
                Ok(known) => known,
                Err(error @ RepositoryError::Damaged { .. }) => {
                    self.outdated_timestamp().await?.ok_or(error)?
                }
                Err(error) => return Err(error),
            };
            // Only now: a timestamp never names an older commit than the one before it.
            self.refresh().await?;
            if self.base.outdated {
                return Err(RolesError::Outdated(self.base.root.signed.version).into());
            }
            self.check_clock()?;
            let version = self.after(known.timestamp.signed.version);
            let now = self.watch.now();
            let written =
                write_timestamp(&self.store, &self.online, &self.base, version, now).await?;
            match written {
                // Another's, or our own whose answer was lost.
                None => self.unsure = true,
                Some(published) => {
                    if published.base.commit > known.base.commit {
                        self.metrics.publications.inc();
                    }
                    self.last = now;
                    if alone {
                        self.repository.0.horizon.note(version, now);
                        self.repository.show(published);
                    } else {
                        // Served once no higher one is listed.
                        ours = Some(published);
                    }
                }
            }
            if alone && goal.is_reached(&self.repository.published()) {
                self.gauge();
                return Ok(());
            }
        }
        Err(RepositoryError::Contended(TRIES))
    }

    /// The newest timestamp, where it is one that only an earlier root accepts: it shows nothing, and is passed over.
    async fn outdated_timestamp(&self) -> Result<Option<Arc<Published>>, RepositoryError> {
        let Some(newest) = load::newest_timestamp(&self.store).await? else { return Ok(None) };
        let shown = load::shown_by(&self.store, newest, Some(&self.base), Trust::Chain).await?;
        Ok((!shown.is_valid()).then(|| Arc::new(shown)))
    }

    /// Shows what is published, also by others.
    pub(super) fn gauge(&self) {
        gauges::roles(&self.metrics, &self.repository.published());
    }
}
