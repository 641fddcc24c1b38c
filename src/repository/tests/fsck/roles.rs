//! Roots, snapshots and the journal; and a publication that goes away under the walk.

use std::sync::Mutex;

use jiff::Timestamp;

use crate::repository::fsck::{Event, Level, fsck};
use crate::repository::{Commit, advance, load};
use crate::store::layout;
use crate::time::Clock;
use crate::tuf::{Digest, MetaFile, Snapshot};

use super::super::dated::Dated;
use super::super::support::Bench;
use super::{base, bytes, forge, found, found_at, scene, tells};

/// A new timestamp and commit for a snapshot that somebody with the online key changed.
async fn forge_snapshot(bench: &Bench, change: impl FnOnce(&mut Snapshot)) -> String {
    let published = load::published(&bench.store).await.unwrap();
    let mut snapshot = published.base.snapshot.signed.clone();
    change(&mut snapshot);
    let object = layout::metadata(published.base.snapshot.signed.version, "snapshot");
    let bytes = forge(bench, &object, snapshot).await;
    let sha256 = Digest::of(&bytes);
    let mut timestamp = published.timestamp.signed.clone();
    let hashes = [("sha256".to_owned(), sha256.to_string())].into();
    let version = published.base.snapshot.signed.version;
    let entry = MetaFile {
        hashes: Some(hashes),
        length: Some(bytes.len() as u64),
        ..MetaFile::version(version)
    };
    timestamp.meta.insert("snapshot.json".into(), entry);
    forge(bench, &layout::timestamp(timestamp.version), timestamp).await;
    change_commit(bench, published.base.commit, |commit| commit.snapshot.sha256 = sha256).await;
    object
}

async fn change_commit(bench: &Bench, number: u64, change: impl FnOnce(&mut Commit)) {
    let mut commit = load::commit(&bench.store, number).await.unwrap();
    change(&mut commit);
    let bytes = serde_json::to_vec(&commit).unwrap();
    bench.store.put(&layout::commit(number), bytes).await.unwrap();
}

#[tokio::test]
async fn an_incomplete_snapshot_is_found() {
    let bench = scene().await;
    let object = forge_snapshot(&bench, |snapshot| {
        snapshot.meta.remove("bins-7.json");
        snapshot.meta.insert("claimed.json".into(), MetaFile::version(3));
    });
    let object = object.await;
    let found = found(&bench.store).await;
    tells(&found, &object, "it does not list bins-7");
    tells(&found, "metadata/3.claimed.json", "it is missing");
    assert_eq!(found.len(), 2, "{found:?}");
}

#[tokio::test]
async fn a_snapshot_of_another_commit_is_found() {
    let bench = scene().await;
    let object = forge_snapshot(&bench, |snapshot| snapshot.commit = Some(2)).await;
    tells(&found(&bench.store).await, &object, "it was not written for commit 4");
}

#[tokio::test]
async fn a_journal_that_was_tampered_with_is_found() {
    let bench = scene().await;
    change_commit(&bench, 2, |commit| commit.nonce.clear()).await;
    change_commit(&bench, 3, |commit| commit.snapshot.version = 1).await;
    change_commit(&bench, 4, |commit| commit.snapshot.sha256 = Digest::of(b"")).await;
    let found = found(&bench.store).await;
    tells(&found, &layout::commit(2), "it has no nonce");
    tells(&found, &layout::commit(3), "its snapshot 1 is not above 2");
    tells(&found, &layout::commit(4), "it names another snapshot");
    assert_eq!(found.len(), 3, "{found:?}");
}

#[tokio::test]
async fn only_a_restore_leaves_a_gap_in_the_journal() {
    let bench = scene().await;
    let now = Timestamp::now();
    let next = |number: u64, version: u64| {
        let store = bench.store.clone();
        async move {
            let mut commit = load::commit(&store, 4).await.unwrap();
            (commit.number, commit.snapshot.version, commit.at) = (number, version, now);
            let bytes = serde_json::to_vec(&commit).unwrap();
            store.put(&layout::commit(number), bytes).await.unwrap();
        }
    };
    let unix = now.as_second() as u64;
    next(unix, 10).await;
    next(unix + 1, 11).await;
    let after_restore = found(&bench.store).await;
    assert_eq!(after_restore.len(), 1, "{after_restore:?}");
    assert_eq!(after_restore[0].level, Level::Warning);
    tells(&after_restore, &layout::commit(unix + 1), "no timestamp shows it yet");
    bench.store.delete(vec![layout::commit(unix)]).await.unwrap();
    next(unix + 100_000, 12).await;
    tells(&found(&bench.store).await, &layout::commit(unix + 2), "are missing");
}

#[tokio::test]
async fn what_a_restore_leaves_is_whole() {
    let bench = scene().await;
    let advanced = advance(bench.store.clone(), bench.config(), 0, |_, _| ()).await.unwrap();
    assert!(advanced.commit > 1_000_000_000);
    assert_eq!(found(&bench.store).await, []);
    // Also where an operator named a number past the Unix time.
    advance(bench.store.clone(), bench.config(), 9_000_000_000, |_, _| ()).await.unwrap();
    assert_eq!(found(&bench.store).await, []);
}

#[tokio::test]
async fn what_expired_is_a_warning() {
    let bench = scene().await;
    let later = Timestamp::now() + std::time::Duration::from_secs(400 * 86_400);
    let (summary, found) = found_at(&bench.store, later).await;
    assert_eq!((summary.damage, summary.warnings), (0, 6));
    for object in ["root/", "timestamps/", ".snapshot.", ".targets.", ".bins.", ".bins-"] {
        tells(&found, object, "it expired at");
    }
    tells(&found, ".bins-", "the first of 16 expired bins");
}

#[tokio::test]
async fn a_second_root_is_signed_by_the_first() {
    let bench = scene().await;
    let mut root = load::root(&bench.store).await.unwrap().signed;
    root.version = 2;
    forge(&bench, &layout::root(2), root.clone()).await;
    tells(&found(&bench.store).await, &layout::root(2), "root is signed by 0 of the 1 keys");
    // Another trust root altogether: by itself it is sound.
    let key = bench.online().key().clone();
    root.keys.insert(key.id(), key.clone());
    root.roles.get_mut("root").unwrap().keyids = vec![key.id()];
    forge(&bench, &layout::root(2), root).await;
    tells(&found(&bench.store).await, &layout::root(2), "by the version before it");
}

/// What it looks at is superseded and collected under it: it looks at what came after.
#[tokio::test]
async fn a_publication_that_vanishes_is_no_damage() {
    let bench = scene().await;
    let base = base(&bench).await;
    let newest = layout::timestamp(4);
    let hidden = bytes(&bench.store, &newest).await;
    bench.store.delete(vec![newest.clone()]).await.unwrap();
    let old = layout::metadata(base.snapshot.signed.version - 1, "snapshot");

    let dated = Dated::over(bench.faulty.clone(), Clock::System);
    let store = bench.store.clone();
    let mut once = Some((newest, hidden, old.clone()));
    dated.on_read(move |name| {
        if name != old {
            return;
        }
        let Some((newest, hidden, old)) = once.take() else { return };
        let store = store.clone();
        // Reads are answered within a runtime, which cannot wait for another future: a thread can.
        let collected = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                store.put(&newest, hidden).await.unwrap();
                store.delete(vec![old]).await.unwrap();
            });
        });
        collected.join().unwrap();
    });
    let again = Mutex::new(0);
    let tell = |event: Event<'_>| match event {
        Event::Again => *again.lock().unwrap() += 1,
        Event::Found(finding) => panic!("{finding:?}"),
        Event::Progress(..) => {}
    };
    let summary = fsck(&dated.store(), Timestamp::now(), &tell).await.unwrap().unwrap();
    assert_eq!((summary.timestamp, summary.commit, *again.lock().unwrap()), (4, 4, 1));
}
