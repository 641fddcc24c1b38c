//! The journal, read: commits from the newest back or from an older one on, however many there are.
//!
//! Their numbers run from 1 without a gap, but where an operator's restore jumped to the Unix time. No more than a few
//! commits are in memory at once, and the folder is listed only where there is a gap.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::{join_all, ready};
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use crate::index::ProjectName;
use crate::store::{Store, layout};
use crate::tuf::Signed;

use super::{Commit, RepositoryError, load};

/// Commits read at once.
const READS: u64 = 16;
/// By how much the times of two writers may differ: each clock by five minutes from the store's.
const SKEW: Duration = Duration::from_secs(10 * 60);

/// The journal of a store.
#[derive(Debug)]
pub struct Journal {
    store: Store,
    newest: u64,
    /// The gaps that were met.
    gaps: Mutex<Vec<Gap>>,
}

/// Which commits, and in which order.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Those made at this time or later, by their writers' clocks.
    pub since: Option<Timestamp>,
    /// Those that changed this project, and of them nothing about others.
    pub project: Option<ProjectName>,
    /// The oldest first.
    pub oldest_first: bool,
}

/// Numbers that no commit has, with the commits on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// The highest number below; 0 where there is none.
    pub(super) below: u64,
    /// The lowest number above.
    pub(super) above: Option<u64>,
}

impl Journal {
    /// The journal in `store`.
    ///
    /// # Errors
    /// [`RepositoryError::Missing`] where it has no commit; or the store's.
    pub async fn open(store: Store) -> Result<Self, RepositoryError> {
        // What the newest timestamp shows is near the end, and spares a listing of the whole folder.
        let shown = shown(&store).await?.unwrap_or_default();
        let later = store.list_after(layout::JOURNAL, &layout::commit_file(shown)).await?;
        let newest = later.iter().filter_map(|listed| layout::number(&listed.name)).max();
        match newest.unwrap_or(shown) {
            0 => Err(RepositoryError::Missing),
            newest => Ok(Self { store, newest, gaps: Mutex::default() }),
        }
    }

    /// The number of the newest commit, when this was opened.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// The commits of `selection`, one after the other. A commit that cannot be read is an error, after which the next
    /// one comes; an error of the store ends it.
    pub fn select(&self, selection: Selection) -> BoxStream<'_, Result<Commit, RepositoryError>> {
        let Selection { since, project, oldest_first } = selection;
        let bound = since.map(near);
        let commits = match (oldest_first, bound) {
            (true, None) => self.from(1),
            (true, Some(bound)) => stream::once(self.first_since(bound))
                .flat_map(|first| match first {
                    Ok(first) => self.from(first),
                    Err(error) => stream::once(ready(Err(error))).boxed(),
                })
                .boxed(),
            (false, None) => self.back(),
            (false, Some(bound)) => self
                .back()
                .take_while(move |commit| ready(commit.as_ref().map_or(true, |c| c.at >= bound)))
                .boxed(),
        };
        let wanted = move |commit: Commit| {
            let in_time = since.is_none_or(|since| commit.at >= since);
            Some(commit).filter(|_| in_time).and_then(|commit| about(commit, project.as_ref()))
        };
        commits.try_filter_map(move |commit| ready(Ok(wanted(commit)))).boxed()
    }

    /// The commits from `first` on.
    pub(super) fn from(&self, first: u64) -> BoxStream<'_, Result<Commit, RepositoryError>> {
        Walk { journal: self, next: Some(first), back: false, read: VecDeque::new() }.stream()
    }

    /// The commits from the newest back.
    fn back(&self) -> BoxStream<'_, Result<Commit, RepositoryError>> {
        let next = Some(self.newest);
        Walk { journal: self, next, back: true, read: VecDeque::new() }.stream()
    }

    /// A number before which all commits are older than `bound`, found by bisection.
    async fn first_since(&self, bound: Timestamp) -> Result<u64, RepositoryError> {
        // Everything up to `older` is older, everything from `young` on is not.
        let (mut older, mut young) = (0, self.newest.saturating_add(1));
        while young - older > 1 {
            let middle = older + (young - older) / 2;
            if let Some(is_older) = self.is_older(middle, bound).await? {
                (older, young) = if is_older { (middle, young) } else { (older, middle) };
                continue;
            }
            let Gap { below, above } = self.gap(middle).await?;
            if below > older && self.is_older(below, bound).await? != Some(true) {
                young = below;
            } else {
                older = above.map_or(young, |above| above.min(young)) - 1;
            }
        }
        Ok(young)
    }

    /// Whether commit `number` is older than `bound`; `None` where there is none of that number. One that cannot be read
    /// is not: it will be told.
    async fn is_older(
        &self,
        number: u64,
        bound: Timestamp,
    ) -> Result<Option<bool>, RepositoryError> {
        match self.read(number).await {
            Ok(commit) => Ok(commit.map(|commit| commit.at < bound)),
            Err(RepositoryError::Damaged { .. }) => Ok(Some(false)),
            Err(error) => Err(error),
        }
    }

    async fn read(&self, number: u64) -> Result<Option<Commit>, RepositoryError> {
        let name = layout::commit(number);
        let Some(bytes) = self.store.read(&name).await? else { return Ok(None) };
        let commit: Commit = serde_json::from_slice(&bytes)
            .map_err(|error| RepositoryError::damaged(&name, error))?;
        if commit.number != number {
            let other = format!("it holds commit {}", commit.number);
            return Err(RepositoryError::damaged(name, other));
        }
        Ok(Some(commit))
    }

    /// The gap around `missing`, which no commit has. Lists the journal, once a gap.
    pub(super) async fn gap(&self, missing: u64) -> Result<Gap, RepositoryError> {
        if let Some(known) = self.known_gap(missing) {
            return Ok(known);
        }
        let mut gap = Gap { below: 0, above: None };
        let mut names = self.store.each(layout::JOURNAL);
        while let Some(listed) = names.try_next().await? {
            match layout::number(&listed.name) {
                Some(n) if n < missing => gap.below = gap.below.max(n),
                Some(n) if n > missing => gap.above = Some(gap.above.map_or(n, |a| a.min(n))),
                _ => {}
            }
        }
        self.gaps.lock().unwrap_or_else(PoisonError::into_inner).push(gap);
        Ok(gap)
    }

    fn known_gap(&self, missing: u64) -> Option<Gap> {
        let gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |gap: &&Gap| gap.below < missing && gap.above.is_none_or(|a| missing < a);
        gaps.iter().find(holds).copied()
    }
}

/// The commit that the newest timestamp names. A hint: nothing is verified.
async fn shown(store: &Store) -> Result<Option<u64>, RepositoryError> {
    let Some(newest) = load::newest_timestamp(store).await? else { return Ok(None) };
    let bytes = store.read(&layout::timestamp(newest)).await?.unwrap_or_default();
    let timestamp = Signed::<crate::tuf::Timestamp>::parse(&bytes).ok();
    let Some(number) = timestamp.and_then(|t| t.signed.commit) else { return Ok(None) };
    Ok(store.read(&layout::commit(number)).await?.map(|_| number))
}

/// Before it, by every writer's clock, lies what is older than `since`.
fn near(since: Timestamp) -> Timestamp {
    since.checked_sub(SKEW).unwrap_or(Timestamp::MIN)
}

/// What `commit` says of `project`; all of it where none is asked for.
fn about(mut commit: Commit, project: Option<&ProjectName>) -> Option<Commit> {
    let Some(project) = project else { return Some(commit) };
    commit.projects.retain(|record| record.project == *project);
    // Renewals are about no project.
    commit.renewed = 0;
    commit.roles.clear();
    (!commit.projects.is_empty()).then_some(commit)
}

/// A way through the journal.
struct Walk<'a> {
    journal: &'a Journal,
    /// Where to read on.
    next: Option<u64>,
    back: bool,
    read: VecDeque<Result<Commit, RepositoryError>>,
}

impl<'a> Walk<'a> {
    fn stream(self) -> BoxStream<'a, Result<Commit, RepositoryError>> {
        stream::unfold(self, |mut walk| async move {
            while walk.read.is_empty() {
                let next = walk.next.take()?;
                if let Err(error) = walk.read_from(next).await {
                    walk.next = None;
                    walk.read.push_back(Err(error));
                }
            }
            Some((walk.read.pop_front()?, walk))
        })
        .boxed()
    }

    /// Reads some commits, `next` the first of them, and finds out where to go on.
    async fn read_from(&mut self, next: u64) -> Result<(), RepositoryError> {
        let Self { journal, back, .. } = *self;
        let numbers: Vec<u64> = match back {
            true => (next.saturating_sub(READS - 1).max(1)..=next).rev().collect(),
            false => (next..=next.saturating_add(READS - 1).min(journal.newest)).collect(),
        };
        let read = join_all(numbers.iter().map(|number| journal.read(*number))).await;
        for (number, commit) in numbers.into_iter().zip(read) {
            let beyond = match commit {
                Ok(Some(commit)) => {
                    self.read.push_back(Ok(commit));
                    self.after(number)
                }
                Ok(None) => {
                    let gap = journal.gap(number).await?;
                    self.next = if back { Some(gap.below) } else { gap.above };
                    self.next = self.next.filter(|number| *number > 0);
                    return Ok(());
                }
                Err(error @ RepositoryError::Damaged { .. }) => {
                    self.read.push_back(Err(error));
                    self.after(number)
                }
                Err(error) => return Err(error),
            };
            self.next = beyond;
        }
        Ok(())
    }

    fn after(&self, number: u64) -> Option<u64> {
        match self.back {
            true => number.checked_sub(1).filter(|number| *number > 0),
            false => number.checked_add(1).filter(|number| *number <= self.journal.newest),
        }
    }
}
