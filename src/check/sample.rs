//! Looks at a sample of the projects, as the watcher would.

use futures::StreamExt as _;
use futures::stream;
use indicatif::ProgressBar;

use super::tally::{Seen, Tally};
use crate::index::{Listing, ProjectName, parse};
use crate::tuf::Digest;
use crate::upstream::{Gone, PageReply, Upstream, Validators};

/// Requests under way at once.
pub(super) const CONCURRENCY: usize = 8;

/// `most` of `all`, evenly spread, always the same ones.
pub(super) fn spread<T>(all: Vec<T>, most: usize) -> Vec<T> {
    let (total, most) = (all.len(), most.min(all.len()));
    // The i-th is taken where i · most / total steps up.
    let step = |i: usize| (i as u128 * most as u128) / (total.max(1) as u128);
    let taken = |i: &usize| step(*i) != step(i + 1);
    all.into_iter().enumerate().filter(|(i, _)| taken(i)).map(|(_, item)| item).collect()
}

/// Looks at the pages of `projects`.
pub(super) async fn look(
    upstream: &Upstream,
    projects: Vec<ProjectName>,
    tally: &mut Tally<'_>,
    progress: &ProgressBar,
) {
    let mut again = None;
    let mut patience = Patience::default();
    // In order, so that examples are the same each time.
    let mut looks = stream::iter(projects).map(|name| page(upstream, name)).buffered(CONCURRENCY);
    while let Some((project, seen)) = looks.next().await {
        if let (None, Seen::Page(page)) = (&again, &seen)
            && page.validators != Validators::default()
        {
            again = Some((project.clone(), page.validators.clone()));
        }
        patience.note(matches!(&seen, Seen::Failed(error) if error.is_transient()));
        tally.add(&project, seen);
        progress.inc(1);
        if patience.is_over() {
            tally.sample.cut_short = true;
            return;
        }
    }
    if let Some((project, validators)) = again {
        let reply = upstream.page(&project, Some(&validators)).await;
        tally.sample.etags.revalidates = Some(matches!(reply, Ok(PageReply::NotModified)));
    }
}

/// Ends a look at a mirror that has gone: each request to one that hangs takes its whole timeout.
#[derive(Default)]
pub(super) struct Patience(usize);

impl Patience {
    /// Failures in a row that end it.
    const FAILURES: usize = 3 * CONCURRENCY;

    pub(super) fn note(&mut self, failed: bool) {
        self.0 = if failed { self.0 + 1 } else { 0 };
    }

    pub(super) fn is_over(&self) -> bool {
        self.0 >= Self::FAILURES
    }
}

/// A page that can be used.
pub(super) struct Page {
    pub(super) listing: Listing,
    pub(super) digest: Digest,
    pub(super) content_type: Option<String>,
    pub(super) validators: Validators,
    pub(super) serial: Option<u64>,
}

async fn page(upstream: &Upstream, project: ProjectName) -> (ProjectName, Seen) {
    let seen = match upstream.page(&project, None).await {
        Ok(PageReply::Fresh(fetched)) => {
            let content_type = fetched.content_type.as_deref();
            match parse(&fetched.body, content_type, &fetched.url, &project) {
                Ok(listing) => Seen::Page(Box::new(Page {
                    serial: listing.serial.or(fetched.serial),
                    listing,
                    digest: Digest::of(&fetched.body),
                    content_type: fetched.content_type,
                    validators: fetched.validators,
                })),
                Err(error) => Seen::Malformed(error),
            }
        }
        Ok(PageReply::Gone(Gone::Elsewhere(to))) => Seen::Elsewhere(to),
        Ok(PageReply::Gone(_) | PageReply::NotModified) => Seen::Missing,
        Err(error) => Seen::Failed(error),
    };
    (project, seen)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_sample_is_evenly_spread() {
        assert_eq!(spread((0..10).collect(), 3), [3, 6, 9]);
        assert_eq!(spread((0..4).collect(), 9), [0, 1, 2, 3]);
        assert!(spread(Vec::<u8>::new(), 3).is_empty());
    }

    proptest! {
        #[test]
        fn a_sample_is_as_large_as_asked(total in 0usize..500, most in 1usize..500) {
            let taken = spread((0..total).collect(), most);
            prop_assert_eq!(taken.len(), most.min(total));
            // No stretch of the list is left out, neither between two that are taken nor at an end.
            let widest = total.div_ceil(most.min(total).max(1));
            prop_assert!(taken.windows(2).all(|pair| pair[1] - pair[0] <= widest));
            prop_assert!(taken.first().is_none_or(|first| *first < widest));
            prop_assert!(taken.last().is_none_or(|last| total - last <= widest));
        }
    }
}
