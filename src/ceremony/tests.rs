mod founding;

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use object_store::memory::InMemory;

use super::*;
use crate::config::ValidityConfig;
use crate::store::{Store, layout};
use crate::tuf::{Digest, Root, Signed};

const BINS: u32 = 8;

fn options(bins: u32) -> InitOptions {
    InitOptions { bins, validity: ValidityConfig::default() }
}

async fn make(store: &Store, keys: &Path) -> Result<Initialized, InitError> {
    init(store, &KeyFolder::new(keys), &options(BINS), |_| ()).await
}

fn shared() -> Store {
    Store::over_shared(Arc::new(InMemory::new()))
}

#[tokio::test]
async fn of_two_inits_at_once_one_fails_and_the_store_is_the_others() {
    let store = shared();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (one, two) = tokio::join!(make(&store, folders[0].path()), make(&store, folders[1].path()));
    let (winner, made, lost) = match (one, two) {
        (Ok(made), Err(lost)) => (&folders[0], made, lost),
        (Err(lost), Ok(made)) => (&folders[1], made, lost),
        other => panic!("{other:?}"),
    };
    assert!(matches!(lost, InitError::OtherKeys), "{lost}");
    let root = store.read(&layout::root(1)).await.unwrap().unwrap();
    assert_eq!((made.root_sha256, &made.root), (Digest::of(&root), &root));
    let online = KeyFolder::new(winner.path()).load_online().unwrap();
    let root = Signed::<Root>::parse(&root).unwrap();
    assert_eq!(root.signed.roles["timestamp"].keyids, [online.key().id()]);
    let names = store.list("metadata").await.unwrap();
    assert_eq!(names.len(), BINS as usize + 3);
}

#[tokio::test]
async fn a_second_init_changes_nothing() {
    let (store, keys, others) =
        (shared(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    make(&store, keys.path()).await.unwrap();
    for folder in [&keys, &others] {
        assert!(matches!(make(&store, folder.path()).await, Err(InitError::Exists)));
    }
    assert!(others.path().read_dir().unwrap().next().is_none(), "no keys were made");
}

/// What an init leaves that ends after `left` bins.
async fn interrupted(store: &Store, keys: &Path, left: u64) {
    let reached = tokio::sync::Notify::new();
    let done = Cell::new(false);
    let progress = |bins| {
        if bins == left {
            done.set(true);
            reached.notify_one();
        }
    };
    let (folder, options) = (KeyFolder::new(keys), options(BINS));
    tokio::select! {
        biased;
        () = reached.notified() => (),
        _ = init(store, &folder, &options, progress) => (),
    }
    assert!(done.get());
}

#[tokio::test]
async fn an_interrupted_init_goes_on_with_its_keys_and_with_no_others() {
    let folder = tempfile::tempdir().unwrap();
    for store in [shared(), Store::open(&folder.path().join("store")).unwrap()] {
        let (keys, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        interrupted(&store, keys.path(), 3).await;
        // As if it had been cut short before the timestamp.
        let timestamps = store.list(layout::TIMESTAMPS).await.unwrap();
        let timestamps = timestamps.iter().map(|t| format!("{}/{}", layout::TIMESTAMPS, t.name));
        store.delete(timestamps.collect()).await.unwrap();
        let claim = store.read(&layout::root(1)).await.unwrap().unwrap();

        let error = make(&store, others.path()).await.unwrap_err();
        assert!(matches!(error, InitError::OtherKeys), "{error}");
        let more = options(BINS * 2);
        let made = init(&store, &KeyFolder::new(keys.path()), &more, |_| ()).await.unwrap();
        assert_eq!((made.root, made.bins), (claim, BINS), "what was begun is what is made");
        assert_eq!(store.list(layout::JOURNAL).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_a_power_cut_left_empty_in_a_folder_is_written_again() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open(folder.path()).unwrap();
    std::fs::create_dir_all(folder.path().join("metadata")).unwrap();
    let torn = layout::metadata(1, "bins-3");
    std::fs::write(folder.path().join(&torn), "").unwrap();
    make(&store, keys.path()).await.unwrap();
    let written = store.read(&torn).await.unwrap().unwrap();
    assert!(Signed::<crate::tuf::Targets>::parse(&written).is_ok());
}

#[tokio::test]
async fn a_key_file_that_was_cut_short_is_no_key() {
    let (store, keys) = (shared(), tempfile::tempdir().unwrap());
    let left = keys.path().join(format!("online.pem.{}", std::process::id()));
    std::fs::write(&left, "-----BEG").unwrap();
    make(&store, keys.path()).await.unwrap();
    assert!(!left.exists());
    assert!(KeyFolder::new(keys.path()).load_online().is_ok());
}
