use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use object_store::{ObjectStore, ObjectStoreExt as _};

use super::part::{Home, Part, bins_of, page_of, parts};
use super::*;
use crate::index::Format;
use crate::repository::fsck::{Event, fsck};
use crate::repository::tests::support::{Bench, Blocks as Block, Fault, Faulty, page, project};
use crate::repository::{Blocked, Journal, Selection, load, page_path};
use crate::store::layout;
use crate::tuf::{Expiry, Retired, SuccinctRoles, TargetPath, Targets};

/// What a repository has of these projects: file names with hashes.
async fn state(bench: &Bench) -> BTreeMap<String, BTreeMap<String, String>> {
    let running = bench.open().await.unwrap();
    let mut all = BTreeMap::new();
    for name in running.repository.projects().await.unwrap() {
        let page = running.repository.model(&name).await.unwrap().unwrap();
        let files = page.files.iter();
        let files = files.map(|f| (f.filename.clone(), f.sha256().unwrap().to_owned())).collect();
        all.insert(name.to_string(), files);
    }
    running.stop().await;
    all
}

async fn retired(bench: &Bench) -> Vec<String> {
    let base = load::published(&bench.store).await.unwrap().base;
    let mut names = Vec::new();
    for index in 0..16 {
        let (bin, _) = crate::repository::bin::read(&bench.store, &base, index).await.unwrap();
        names.extend(bin.signed.retired.unwrap_or_default().into_keys().map(String::from));
    }
    names.sort();
    names
}

async fn is_whole(bench: &Bench) {
    let tell = |event: Event<'_>| {
        if let Event::Found(finding) = event {
            panic!("{finding:?}");
        }
    };
    fsck(&bench.store, Timestamp::now(), &tell).await.unwrap().unwrap();
}

/// A good state, and its snapshot's version.
async fn good() -> (Bench, u64) {
    let bench = Bench::new().await;
    let running = bench.open().await.unwrap();
    for good in [
        page("kept", &[("kept-1.0.tar.gz", "kept")]),
        page("turned", &[("turned-1.0.tar.gz", "good"), ("turned-1.1.tar.gz", "good")]),
        page("taken", &[("taken-1.0.tar.gz", "taken")]),
        page("old", &[("old-1.0.tar.gz", "old"), ("old-2.0.tar.gz", "old")]),
        page("old", &[("old-2.0.tar.gz", "old")]),
    ] {
        running.publish(&good).await.unwrap();
    }
    let version = running.repository.published().base.snapshot.signed.version;
    running.stop().await;
    (bench, version)
}

/// What a thief with the online key does.
async fn evil(bench: &Bench) {
    let running = bench.open().await.unwrap();
    for evil in [
        page("evil", &[("evil-1.0.tar.gz", "evil"), ("evil-2.0.tar.gz", "evil")]),
        page("evil", &[("evil-2.0.tar.gz", "evil")]),
        page("turned", &[("turned-1.0.tar.gz", "evil"), ("turned-1.1.tar.gz", "good")]),
        page("taken", &[]),
    ] {
        running.publish(&evil).await.unwrap();
    }
    let block = Block(project("old"), Blocked::Files(vec!["old-2.0.tar.gz".into()]));
    running.publisher.publish(Arc::new(block)).await.unwrap();
    running.stop().await;
}

async fn prepare(bench: &Bench, from: Option<Store>, to: u64) -> Result<Recovery, RecoverError> {
    Recovery::prepare(bench.store.clone(), from, to, bench.config(), |_, _| ()).await
}

async fn versions(bench: &Bench) -> Vec<u64> {
    let published = load::published(&bench.store).await.unwrap();
    let base = &published.base;
    let bins = base.succinct.names().map(|bin| base.version_of(&bin).unwrap());
    let others = [published.timestamp.signed.version, base.snapshot.signed.version, base.commit];
    bins.chain(others).collect()
}

#[tokio::test]
async fn what_a_thief_did_is_told_and_put_back() {
    let (bench, version) = good().await;
    let (was, names) = (state(&bench).await, retired(&bench).await);
    evil(&bench).await;
    let before = versions(&bench).await;
    let recovery = prepare(&bench, None, version).await.unwrap();
    let told = recovery.comparison();
    assert_eq!(told.projects.keys().collect::<Vec<_>>(), ["evil", "old", "taken", "turned"]);
    let paths = |all: &[Difference]| all.iter().map(|d| d.path.clone()).collect::<Vec<_>>();
    let evil = &told.projects["evil"];
    assert_eq!(paths(&evil.added)[0], "files/evil/evil-2.0.tar.gz");
    assert_eq!(paths(&evil.retired), ["files/evil/evil-1.0.tar.gz"]);
    assert_eq!(paths(&told.projects["turned"].changed)[0], "files/turned/turned-1.0.tar.gz");
    assert_eq!(paths(&told.projects["taken"].removed)[0], "files/taken/taken-1.0.tar.gz");
    let blocks = Blocks { was: vec![], now: vec!["old-2.0.tar.gz".into()] };
    assert_eq!(told.projects["old"].blocked, Some(blocks));
    // Two pages and a file each, JSON and HTML.
    assert_eq!((told.added, told.changed, told.removed, told.lost), (3, 3, 3, 0));

    let done = recovery.publish(Then::Restore, |_, _| ()).await.unwrap();
    assert_eq!(done.bins, 16);
    assert_eq!((state(&bench).await, retired(&bench).await), (was, names));
    for (after, before) in versions(&bench).await.into_iter().zip(before) {
        assert!(after > before, "{after} {before}");
    }
    is_whole(&bench).await;
    let journal = Journal::open(bench.store.clone()).await.unwrap();
    let newest = journal.select(Selection::default()).try_next().await.unwrap().unwrap();
    assert!(newest.by.ends_with(&format!(", recover --to {version} --restore")), "{}", newest.by);
    let record = newest.projects.iter().find(|r| r.project.as_str() == "turned").unwrap();
    assert_eq!(record.added[0].filename, "turned-1.0.tar.gz");
    assert_ne!(record.added[0].sha256, record.removed[0].sha256);
    // The name is free again: the mirror's own bytes can have it.
    let running = bench.open().await.unwrap();
    let honest = page("evil", &[("evil-1.0.tar.gz", "honest")]);
    assert!(running.publish(&honest).await.unwrap().changed);
}

#[tokio::test]
async fn what_is_kept_is_signed_anew() {
    let (bench, version) = good().await;
    evil(&bench).await;
    let (was, names, before) = (state(&bench).await, retired(&bench).await, versions(&bench).await);
    let recovery = prepare(&bench, None, version).await.unwrap();
    recovery.publish(Then::Keep, |_, _| ()).await.unwrap();
    assert_eq!((state(&bench).await, retired(&bench).await), (was, names));
    for (after, before) in versions(&bench).await.into_iter().zip(before) {
        assert!(after > before, "{after} {before}");
    }
    is_whole(&bench).await;
}

/// A page that comes back must not lean on an object that garbage collection may take.
#[tokio::test]
async fn pages_come_back_under_the_new_commit() {
    let (bench, version) = good().await;
    evil(&bench).await;
    let recovery = prepare(&bench, None, version).await.unwrap();
    let done = recovery.publish(Then::Restore, |_, _| ()).await.unwrap();
    let running = bench.open().await.unwrap();
    let json = page_path(&project("turned"), Format::Json).unwrap();
    let target = running.repository.target(&json).await.unwrap().unwrap();
    assert_eq!(target.commit(), Some(done.commit));
    let json = page_path(&project("kept"), Format::Json).unwrap();
    let target = running.repository.target(&json).await.unwrap().unwrap();
    assert!(target.commit().unwrap() < done.commit, "what is as it was stays where it is");
}

#[tokio::test]
async fn a_recovery_that_died_anywhere_is_begun_again() {
    let (mut writes, mut done) = (0, false);
    while !done {
        let (bench, version) = good().await;
        let was = state(&bench).await;
        evil(&bench).await;
        let recovery = prepare(&bench, None, version).await.unwrap();
        bench.faulty.plan(Some((writes, Fault::CrashAfter)));
        done = recovery.publish(Then::Restore, |_, _| ()).await.is_ok();
        bench.faulty.plan(None);
        let again = prepare(&bench, None, version).await.unwrap();
        again.publish(Then::Restore, |_, _| ()).await.unwrap();
        assert_eq!(state(&bench).await, was);
        is_whole(&bench).await;
        writes += 3;
    }
    assert!(writes > 20, "{writes}");
}

async fn copy(bench: &Bench) -> Store {
    let to = Faulty::new();
    let all: Vec<_> = bench.faulty.list(None).try_collect().await.unwrap();
    for meta in all {
        let bytes = bench.faulty.get(&meta.location).await.unwrap().bytes().await.unwrap();
        to.put(&meta.location, bytes.into()).await.unwrap();
    }
    Store::over_objects(to)
}

async fn delete_pages(store: &Store) {
    let pages = store.list(layout::PAGES).await.unwrap();
    let pages = pages.iter().map(|page| format!("{}/{}", layout::PAGES, page.name));
    store.delete(pages.collect()).await.unwrap();
}

#[tokio::test]
async fn what_was_collected_comes_from_a_copy() {
    let (bench, version) = good().await;
    let (was, copy) = (state(&bench).await, copy(&bench).await);
    evil(&bench).await;
    bench.store.delete(vec![layout::metadata(version, "snapshot")]).await.unwrap();
    let gone = prepare(&bench, None, version).await.err().unwrap();
    assert!(matches!(gone, RecoverError::Gone { .. }), "{gone}");
    let recovery = prepare(&bench, Some(copy), version).await.unwrap();
    recovery.publish(Then::Restore, |_, _| ()).await.unwrap();
    assert_eq!(state(&bench).await, was);
    is_whole(&bench).await;
}

#[tokio::test]
async fn a_project_whose_page_is_lost_is_dropped_and_its_names_keep_their_bytes() {
    let (bench, version) = good().await;
    let copy = copy(&bench).await;
    let kept = bench.store.list(layout::PAGES).await.unwrap();
    evil(&bench).await;
    // All good pages but those that are published still.
    let lost = kept.iter().map(|page| format!("{}/{}", layout::PAGES, page.name));
    delete_pages(&copy).await;
    let base = load::published(&bench.store).await.unwrap().base;
    let mut named = Vec::new();
    for index in 0..16 {
        let (bin, _) = crate::repository::bin::read(&bench.store, &base, index).await.unwrap();
        named.extend(
            bin.signed
                .targets
                .values()
                .filter_map(|target| Some(layout::page(&target.sha256()?, target.commit()?))),
        );
    }
    let lost = lost.filter(|page| !named.contains(page)).collect();
    bench.store.delete(lost).await.unwrap();

    let recovery = prepare(&bench, Some(copy), version).await.unwrap();
    assert_eq!(recovery.comparison().lost, 2);
    assert!(recovery.comparison().projects["taken"].lost);
    recovery.publish(Then::Restore, |_, _| ()).await.unwrap();
    assert_eq!(state(&bench).await.into_keys().collect::<Vec<_>>(), ["kept", "old"]);
    let names = retired(&bench).await;
    assert!(names.contains(&"files/turned/turned-1.0.tar.gz".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("evil")), "{names:?}");
    is_whole(&bench).await;
}

#[tokio::test]
async fn what_is_not_the_good_state_is_refused() {
    let (bench, version) = good().await;
    let none = prepare(&bench, None, version + 9).await.err().unwrap();
    assert!(matches!(none, RecoverError::NotOlder { .. }), "{none}");
    let other = Bench::new().await;
    let another = prepare(&bench, Some(other.store.clone()), version).await.err().unwrap();
    assert!(matches!(another, RecoverError::Another), "{another}");
    // An orphan that was never committed.
    evil(&bench).await;
    let name = layout::metadata(version, "snapshot");
    let bytes = bench.store.read(&name).await.unwrap().unwrap();
    let mut snapshot = crate::tuf::Signed::<crate::tuf::Snapshot>::parse(&bytes).unwrap().signed;
    snapshot.expires = Expiry::at(Timestamp::now());
    let forged = crate::signer::sign(snapshot, &[bench.online()]).await.unwrap();
    bench.store.put(&name, forged.to_bytes().unwrap()).await.unwrap();
    let forged = prepare(&bench, None, version).await.err().unwrap();
    assert!(matches!(forged, RecoverError::Unpublished { .. }), "{forged}");
}

#[test]
fn what_lies_in_few_bins_is_dealt_out_to_many_and_back() {
    let bins = |bit_length| SuccinctRoles {
        bit_length,
        keyids: vec![],
        name_prefix: "b".into(),
        threshold: 1,
        extra: BTreeMap::new(),
    };
    let (few, many) = (bins(2), bins(5));
    assert_eq!((parts(&few, &many), parts(&many, &few)), (4, 4));
    assert_eq!((bins_of(&few, 3, 4), bins_of(&many, 3, 4)), (3..4, 24..32));
    let empty = |bins: &SuccinctRoles, part| {
        let bin = Targets::empty(1, Expiry::at(Timestamp::UNIX_EPOCH));
        bins_of(bins, part, 4).map(|index| (index, bin.clone())).collect::<BTreeMap<_, _>>()
    };
    for part in 0..4 {
        let of = |path: &str| few.index_of(path) == part;
        let mut whole = Part::default();
        for n in 0..64 {
            let (name, path) = (format!("p{n}"), format!("files/p{n}/f"));
            let file = TargetFile::new(Digest::of(b""), n, None);
            let retired =
                Retired { core_metadata: None, sha256: Digest::of(b""), extra: BTreeMap::new() };
            if of(&path) {
                whole.targets.insert(path.clone(), file);
                let key = (TargetPath::new(path.clone()).unwrap(), Home::File);
                whole.retired.insert(key, retired.clone());
            }
            if of(&page_of(&name)) {
                whole.blocked.insert(format!("simple/{name}"), vec!["*".into()]);
                // Where it lies in the page's bin by chance too, nothing tells it from one of the file's own.
                if few.index_of(&path) != few.index_of(&page_of(&name)) {
                    whole.retired.insert((TargetPath::new(path).unwrap(), Home::Page), retired);
                }
            }
        }
        let mut dealt = empty(&many, part);
        whole.clone().deal(&many, &mut dealt);
        let count = |bins: &BTreeMap<u32, Targets>| {
            let retired = |bin: &Targets| bin.retired.as_ref().map_or(0, BTreeMap::len);
            bins.values().map(|b| b.targets.len() + retired(b)).sum::<usize>()
        };
        assert_eq!(count(&dealt), whole.targets.len() + whole.retired.len());
        for (index, bin) in &dealt {
            assert!(bin.targets.keys().all(|path| many.index_of(path) == *index));
        }
        let mut again = Part::default();
        for (index, mut bin) in dealt {
            again.take(&many, index, &mut bin);
        }
        assert_eq!(again, whole);
        let mut fewer = empty(&few, part);
        again.deal(&few, &mut fewer);
        assert_eq!(count(&fewer), whole.targets.len() + whole.retired.len());
    }
}
