//! Reading the journal: every order, every gap, and not more of it than is asked for.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use object_store::memory::InMemory;
use proptest::prelude::*;

use crate::repository::{
    Commit, FileRecord, Journal, ProjectRecord, RepositoryError, Selection, SnapshotRef,
};
use crate::store::{Durable, Store, layout};
use crate::tuf::Digest;

use super::support::{Bench, page, project};

/// When commits are made whose age does not matter.
const HOUR: i64 = 3600;

fn commit(number: u64, at: i64, projects: &[&str]) -> Commit {
    let record = |name: &&str| ProjectRecord {
        project: project(name),
        added: vec![FileRecord { filename: format!("{name}.whl"), sha256: Digest::of(b"") }],
        removed: Vec::new(),
        refused: Vec::new(),
        allowed: Vec::new(),
        blocked: None,
    };
    Commit {
        number,
        snapshot: SnapshotRef { version: number, sha256: Digest::of(b"") },
        nonce: format!("nonce {number}"),
        at: Timestamp::from_second(at).unwrap(),
        by: "test".into(),
        projects: projects.iter().map(record).collect(),
        renewed: 0,
        roles: Vec::new(),
        beside: None,
        timestamp: None,
    }
}

async fn store(commits: &[Commit]) -> Store {
    let store = Store::over_objects(Arc::new(InMemory::new()));
    for commit in commits {
        let bytes = serde_json::to_vec(commit).unwrap();
        store.create(&layout::commit(commit.number), bytes, Durable::Now).await.unwrap();
    }
    store
}

async fn numbers(journal: &Journal, selection: Selection) -> Vec<u64> {
    journal.select(selection).map(|commit| commit.unwrap().number).collect().await
}

fn since(at: i64, oldest_first: bool) -> Selection {
    let since = Some(Timestamp::from_second(at).unwrap());
    Selection { since, oldest_first, ..Selection::default() }
}

#[tokio::test]
async fn what_was_published_is_told_by_project() {
    let bench = Bench::new().await;
    let running = bench.open().await.unwrap();
    for (name, file) in [("one", "one-1.0.tar.gz"), ("two", "two-1.0.tar.gz")] {
        running.publish(&page(name, &[(file, "x")])).await.unwrap();
    }
    running.publish(&page("one", &[("one-2.0.tar.gz", "y")])).await.unwrap();
    let journal = Journal::open(bench.store.clone()).await.unwrap();
    assert_eq!(journal.newest(), 4);
    assert_eq!(numbers(&journal, Selection::default()).await, [4, 3, 2, 1]);
    let of_one = Selection { project: Some(project("one")), ..Selection::default() };
    let of_one: Vec<_> = journal.select(of_one).map(Result::unwrap).collect().await;
    assert_eq!(of_one.iter().map(|commit| commit.number).collect::<Vec<_>>(), [4, 2]);
    assert_eq!(of_one[0].projects[0].added[0].filename, "one-2.0.tar.gz");
    assert_eq!(of_one[0].projects[0].removed[0].filename, "one-1.0.tar.gz");
}

#[tokio::test]
async fn a_commit_of_many_projects_tells_of_the_one_that_is_asked_for() {
    let both = commit(1, HOUR, &["one", "two"]);
    let journal = Journal::open(store(&[both]).await).await.unwrap();
    let of_two = Selection { project: Some(project("two")), ..Selection::default() };
    let found: Vec<_> = journal.select(of_two).map(Result::unwrap).collect().await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].projects.len(), 1);
    assert_eq!(found[0].projects[0].project, project("two"));
}

#[tokio::test]
async fn an_empty_store_has_no_journal() {
    let opened = Journal::open(store(&[]).await).await;
    assert!(matches!(opened, Err(RepositoryError::Missing)));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_hides_no_other() {
    let commits: Vec<_> = (1..=40).map(|n| commit(n, n as i64 * HOUR, &[])).collect();
    let store = store(&commits).await;
    store.put(&layout::commit(20), "{").await.unwrap();
    store.put(&layout::commit(30), serde_json::to_vec(&commits[0]).unwrap()).await.unwrap();
    let journal = Journal::open(store).await.unwrap();
    for oldest_first in [false, true] {
        let read: Vec<_> =
            journal.select(Selection { oldest_first, ..Selection::default() }).collect().await;
        assert_eq!(read.len(), 40);
        let bad: Vec<_> = read.iter().filter_map(|commit| commit.as_ref().err()).collect();
        assert!(bad.iter().all(|error| matches!(error, RepositoryError::Damaged { .. })));
        assert_eq!(bad.len(), 2);
    }
}

/// Reading a day of a long journal reads little more than that day.
#[tokio::test]
async fn the_start_is_found_without_reading_all() {
    let commits: Vec<_> = (1..=3000).map(|n| commit(n, n as i64 * HOUR, &[])).collect();
    let store = store(&commits).await;
    // What is not read cannot be told.
    for number in 1..1500 {
        store.put(&layout::commit(number), "{").await.unwrap();
    }
    let journal = Journal::open(store).await.unwrap();
    for oldest_first in [true, false] {
        let mut found = numbers(&journal, since(2900 * HOUR, oldest_first)).await;
        found.sort_unstable();
        assert_eq!(found, (2900..=3000).collect::<Vec<u64>>());
    }
}

/// Runs of commits with gaps between them, in time as in number.
fn runs() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((1..40_u64, 1..2_000_000_000_u64), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_commit_is_found_once_across_gaps(runs in runs(), from in 0..160_usize) {
        let mut commits = Vec::new();
        let mut number = 0;
        for (length, gap) in runs {
            for _ in 0..length {
                number += 1;
                commits.push(commit(number, commits.len() as i64 * HOUR, &[]));
            }
            number += gap;
        }
        let all: Vec<u64> = commits.iter().map(|commit| commit.number).collect();
        let late: Vec<u64> = all.iter().copied().skip(from).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let journal = Journal::open(store(&commits).await).await.unwrap();
            let oldest_first = Selection { oldest_first: true, ..Selection::default() };
            assert_eq!(numbers(&journal, oldest_first).await, all);
            assert_eq!(numbers(&journal, since(from as i64 * HOUR, true)).await, late);
            let reversed = |numbers: &[u64]| numbers.iter().rev().copied().collect::<Vec<u64>>();
            assert_eq!(numbers(&journal, Selection::default()).await, reversed(&all));
            assert_eq!(numbers(&journal, since(from as i64 * HOUR, false)).await, reversed(&late));
        });
    }
}

/// Two writers' clocks may differ: neither order loses what was made just after the time that is asked for.
#[tokio::test]
async fn clocks_that_differ_hide_nothing() {
    let ahead = Duration::from_secs(9 * 60).as_secs() as i64;
    let commits: Vec<_> = (1..=100)
        .map(|n| commit(n, n as i64 * 60 + if n % 2 == 0 { ahead } else { 0 }, &[]))
        .collect();
    let journal = Journal::open(store(&commits).await).await.unwrap();
    let time = 50 * 60;
    let wanted = commits.iter().filter(|commit| commit.at.as_second() >= time).count();
    for oldest_first in [true, false] {
        assert_eq!(numbers(&journal, since(time, oldest_first)).await.len(), wanted);
    }
}
