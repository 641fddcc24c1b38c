use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use proptest::prelude::*;

use super::*;
use crate::upstream::body;

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

/// The largest piece of any test here, bytes.
const LARGEST_PIECE: u64 = 170_000;

/// A body of these bytes in pieces of that size, with an error at the end if one is given.
fn pieces(data: &[u8], size: usize, error: Option<BodyError>) -> Body {
    let pieces: Vec<_> = data.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    body::stream(stream::iter(pieces.into_iter().chain(error.map(Err))))
}

/// What goes on to the client of an `inner` that should be `right`; how it ends; what was reported.
async fn pass(inner: Body, right: &[u8]) -> (Vec<u8>, Result<(), BodyError>, Vec<Found>) {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let report = reports.clone();
    let note = move |found| report.lock().unwrap().push(found);
    let mut body = Verifying::new(inner, Digest::of(right), right.len() as u64, note);
    let mut passed = Vec::new();
    let mut end = Ok(());
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => passed.extend(frame.into_data().unwrap()),
            Err(error) => end = Err(error),
        }
        assert_eq!(body.size_hint().exact(), Some((right.len() - passed.len()) as u64));
        let held: usize = body.held.iter().map(Bytes::len).sum();
        assert!(held as u64 <= HELD_BACK + LARGEST_PIECE, "memory is constant: {held}");
    }
    assert!(body.frame().await.is_none(), "after its end nothing more comes");
    let reports = reports.lock().unwrap().clone();
    (passed, end, reports)
}

#[tokio::test]
async fn the_right_bytes_go_through() {
    for length in [0, 1, 1000, 65_536, 65_537, 500_000] {
        for size in [1 + length / 3, 65_536, 1000] {
            let data = bytes(length);
            let (passed, end, reports) = pass(pieces(&data, size, None), &data).await;
            end.unwrap();
            assert_eq!((passed, reports), (data, vec![]));
        }
    }
}

#[tokio::test]
async fn most_of_it_goes_on_before_the_end() {
    let data = bytes(500_000);
    let endless =
        body::stream(stream::iter([Ok(Bytes::from(data.clone()))]).chain(stream::pending()));
    let mut body = Verifying::new(endless, Digest::of(&data), 500_000, |_| ());
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, data[..500_000 - 65_536]);
    assert!(futures::poll!(body.frame()).is_pending());
}

#[tokio::test]
async fn other_bytes_never_end_well() {
    let right = bytes(200_000);
    let mut wrong = right.clone();
    wrong[7] ^= 1;
    let (passed, end, reports) = pass(pieces(&wrong, 1000, None), &right).await;
    let found = Found::Sha256(Digest::of(&wrong));
    assert_eq!(reports, [found]);
    assert!(matches!(end, Err(BodyError::Mismatch { found: f, .. }) if f == found));
    assert_eq!(passed.len() as u64, 200_000 - HELD_BACK);

    let (passed, end, _) = pass(pieces(&wrong[..10], 1000, None), &right[..10]).await;
    assert!(end.is_err() && passed.is_empty(), "of a small file nothing goes on");
}

#[tokio::test]
async fn other_lengths_never_end_well() {
    let right = bytes(100_000);
    for length in [0, 99_999, 100_001, 300_000] {
        let (passed, end, reports) = pass(pieces(&bytes(length), 1000, None), &right).await;
        assert!(matches!(end, Err(BodyError::Mismatch { .. })), "{length}");
        assert!(matches!(reports[..], [Found::Length { expected: 100_000, .. }]), "{length}");
        assert!(passed.len() < right.len());
    }
}

#[tokio::test]
async fn a_broken_body_is_no_mismatch() {
    let right = bytes(100_000);
    let error = BodyError::Client("broken".into());
    let (passed, end, reports) = pass(pieces(&right, 1000, Some(error)), &right).await;
    assert!(matches!(end, Err(BodyError::Client(_))));
    assert!(reports.is_empty());
    assert!(passed.len() < right.len(), "not even when all bytes came");
}

#[tokio::test]
async fn a_stream_is_hashed_without_keeping_it() {
    let data = bytes(300_000);
    let hashed = hash_stream(pieces(&data, 4096, None)).await.unwrap();
    assert_eq!(hashed, (Digest::of(&data), 300_000));
    assert!(
        hash_stream(pieces(&data, 4096, Some(BodyError::Client("broken".into())))).await.is_err()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn complete_means_right(
        length in 0..150_000_usize,
        sent in 0..150_000_usize,
        same in any::<bool>(),
        flip in any::<Option<prop::sample::Index>>(),
        size in 1..100_000_usize,
    ) {
        let right = bytes(length);
        let mut data = bytes(if same { length } else { sent });
        if let Some(flip) = flip.filter(|_| !data.is_empty()) {
            let at = flip.index(data.len());
            data[at] ^= 1;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (passed, end, reports) = runtime.block_on(pass(pieces(&data, size, None), &right));
        prop_assert_eq!(end.is_ok(), data == right);
        prop_assert_eq!(reports.is_empty(), data == right);
        if data == right {
            prop_assert_eq!(passed, right);
        } else {
            prop_assert!(passed.len() < right.len() || right.is_empty());
        }
    }
}
