//! Damage of every kind is found, and nothing else is.

use std::sync::Mutex;

use bytes::Bytes;
use jiff::Timestamp;

use crate::config::TargetsMode;
use crate::index::{Format, Links, render_html, render_json};
use crate::repository::fsck::{Event, Finding, Level, Summary, fsck};
use crate::repository::pages::pack;
use crate::repository::{Base, Commit, file_path, load, page_path};
use crate::signer::sign;
use crate::store::{Store, layout};
use crate::time::Clock;
use crate::tuf::{
    Digest, MetaFile, Retired, Role, Signed, Snapshot, TargetFile, TargetPath, Targets,
};

use super::dated::Dated;
use super::support::{Bench, page, project};

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

#[tokio::test]
async fn a_target_in_a_wrong_bin_is_found() {
    let bench = scene().await;
    let target = TargetFile::new(Digest::of(b"one"), 3, None);
    let here = base(&bench).await.succinct.bin_of(JSON);
    let elsewhere = (0..).map(|n| format!("files/demo/demo-{n}.whl"));
    let base = base(&bench).await;
    let stranger = elsewhere.into_iter().find(|p| base.succinct.bin_of(p) != here).unwrap();
    let object = forge_bin(&bench, JSON, |bin| {
        bin.targets.insert(stranger.clone(), target);
    });
    let object = object.await;
    tells(&found(&bench.store).await, &object, &format!("{stranger:?}, one of 1 targets"));
}

#[tokio::test]
async fn targets_that_nobody_would_sign_are_found() {
    let bench = scene().await;
    let base = base(&bench).await;
    let bin = base.succinct.bin_of(FILE);
    let path = |form: &str| {
        let mut paths = (0..).map(|n: u32| form.replace('N', &n.to_string()));
        paths.find(|path| base.succinct.bin_of(path) == bin).unwrap()
    };
    let [bad, unknown, unlisted] =
        ["files/demo/../N.whl", "elsewhere/demo/N.whl", "files/demo/demo-N.whl"].map(path);
    let object = forge_bin(&bench, FILE, |bin| {
        for path in [&bad, &unknown, &unlisted] {
            bin.targets.insert(path.clone(), TargetFile::new(Digest::of(b"x"), 1, None));
        }
    });
    let object = object.await;
    let found = found(&bench.store).await;
    tells(&found, &object, "cannot be a target path");
    tells(&found, &object, "is neither a page nor a file");
    tells(&found, &unlisted, "no page lists this target");
}

#[tokio::test]
async fn a_file_without_its_target_is_found() {
    let bench = scene().await;
    forge_bin(&bench, FILE, |bin| drop(bin.targets.remove(FILE))).await;
    tells(&found(&bench.store).await, JSON, &format!("{FILE}, which it lists, is no target"));
}

#[tokio::test]
async fn a_target_of_another_hash_or_length_is_found() {
    for other in
        [TargetFile::new(Digest::of(b"1"), 3, None), TargetFile::new(Digest::of(b"one"), 4, None)]
    {
        let bench = scene().await;
        forge_bin(&bench, FILE, |bin| drop(bin.targets.insert(FILE.into(), other))).await;
        tells(&found(&bench.store).await, JSON, "is a target of another hash or length");
    }
}

#[tokio::test]
async fn files_that_were_never_targets_are_told_once_and_are_no_damage() {
    let mut bench = scene().await;
    bench.contents.targets = TargetsMode::Index;
    bench.contents.html = false;
    let running = bench.open().await.unwrap();
    running.publish(&page("third", &[("third-1.0.tar.gz", "x")])).await.unwrap();
    let found = found(&bench.store).await;
    assert!(found.iter().all(|finding| finding.level == Level::Warning), "{found:?}");
    assert_eq!(found.len(), 2);
    tells(&found, "pages", "the files of 1 projects are not targets");
    tells(&found, "pages", "1 projects have no HTML page");
}

/// Puts another page of `demo` under `format`, signed.
async fn forge_page(bench: &Bench, format: Format, bytes: Vec<u8>) {
    let path = page_path(&project("demo"), format).unwrap();
    let digest = Digest::of(&bytes);
    let name = layout::page(&digest, 1);
    bench.store.put(&name, pack(&bytes).unwrap()).await.unwrap();
    let target = TargetFile::new(digest, bytes.len() as u64, Some(1));
    forge_bin(bench, path.as_str(), |bin| {
        bin.targets.insert(path.as_str().to_owned(), target);
    })
    .await;
}

#[tokio::test]
async fn pages_that_do_not_agree_are_found() {
    let bench = scene().await;
    let other = page("demo", &[("demo-1.0.tar.gz", "one")]);
    forge_page(&bench, Format::Html, render_html(&other, &bench.contents.links)).await;
    tells(&found(&bench.store).await, JSON, "its HTML page lists other files");

    let bench = scene().await;
    forge_bin(&bench, JSON, |bin| drop(bin.targets.remove(JSON))).await;
    let found = found(&bench.store).await;
    tells(&found, HTML, "there is no JSON page of its project");
    tells(&found, FILE, "no page lists this target");
}

#[tokio::test]
async fn a_signed_page_that_is_none_is_found() {
    let demo = page("demo", &[("demo-1.0.tar.gz", "one")]);
    let links = Links { tuf: "../../tuf/".into() };
    for (format, bytes, problem) in [
        (Format::Json, b"{\"meta\":".to_vec(), "not a simple API document"),
        (Format::Json, render_json(&page("another", &[]), &links), "another"),
        (Format::Html, b"<h1>It works".to_vec(), "not a simple index page"),
    ] {
        let bench = scene().await;
        forge_page(&bench, format, bytes).await;
        tells(&found(&bench.store).await, "simple/demo/", problem);
    }
    let bench = scene().await;
    let elsewhere = String::from_utf8(render_json(&demo, &links)).unwrap();
    let elsewhere = elsewhere.replace("targets/files/demo/", "targets/files/other/");
    forge_page(&bench, Format::Json, elsewhere.into_bytes()).await;
    tells(&found(&bench.store).await, JSON, "leads elsewhere");
}

#[tokio::test]
async fn a_retired_name_that_is_listed_is_found() {
    let retired = |sha256| Retired { core_metadata: None, sha256, extra: Default::default() };
    let path = file_path(&project("demo"), "demo-1.0.tar.gz").unwrap();
    let add = |bin: &mut Targets, path: &TargetPath| {
        bin.retired.get_or_insert_default().insert(path.clone(), retired(Digest::of(b"one")));
    };
    let bench = scene().await;
    let object = forge_bin(&bench, FILE, |bin| add(bin, &path)).await;
    tells(&found(&bench.store).await, &object, "is a target, and retired too");

    let mut bench = Bench::new().await;
    bench.contents.targets = TargetsMode::Index;
    fill(&bench).await;
    for keeper in [FILE, JSON] {
        forge_bin(&bench, keeper, |bin| add(bin, &path)).await;
        tells(&found(&bench.store).await, JSON, "which is retired");
    }
    let bench = scene().await;
    let succinct = base(&bench).await.succinct;
    let here = succinct.index_of(JSON);
    let stranger = (0..).find_map(|n: u32| {
        let name = project(&format!("p{n}"));
        let path = file_path(&name, "x.zip").unwrap();
        let json = page_path(&name, Format::Json).unwrap();
        let homes = [&path, &json].map(|path| succinct.index_of(path.as_str()));
        (!homes.contains(&here)).then_some(path)
    });
    let object = forge_bin(&bench, JSON, |bin| add(bin, &stranger.unwrap())).await;
    tells(&found(&bench.store).await, &object, "is retired in the wrong bin");
}

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
