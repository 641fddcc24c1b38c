//! A store that was put back to an earlier state goes on above everything that was ever given.

use futures::TryStreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};

use crate::repository::{RepositoryError, advance, load};
use crate::store::layout;

use super::support::{Bench, page};

/// Everything in the store.
async fn copy(objects: &dyn ObjectStore) -> Vec<(object_store::path::Path, PutPayload)> {
    let all: Vec<_> = objects.list(None).try_collect().await.unwrap();
    let mut copy = Vec::new();
    for meta in all {
        let bytes = objects.get(&meta.location).await.unwrap().bytes().await.unwrap();
        copy.push((meta.location, bytes.into()));
    }
    copy
}

async fn put_back(objects: &dyn ObjectStore, copy: Vec<(object_store::path::Path, PutPayload)>) {
    let all: Vec<_> = objects.list(None).try_collect().await.unwrap();
    for meta in all {
        objects.delete(&meta.location).await.unwrap();
    }
    for (name, bytes) in copy {
        objects.put(&name, bytes).await.unwrap();
    }
}

#[tokio::test]
async fn versions_go_on_above_what_was_lost() {
    let bench = Bench::new().await;
    let running = bench.open().await.unwrap();
    running.publish(&page("kept", &[("kept-1.0.tar.gz", "x")])).await.unwrap();
    let backup = copy(&*bench.faulty).await;
    running.publish(&page("lost", &[("lost-1.0.tar.gz", "y")])).await.unwrap();
    running.publish(&page("kept", &[("kept-2.0.tar.gz", "z")])).await.unwrap();
    let before = running.repository.published();
    put_back(&*bench.faulty, backup).await;
    running.stop().await;

    let advanced = advance(bench.store.clone(), bench.config(), 0, |_, _| ()).await.unwrap();
    assert_eq!(advanced.bins, 16);
    let after = load::published(&bench.store).await.unwrap();
    assert!(after.timestamp.signed.version > before.timestamp.signed.version);
    assert!(after.base.snapshot.signed.version > before.base.snapshot.signed.version);
    assert!(after.base.commit > before.base.commit);
    for bin in after.base.succinct.names() {
        assert!(after.base.version_of(&bin) > before.base.version_of(&bin), "{bin}");
    }
    // And it goes on from there, one by one.
    let running = bench.open().await.unwrap();
    let project = page("lost", &[("lost-1.0.tar.gz", "y")]);
    assert_eq!(running.publish(&project).await.unwrap().commit, advanced.commit + 1);
    assert!(running.repository.model(&page("kept", &[]).name).await.unwrap().is_some());
    let newest = running.repository.published();
    assert_eq!(newest.timestamp.signed.version, advanced.timestamp + 1);
}

/// Where clients have seen higher numbers than the Unix time.
#[tokio::test]
async fn versions_go_on_past_what_the_operator_names() {
    let bench = Bench::new().await;
    let past = 9_000_000_000;
    let advanced = advance(bench.store.clone(), bench.config(), past, |_, _| ()).await.unwrap();
    assert_eq!((advanced.commit, advanced.timestamp), (past + 1, past + 1));
    let after = load::published(&bench.store).await.unwrap();
    assert_eq!(after.base.snapshot.signed.version, past + 1);
    for bin in after.base.succinct.names() {
        assert_eq!(after.base.version_of(&bin), Some(past + 1), "{bin}");
    }
    let running = bench.open().await.unwrap();
    let receipt = running.publish(&page("more", &[("more-1.0.tar.gz", "y")])).await.unwrap();
    assert_eq!(receipt.commit, past + 2);
    running.stop().await;
    // The Unix time is lower by now: the next number is what counts.
    let advanced = advance(bench.store.clone(), bench.config(), 0, |_, _| ()).await.unwrap();
    assert_eq!(advanced.commit, past + 3);
}

/// Also one that has its folder alone, and need not read what others wrote.
#[tokio::test]
async fn a_folder_that_was_put_back_is_noticed() {
    let bench = Bench::new().await;
    let running = bench.open().await.unwrap();
    let backup = copy(&*bench.faulty).await;
    running.publish(&page("lost", &[("lost-1.0.tar.gz", "y")])).await.unwrap();
    put_back(&*bench.faulty, backup).await;
    let more = page("more", &[("more-1.0.tar.gz", "y")]);
    let refused = running.publish(&more).await.unwrap_err();
    assert!(matches!(refused, RepositoryError::Ahead { .. }), "{refused}");
    let newest = load::published(&bench.store).await.unwrap();
    assert_eq!(newest.base.commit, 1);
}

/// A timestamp under a number that it does not bear would make versions go back.
#[tokio::test]
async fn an_object_under_a_wrong_number_is_damage() {
    let bench = Bench::new().await;
    let timestamp = bench.store.read(&layout::timestamp(1)).await.unwrap().unwrap();
    bench.store.put(&layout::timestamp(99), timestamp).await.unwrap();
    let refused = load::published(&bench.store).await.unwrap_err();
    assert!(matches!(refused, RepositoryError::Damaged { .. }), "{refused}");
    assert!(bench.open().await.is_err());
    let commit = bench.store.read(&layout::commit(1)).await.unwrap().unwrap();
    bench.store.put(&layout::commit(2), commit).await.unwrap();
    assert!(load::commit(&bench.store, 2).await.is_err());
}

#[tokio::test]
async fn a_writer_that_knows_more_than_the_store_stops() {
    let bench = Bench::shared().await;
    let running = bench.open().await.unwrap();
    let backup = copy(&*bench.faulty).await;
    running.publish(&page("lost", &[("lost-1.0.tar.gz", "y")])).await.unwrap();
    put_back(&*bench.faulty, backup).await;
    let stored = copy(&*bench.faulty).await.len();
    let refused = running.publish(&page("more", &[("more-1.0.tar.gz", "y")])).await.unwrap_err();
    assert!(matches!(refused, RepositoryError::Ahead { .. }), "{refused}");
    let refused = running.repository.timestamp().await.unwrap_err();
    assert!(matches!(refused, RepositoryError::Ahead { .. }), "{refused}");
    assert_eq!(copy(&*bench.faulty).await.len(), stored, "nothing was written");
}
