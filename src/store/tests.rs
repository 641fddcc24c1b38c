//! What every store must do, and what folders do beside it.

use std::fs;
use std::path::Path;

use futures::future::join_all;
use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;

use super::*;
use crate::telemetry::Metrics;

/// What every store must do. It begins and ends empty.
async fn conforms(store: &Store) {
    creates_once(store).await;
    of_many_creators_one_wins(store).await;
    lists_in_order(store).await;
    overwrites_advice(store).await;
    a_listing_is_of_one_folder(store).await;
    what_is_missing_is_no_error(store).await;
    store.self_test().await.unwrap();
    store.sync().await.unwrap();
}

async fn creates_once(store: &Store) {
    for (durable, name) in [(Durable::Now, "metadata/1.a.json"), (Durable::AtSync, "pages/ab.7")] {
        assert_eq!(store.create(name, "a", durable).await.unwrap(), Created::New);
        for again in ["b", "a", ""] {
            assert_eq!(store.create(name, again, durable).await.unwrap(), Created::Taken);
            assert_eq!(store.read(name).await.unwrap().unwrap(), "a");
        }
    }
    let dates = [store.date("metadata/1.a.json").await, store.date("pages/ab.7").await];
    assert!(
        dates.map(|date| date.unwrap().unwrap()).iter().all(|date| *date > Timestamp::UNIX_EPOCH)
    );
    let names = ["metadata/1.a.json", "pages/ab.7"].map(str::to_owned);
    store.delete(names.into()).await.unwrap();
    assert_eq!(store.create("pages/ab.7", "c", Durable::Now).await.unwrap(), Created::New);
    store.delete(vec!["pages/ab.7".into()]).await.unwrap();
}

async fn of_many_creators_one_wins(store: &Store) {
    let name = layout::commit(1);
    let racers = (0..16).map(|n: u32| {
        let (store, name) = (store.clone(), name.clone());
        tokio::spawn(async move { store.create(&name, n.to_string(), Durable::Now).await.unwrap() })
    });
    let ended: Vec<_> =
        join_all(racers).await.into_iter().map(std::result::Result::unwrap).collect();
    let won: Vec<_> = (0..16).filter(|n| ended[*n] == Created::New).collect();
    assert_eq!(won.len(), 1, "{ended:?}");
    assert_eq!(store.read(&name).await.unwrap().unwrap(), won[0].to_string());
    store.delete(vec![name]).await.unwrap();
}

async fn lists_in_order(store: &Store) {
    let numbers = [3, 1, 12, 100, 2];
    for number in numbers {
        store.create(&layout::timestamp(number), "t", Durable::AtSync).await.unwrap();
    }
    store.create(&layout::commit(1), "c", Durable::AtSync).await.unwrap();
    let numbered = |listed: &[Listed]| -> Vec<_> {
        listed.iter().filter_map(|l| layout::number(&l.name)).collect()
    };
    let all = store.list(layout::TIMESTAMPS).await.unwrap();
    assert_eq!(numbered(&all), [1, 2, 3, 12, 100]);
    let after = |n: usize| store.list_after(layout::TIMESTAMPS, &all[n].name);
    assert_eq!(after(1).await.unwrap(), all[2..]);
    assert_eq!(after(4).await.unwrap(), []);
    let mut each: Vec<Listed> = store.each(layout::TIMESTAMPS).try_collect().await.unwrap();
    each.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(each, all);
    let date = store.date(&layout::timestamp(12)).await.unwrap().unwrap();
    // Listings may be more exact than HTTP's dates.
    assert_eq!(date.as_second(), all[3].modified.as_second());

    let names = numbers.map(layout::timestamp).into_iter().chain([layout::commit(1)]);
    let names = names.chain([layout::timestamp(4)]).collect();
    assert!(store.delete(names).await.unwrap() >= 6);
    assert!(store.list(layout::TIMESTAMPS).await.unwrap().is_empty());
    assert!(store.list(layout::JOURNAL).await.unwrap().is_empty());
}

async fn overwrites_advice(store: &Store) {
    let name = layout::watch("cursor");
    for text in ["one", "two"] {
        store.put(&name, text).await.unwrap();
        assert_eq!(store.read(&name).await.unwrap().unwrap(), text);
    }
    store.delete(vec![name]).await.unwrap();
}

async fn a_listing_is_of_one_folder(store: &Store) {
    let below = "journal/below/00000000000000000009.json";
    store.put(below, "x").await.unwrap();
    assert!(store.list("journal").await.unwrap().iter().all(|l| !l.name.contains("009")));
    assert!(
        store.list_after("journal", "0").await.unwrap().iter().all(|l| !l.name.contains("009"))
    );
    store.delete(vec![below.into()]).await.unwrap();
}

async fn what_is_missing_is_no_error(store: &Store) {
    assert_eq!(store.read("journal/none.json").await.unwrap(), None);
    assert_eq!(store.date("journal/none.json").await.unwrap(), None);
    assert!(store.list("never").await.unwrap().is_empty());
    assert!(store.list_after("never", "a").await.unwrap().is_empty());
    store.delete(vec!["journal/none.json".into()]).await.unwrap();
    assert_eq!(store.delete(Vec::new()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_folder_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("a b%20ü#1")).unwrap();
    assert!(!store.is_shared());
    conforms(&store).await;
}

#[tokio::test]
async fn memory_conforms() {
    conforms(&Store::over_objects(Arc::new(InMemory::new()))).await;
}

#[tokio::test]
async fn a_prefix_conforms_and_hides_what_lies_beside_it() {
    let bucket = Arc::new(InMemory::new());
    let beside = Store::over_shared(bucket.clone());
    beside.create("a/bc/journal/1.json", "x", Durable::Now).await.unwrap();
    let store = Store::over_shared(Arc::new(PrefixStore::new(bucket, "a/b")));
    assert!(store.is_shared());
    conforms(&store).await;
    store.create("journal/1.json", "y", Durable::Now).await.unwrap();
    assert_eq!(beside.read("a/b/journal/1.json").await.unwrap().unwrap(), "y");
    assert_eq!(beside.read("a/bc/journal/1.json").await.unwrap().unwrap(), "x");
}

#[test]
fn a_second_opener_is_refused_until_the_first_lets_go() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Locked(_)), "{error}");
    assert!(Store::open_to_read(folder.path()).is_ok());
    drop(store);
    assert!(Store::open(folder.path()).is_ok());
}

#[test]
fn a_folder_that_is_not_there_is_not_made_to_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    assert!(matches!(Store::open_to_read(&missing), Err(StoreError::Folder { .. })));
    assert!(!missing.exists());
}

fn write(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "cut sh").unwrap();
}

#[tokio::test]
async fn a_sweep_removes_what_was_cut_short_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let kept = ["pages/a.1", "journal/x#y", "journal/x#", "lock"];
    let left = ["pages/a.1#1", "journal/2.json#12", "selftest/aa#1", "selftest/bb"];
    kept.iter().chain(&left).for_each(|name| write(&folder.path().join(name)));
    assert_eq!(store.sweep(Duration::from_secs(3600)).await.unwrap(), 0);
    assert!(left.iter().all(|name| folder.path().join(name).exists()));

    let old = std::time::SystemTime::now() - Duration::from_secs(7200);
    for name in kept.iter().chain(&left) {
        let file = fs::File::options().write(true).open(folder.path().join(name)).unwrap();
        file.set_modified(old).unwrap();
    }
    assert_eq!(store.sweep(Duration::from_secs(3600)).await.unwrap(), 4);
    assert!(kept.iter().all(|name| folder.path().join(name).exists()));
    assert!(!left.iter().any(|name| folder.path().join(name).exists()));
}

#[tokio::test]
async fn a_staged_write_that_was_cut_short_hinders_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    write(&folder.path().join("journal/1.json#1"));
    assert_eq!(store.create("journal/1.json", "a", Durable::Now).await.unwrap(), Created::New);
    assert_eq!(store.list(layout::JOURNAL).await.unwrap().len(), 1);
}

/// What failed after it was visible, and before it was on the disk, is found by the next try.
#[tokio::test]
async fn our_own_bytes_are_written_again_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let file = folder.path().join("journal/1.json");
    write(&file);
    let inode = || std::os::unix::fs::MetadataExt::ino(&fs::metadata(&file).unwrap());
    for durable in [Durable::Now, Durable::AtSync] {
        let first = inode();
        assert_eq!(store.create("journal/1.json", "x", durable).await.unwrap(), Created::Taken);
        assert_eq!(inode(), first);
        assert_eq!(
            store.create("journal/1.json", "cut sh", durable).await.unwrap(),
            Created::Taken
        );
        assert_ne!(inode(), first);
        assert_eq!(store.read("journal/1.json").await.unwrap().unwrap(), "cut sh");
    }
}

/// As after a create that failed while its name was written to the disk; also where not even the folder could be made.
#[tokio::test]
async fn what_is_doubtful_is_settled_before_anything_is_built_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let Place::Folder(place) = &*store.place else { panic!("no folder") };
    let blocked = folder.path().join("journal");
    fs::write(&blocked, "no folder").unwrap();
    store.create("journal/1.json", "a", Durable::Now).await.unwrap_err();
    assert!(place.is_doubtful());
    fs::remove_file(&blocked).unwrap();
    assert_eq!(store.create("journal/1.json", "a", Durable::Now).await.unwrap(), Created::New);
    assert!(!place.is_doubtful());
}

#[tokio::test]
async fn operations_are_counted_by_outcome() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let store = Store::over_objects(Arc::new(InMemory::new())).with_metrics(metrics.clone());
    let up = || metrics.store_up.get();
    store.create("journal/1.json", "a", Durable::Now).await.unwrap();
    store.create("journal/1.json", "b", Durable::Now).await.unwrap();
    store.read("journal/2.json").await.unwrap();
    store.list(layout::JOURNAL).await.unwrap();
    let count = |operation, outcome| metrics.store_operations.of((operation, outcome)).get();
    assert_eq!(count(StoreOperation::Create, StoreOutcome::Ok), 1);
    assert_eq!(count(StoreOperation::Create, StoreOutcome::Taken), 1);
    assert_eq!(count(StoreOperation::Read, StoreOutcome::Missing), 1);
    assert_eq!(count(StoreOperation::List, StoreOutcome::Ok), 1);
    assert_eq!(metrics.store_duration.of(StoreOperation::Create).get_sample_count(), 2);
    assert_eq!(up(), 1);

    let away = Arc::new(testing::Racing::new(testing::Creates::Fail));
    let away = Store::over_shared(away).with_metrics(metrics.clone());
    away.put("watch/a.json", "x").await.unwrap_err();
    assert_eq!(count(StoreOperation::Put, StoreOutcome::Error), 1);
    assert_eq!(up(), 0);
}
