//! Asks for the lengths that pages do not give, of a bounded number of files.

use futures::StreamExt as _;
use futures::stream;
use indicatif::ProgressBar;

use super::facts::{FileCause, Lengths, Sample};
use super::sample::{CONCURRENCY, Patience, spread};
use super::tally::{Unsized, too_large};
use crate::upstream::{Upstream, UpstreamError};

/// Files without SHA-256 that are asked for: their lengths say what hashing them would cost.
const MOST_WITHOUT_SHA256: usize = 100;
/// Files with one: a few, to see whether the mirror answers HEAD.
const MOST_WITH_SHA256: usize = 20;

/// Those of `files` that are asked for.
pub(super) fn choose(files: Vec<Unsized>) -> Vec<Unsized> {
    let (hashed, hashless): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.hashed);
    let mut chosen = spread(hashless, MOST_WITHOUT_SHA256);
    chosen.extend(spread(hashed, MOST_WITH_SHA256));
    chosen
}

/// Asks for the lengths of `files`; files that the mirror does not give, or that are longer than `largest` bytes, are
/// counted as refused.
pub(super) async fn measure(
    upstream: &Upstream,
    files: Vec<Unsized>,
    largest: u64,
    sample: &mut Sample,
    progress: &ProgressBar,
) -> Lengths {
    let mut lengths = Lengths::default();
    let ask = |file: Unsized| async {
        let answer = upstream.head(&file.url).await;
        (file, answer)
    };
    let mut patience = Patience::default();
    let mut answers = stream::iter(files).map(ask).buffered(CONCURRENCY);
    while let Some((file, answer)) = answers.next().await {
        progress.inc(1);
        patience.note(answer.as_ref().is_err_and(UpstreamError::is_transient));
        let measured = match file.hashed {
            true => &mut lengths.with_sha256,
            false => &mut lengths.without_sha256,
        };
        measured.asked += 1;
        match answer {
            Ok(Some(length)) => {
                measured.answered += 1;
                measured.bytes = measured.bytes.saturating_add(length);
                if let Some((cause, why)) = too_large(length, largest) {
                    sample.refuse(cause, file.name, why);
                }
            }
            Ok(None) => {}
            Err(error) => sample.refuse(FileCause::Unreachable, file.name, error),
        }
        if patience.is_over() {
            break;
        }
    }
    lengths
}
