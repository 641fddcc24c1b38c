//! The one of this process that publishes: it holds the online keys. `docs/publishing.md` has the protocol.
//!
//! Here is its course: read the newest commit, draft on it, attempt it ([`super::attempt`]), make it visible
//! ([`super::visible`]).

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use crate::index::{ProjectName, Sources};
use crate::store::{Store, layout};
use crate::telemetry::Metrics;
use crate::tuf::{Digest, Targets};

use super::attempt::{Plan, WRITES};
use super::census::Census;
use super::draft::{Contents, Draft};
use super::edit::{Edit, Receipt};
use super::load::{self, Trust};
use super::published::Base;
use super::publisher::PublisherConfig;
use super::reader::Settings;
use super::signing::{Online, write_timestamp};
use super::touched::Touched;
use super::visible::Goal;
use super::{Repository, RepositoryError, gauges, nonce, skew};

/// Commits that are read one by one to learn what they touched; where more were missed, all looks under way are stale.
const MISSED: usize = 256;
/// Lost races after which a publication is given up for now.
pub(super) const RACES: usize = 20;
/// The longest pause after a lost race.
const PAUSE: Duration = Duration::from_millis(1000);

pub(super) struct Writer {
    pub(super) store: Store,
    pub(super) repository: Repository,
    pub(super) online: Online,
    pub(super) metrics: Arc<Metrics>,
    pub(super) watch: skew::Watch,
    contents: Contents,
    /// The newest commit that was read, and what it names.
    pub(super) base: Base,
    pub(super) touched: Touched,
    census: Census,
    /// Tells this writer's commits from others'.
    pub(super) id: String,
    /// Who this is, for the journal.
    pub(super) by: String,
    attempts: u64,
    /// No number is given below this one: where a store was put back, higher ones were given before.
    pub(super) floor: u64,
    /// When the last publication was made, by its writer's clock.
    pub(super) last: Timestamp,
    /// Something failed: what the store holds must be read again.
    pub(super) unsure: bool,
}

/// What is signed again because its time is nearly up, if it is still the version that was found due.
#[derive(Debug, Clone, Default)]
pub(super) struct Renewals {
    /// Bins: number and version.
    pub(super) bins: Vec<(u32, u64)>,
    /// The snapshot's version.
    pub(super) snapshot: Option<u64>,
}

/// What became of an edit.
pub(super) type Outcome = Result<Receipt, RepositoryError>;

impl Writer {
    /// A writer on the newest commit; where no timestamp shows that one yet, signs it.
    pub(super) async fn start(
        store: Store,
        config: PublisherConfig,
    ) -> Result<Self, RepositoryError> {
        let PublisherConfig {
            memory,
            keyring,
            contents,
            validity,
            store: of_store,
            clock,
            metrics,
            readiness,
        } = config;
        let online = Online { keyring, validity };
        let watch = skew::Watch::new(clock, of_store.clock, metrics.clone());
        let timestamps = store.list(layout::TIMESTAMPS).await?;
        let newest = timestamps.iter().filter_map(|t| layout::number(&t.name)).max();
        let shown = match newest {
            Some(newest) => load::shown_by(&store, newest, None, Trust::Chain).await?,
            // An init that was interrupted before its last step.
            None => {
                let number = load::commits_from(&store, 1).await?.pop();
                let number = number.ok_or(RepositoryError::Missing)?;
                let base = load::base(&store, number, None).await?;
                let version = load::commit(&store, number).await?.timestamp.unwrap_or(1);
                let first = write_timestamp(&store, &online, &base, version, watch.now()).await?;
                first.ok_or(RepositoryError::Missing)?
            }
        };
        let base = shown.base.clone();
        let committed = load::commit(&store, base.commit).await?.at;
        let last = shown.timestamp.signed.at.map_or(committed, |at| at.time().max(committed));
        gauges::roles(&metrics, &shown);
        let settings = Settings { memory, config: of_store, watch: watch.clone(), readiness };
        let repository = Repository::over(shown, store.clone(), settings);
        for timestamp in timestamps {
            if let Some(number) = layout::number(&timestamp.name) {
                repository.0.horizon.note(number, timestamp.modified);
            }
        }
        let census = Census::new(base.succinct.count());
        let mut writer = Self {
            store,
            repository,
            online,
            metrics,
            watch,
            contents,
            base,
            touched: Touched::default(),
            census,
            id: nonce()?,
            by: myself(),
            attempts: 0,
            floor: 0,
            last,
            unsure: true,
        };
        // What is published is served, also where it cannot be gone on with now.
        if let Err(error) = writer.catch_up().await {
            tracing::error!(%error, "the newest publication cannot be completed yet");
        }
        // But nothing that the newest root does not accept.
        writer.mend().await?;
        Ok(writer)
    }

    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    pub(super) fn base(&self) -> &Base {
        &self.base
    }

    pub(super) fn census(&self) -> &Census {
        &self.census
    }

    pub(super) fn census_mut(&mut self) -> &mut Census {
        &mut self.census
    }

    /// Takes a bin that was read into the census.
    pub(super) fn record(&mut self, index: u32, bin: &Targets) {
        self.census.record(index, bin);
    }

    /// Shows what the census knows.
    pub(super) fn show_bins(&self) {
        gauges::bins(&self.metrics, &self.census);
    }

    /// Whether something failed, so that the store may hold more than is shown.
    pub(super) fn is_unsure(&self) -> bool {
        self.unsure
    }

    /// The number that follows `number`.
    pub(super) fn after(&self, number: u64) -> u64 {
        number.saturating_add(1).max(self.floor)
    }

    /// The next nonce: never the same twice.
    pub(super) fn next_nonce(&mut self) -> String {
        self.attempts += 1;
        format!("{}-{}", self.id, self.attempts)
    }

    /// Publishes `edits` (each project at most once) and signs again what is due, as one commit; nothing where nothing
    /// changes. Where another writer comes first, starts over on what that one published.
    pub(super) async fn publish(
        &mut self,
        edits: &[Arc<dyn Edit>],
        renewals: &Renewals,
    ) -> Result<Vec<Outcome>, RepositoryError> {
        let published = self.try_to_publish(edits, renewals).await;
        if let Err(error) = &published {
            self.unsure = true;
            // What waits for a key has not failed.
            if !error.is_wait() {
                self.metrics.publication_failures.inc();
            }
        }
        published
    }

    async fn try_to_publish(
        &mut self,
        edits: &[Arc<dyn Edit>],
        renewals: &Renewals,
    ) -> Result<Vec<Outcome>, RepositoryError> {
        let metrics = self.metrics.clone();
        let _duration = metrics.publication_duration.start_timer();
        for race in 0..RACES {
            self.catch_up().await?;
            self.refresh().await?;
            self.mend().await?;
            let (outcomes, plan) = match self.plan(edits, renewals).await {
                // Missing or other than it should be: the base may have been collected. It is never read as empty.
                Err(RepositoryError::Damaged { .. }) if self.is_superseded().await? => continue,
                planned => planned?,
            };
            if plan.is_empty() {
                // What nothing is to be added to must be visible all the same.
                self.make_visible(Goal::Commit(self.base.commit)).await?;
                return Ok(outcomes);
            }
            if self.attempt(plan).await? {
                self.make_visible(Goal::Commit(self.base.commit)).await?;
                return Ok(outcomes);
            }
            metrics.conflicts.inc();
            tokio::time::sleep(self.pause(race)).await;
        }
        Err(RepositoryError::Contended(RACES))
    }

    /// Signs the timestamp again, unless another writer has since.
    pub(super) async fn renew_timestamp(&mut self) -> Result<(), RepositoryError> {
        self.catch_up().await?;
        let version = self.repository.published().timestamp.signed.version;
        self.watch_clock().await?;
        let renewed = self.make_visible(Goal::After(version)).await;
        self.unsure |= renewed.is_err();
        renewed
    }

    /// After a failure: takes in what the store holds, which may be the commit that seemed to fail.
    pub(super) async fn catch_up(&mut self) -> Result<(), RepositoryError> {
        if !self.unsure {
            return Ok(());
        }
        self.refresh().await?;
        // What no root accepts any more is not shown, but signed again.
        if !self.base.outdated {
            self.make_visible(Goal::Commit(self.base.commit)).await?;
        }
        self.unsure = false;
        Ok(())
    }

    /// Reads the commits that other writers made, or that a failure left in doubt.
    pub(super) async fn refresh(&mut self) -> Result<(), RepositoryError> {
        if !self.unsure && !self.store.is_shared() {
            return Ok(());
        }
        let known = self.base.commit;
        let mut commits = load::commits_from(&self.store, known).await?;
        if commits.first() != Some(&known) {
            return Err(RepositoryError::Ahead { what: "commit", known });
        }
        let newest = commits.pop().unwrap_or(known);
        let base = load::base_by(&self.store, newest, Some(&self.base), Trust::Chain).await?;
        let missed: Vec<u64> =
            commits.into_iter().chain([newest]).filter(|number| *number > known).collect();
        if missed.len() > MISSED {
            self.touched.forget(newest);
        } else {
            for number in missed {
                let commit = load::commit(&self.store, number).await?;
                self.touched.read(&commit);
                self.last = commit.at;
            }
        }
        // Only now: where a commit could not be read, all of them are missed still.
        self.build_on(base);
        self.repository.note_commit(newest);
        Ok(())
    }

    /// Goes on from `base`.
    pub(super) fn build_on(&mut self, base: Base) {
        if !base.succinct.has_the_names_of(&self.base.succinct) {
            self.census = Census::new(base.succinct.count());
        }
        self.base = base;
    }

    /// Finds out whether the clock can be right, also where there is nothing to sign.
    pub(super) async fn watch_clock(&self) -> Result<(), RepositoryError> {
        if !self.store.is_shared() {
            return self.check_clock();
        }
        let began = self.watch.now();
        self.watch.compare(began, self.store.now().await?)
    }

    /// Nothing is signed with a clock that cannot be right. (A shared store dates what is attempted.)
    pub(super) fn check_clock(&self) -> Result<(), RepositoryError> {
        if self.store.is_shared() { Ok(()) } else { self.watch.not_before(self.last) }
    }

    /// Whether there is a newer commit than the base, which then becomes the base.
    pub(super) async fn is_superseded(&mut self) -> Result<bool, RepositoryError> {
        let before = self.base.commit;
        self.refresh().await?;
        Ok(self.base.commit > before)
    }

    async fn plan(
        &mut self,
        edits: &[Arc<dyn Edit>],
        renewals: &Renewals,
    ) -> Result<(Vec<Outcome>, Plan), RepositoryError> {
        let (base, contents, repository) =
            (self.base.clone(), self.contents.clone(), self.repository.clone());
        let mut draft = Draft::new(&repository, &base, &contents, self.watch.now());
        draft.read_bins(edits).await;
        let mut outcomes = Vec::with_capacity(edits.len());
        let mut looked_at = Vec::new();
        for edit in edits {
            let project = edit.project();
            let stale = edit.seen().and_then(|seen| self.touched.since(project, seen));
            outcomes.push(match stale {
                Some(commit) => Err(RepositoryError::Stale { project: project.clone(), commit }),
                None => Ok(draft.apply(&**edit).await?),
            });
            if edit.seen().is_some() {
                looked_at.push(project.clone());
            }
        }
        let mut renewed = 0;
        for (index, version) in &renewals.bins {
            let there = u64::from(*index) < base.succinct.count();
            if there && base.version_of(&base.succinct.name(*index)) == Some(*version) {
                draft.touch(*index).await?;
                renewed += 1;
            }
        }
        let snapshot_due = renewals.snapshot == Some(base.snapshot.signed.version);
        let Draft { bins, pages, sources, records, .. } = draft;
        let put = |(project, sources)| self.put_sources(project, sources).boxed();
        let mut puts = stream::iter(sources).map(put).buffer_unordered(WRITES);
        while puts.try_next().await?.is_some() {}
        drop(puts);
        Ok((outcomes, Plan { bins, pages, records, looked_at, renewed, snapshot_due }))
    }

    async fn put_sources(
        &self,
        project: ProjectName,
        sources: Sources,
    ) -> Result<(), RepositoryError> {
        let name = layout::sources(&project);
        let bytes = serde_json::to_vec(&sources).map_err(|e| RepositoryError::damaged(&name, e))?;
        self.store.put(&name, bytes).await?;
        self.repository.forget_sources(&project).await;
        Ok(())
    }

    /// How long to wait after a lost race: longer from time to time, and different for each writer.
    pub(super) fn pause(&self, race: usize) -> Duration {
        let spread = Digest::of(format!("{}-{}", self.id, self.attempts).as_bytes());
        let part = f64::from(spread.as_bytes()[0]) / 255.0;
        let longest = Duration::from_millis(20) * (1 << race.min(6));
        longest.min(PAUSE).mul_f64(part)
    }
}

/// Host and process.
fn myself() -> String {
    let system = rustix::system::uname();
    format!("{} process {}", system.nodename().to_string_lossy(), std::process::id())
}
