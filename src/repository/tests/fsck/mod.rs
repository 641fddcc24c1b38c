//! Damage of every kind is found, and nothing else is.

mod forged;
mod roles;

use std::sync::Mutex;

use bytes::Bytes;
use jiff::Timestamp;

use crate::config::TargetsMode;
use crate::repository::fsck::{Event, Finding, Summary, fsck};
use crate::repository::{Base, load};
use crate::signer::sign;
use crate::store::{Store, layout};
use crate::tuf::{Digest, Role, Signed, Targets};

use super::support::{Bench, page};

/// What is found at `now`.
async fn found_at(store: &Store, now: Timestamp) -> (Summary, Vec<Finding>) {
    let found = Mutex::new(Vec::new());
    let tell = |event: Event<'_>| {
        if let Event::Found(finding) = event {
            found.lock().unwrap().push(finding.clone());
        }
    };
    let summary = fsck(store, now, &tell).await.unwrap().expect("it ends");
    (summary, found.into_inner().unwrap())
}

async fn found(store: &Store) -> Vec<Finding> {
    found_at(store, Timestamp::now()).await.1
}

/// Fails unless one finding has `object` in its object and `problem` in its problem.
fn tells(found: &[Finding], object: &str, problem: &str) {
    assert!(
        found.iter().any(|f| f.object.contains(object) && f.problem.contains(problem)),
        "no finding on {object} with {problem:?}: {found:#?}"
    );
}

/// A repository with two projects.
async fn scene() -> Bench {
    let bench = Bench::new().await;
    fill(&bench).await;
    bench
}

async fn fill(bench: &Bench) {
    let running = bench.open().await.unwrap();
    let old = [("demo-0.9.tar.gz", "old"), ("demo-1.0.tar.gz", "one")];
    running.publish(&page("demo", &old)).await.unwrap();
    let new = [("demo-1.0.tar.gz", "one"), ("demo-2.0.tar.gz", "two")];
    running.publish(&page("demo", &new)).await.unwrap();
    running.publish(&page("other", &[("other-1.0.tar.gz", "x")])).await.unwrap();
    running.stop().await;
}

async fn base(bench: &Bench) -> Base {
    load::published(&bench.store).await.unwrap().base
}

fn bin_object(base: &Base, name: &str) -> String {
    layout::metadata(base.version_of(name).unwrap(), name)
}

/// The object of the bin of `path`.
fn bin_of(base: &Base, path: &str) -> String {
    bin_object(base, &base.succinct.bin_of(path))
}

async fn bytes(store: &Store, name: &str) -> Bytes {
    store.read(name).await.unwrap().unwrap_or_else(|| panic!("{name}"))
}

/// Writes `role` as `name`, signed by the online key.
async fn forge<R: Role>(bench: &Bench, name: &str, role: R) -> Bytes {
    let signed = sign(role, &[bench.online()]).await.unwrap();
    let bytes = Bytes::from(signed.to_bytes().unwrap());
    bench.store.put(name, bytes.clone()).await.unwrap();
    bytes
}

/// Changes the bin of `path`, as the online key's thief could.
async fn forge_bin(bench: &Bench, path: &str, change: impl FnOnce(&mut Targets)) -> String {
    let object = bin_of(&base(bench).await, path);
    let mut bin = Signed::<Targets>::parse(&bytes(&bench.store, &object).await).unwrap().signed;
    change(&mut bin);
    forge(bench, &object, bin).await;
    object
}

const JSON: &str = "simple/demo/vnd.pypi.simple.v1.json";
const HTML: &str = "simple/demo/vnd.pypi.simple.v1.html";
const FILE: &str = "files/demo/demo-1.0.tar.gz";

#[tokio::test]
async fn a_whole_repository_is_whole() {
    for targets in [TargetsMode::All, TargetsMode::Index] {
        for html in [true, false] {
            let mut bench = Bench::new().await;
            bench.contents.targets = targets;
            bench.contents.html = html;
            fill(&bench).await;
            let (summary, found) = found_at(&bench.store, Timestamp::now()).await;
            assert_eq!(found, []);
            assert_eq!((summary.roots, summary.bins, summary.commits), (1, 16, 4));
            assert_eq!(summary.pages, if html { 4 } else { 2 });
            assert_eq!(summary.files, if targets == TargetsMode::All { 3 } else { 0 });
        }
    }
}

#[tokio::test]
async fn orphans_and_what_is_within_grace_are_no_damage() {
    let bench = scene().await;
    bench.store.put(&layout::metadata(99, "snapshot"), "orphan").await.unwrap();
    bench.store.put(&layout::page(&Digest::of(b""), 99), "orphan").await.unwrap();
    bench.store.delete(vec![layout::timestamp(1)]).await.unwrap();
    assert_eq!(found(&bench.store).await, []);
}

/// Every object that the newest timestamp reaches, and the journal.
async fn all_objects(bench: &Bench) -> Vec<String> {
    let base = base(bench).await;
    let newest = load::newest_timestamp(&bench.store).await.unwrap().unwrap();
    let mut objects = vec![layout::root(1), layout::timestamp(newest)];
    objects.extend((1..=base.commit).map(layout::commit));
    objects.push(layout::metadata(base.snapshot.signed.version, "snapshot"));
    objects.extend(["targets", "bins"].map(|role| bin_object(&base, role)));
    for name in base.succinct.names() {
        let object = bin_object(&base, &name);
        let bin = Signed::<Targets>::parse(&bytes(&bench.store, &object).await).unwrap();
        objects.extend(
            bin.signed.targets.values().filter_map(|target| {
                Some(layout::page(&target.sha256().unwrap(), target.commit()?))
            }),
        );
        objects.push(object);
    }
    objects
}

#[tokio::test]
async fn a_flipped_byte_in_any_object_is_found() {
    let bench = scene().await;
    let objects = all_objects(&bench).await;
    assert_eq!(objects.len(), 2 + 4 + 1 + 2 + 16 + 4);
    for object in objects {
        let good = bytes(&bench.store, &object).await;
        // Of what a commit says little is held against anything else: its first byte makes it unreadable.
        let at = if object.starts_with("journal/") { 0 } else { good.len() / 2 };
        let mut bad = good.to_vec();
        bad[at] ^= 1;
        bench.store.put(&object, bad).await.unwrap();
        tells(&found(&bench.store).await, &object, "");
        let cut = good.slice(..good.len() / 2);
        bench.store.put(&object, cut).await.unwrap();
        tells(&found(&bench.store).await, &object, "");
        bench.store.put(&object, good).await.unwrap();
    }
    assert_eq!(found(&bench.store).await, []);
}

#[tokio::test]
async fn a_missing_object_of_any_kind_is_found() {
    let bench = scene().await;
    let newest = load::newest_timestamp(&bench.store).await.unwrap().unwrap();
    for object in all_objects(&bench).await {
        let good = bytes(&bench.store, &object).await;
        bench.store.delete(vec![object.clone()]).await.unwrap();
        let found = found(&bench.store).await;
        if object == layout::timestamp(newest) || object == layout::commit(4) {
            // The one before is a whole publication too; a commit that it does not show is.
            assert!(!found.is_empty(), "{object}");
        } else {
            tells(&found, &object, "missing");
        }
        bench.store.put(&object, good).await.unwrap();
    }
    assert_eq!(found(&bench.store).await, []);
}

#[tokio::test]
async fn swapped_bins_are_found() {
    let bench = scene().await;
    let base = base(&bench).await;
    let (one, two) = (bin_of(&base, JSON), bin_of(&base, HTML));
    assert_ne!(one, two);
    let (first, second) = (bytes(&bench.store, &one).await, bytes(&bench.store, &two).await);
    bench.store.put(&one, second).await.unwrap();
    bench.store.put(&two, first).await.unwrap();
    let found = found(&bench.store).await;
    tells(&found, &one, "");
    tells(&found, &two, "");
}

/// All bins are signed by one key: an older version of one is.
#[tokio::test]
async fn a_stale_bin_is_found() {
    let bench = scene().await;
    let base = base(&bench).await;
    let object = bin_of(&base, JSON);
    let old = layout::metadata(1, &base.succinct.bin_of(JSON));
    bench.store.put(&object, bytes(&bench.store, &old).await).await.unwrap();
    tells(&found(&bench.store).await, &object, "it holds version 1");
}
