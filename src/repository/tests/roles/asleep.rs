//! Writers that sleep at any instant while a new root is published: whoever refreshes at any moment, with any root that was the
//! newest when they asked for it, accepts what is there.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::repository::writer::{Renewals, Writer};
use crate::repository::{PublisherConfig, RepositoryError, load};
use crate::store::{Store, layout};

use super::super::simulation::world::Fate;
use super::super::site::{Site, edit, minutes, publish as publish_page, release_all, try_to};
use super::super::support::page;
use super::holders::{Holder, Holders, accepted_since, just_root, new_key, ring};

/// A site with one project, its holders, the old key and the new one.
async fn scene() -> (Site, Holders, Holder, Holder) {
    let site = Site::new().await;
    publish_page(&mut site.writer().await, &page("demo", &[("demo-1.tar.gz", "1")])).await;
    let holders = Holders::of(&site.keys());
    let old = site.keys().load_online().unwrap();
    (site, holders, old, new_key())
}

fn config(site: &Site, keys: &[&Holder]) -> PublisherConfig {
    PublisherConfig { keyring: ring(keys), ..site.config() }
}

async fn fast(site: &Site, keys: &[&Holder]) -> Writer {
    Writer::start(site.store(), config(site, keys)).await.unwrap()
}

/// One whose every operation waits until it is released.
async fn slow(site: &Site, keys: &[&Holder]) -> Writer {
    let store = Store::over_shared(Arc::new(site.world.process(0)));
    join(Writer::start(store, config(site, keys)), release_all(site)).await.0.unwrap()
}

/// Lets up to `most` operations of `task` happen, one by one, with a refresh after each; whether it has ended.
async fn release<T>(site: &Site, task: &JoinHandle<T>, most: usize, first: u64) -> bool {
    for _ in 0..most {
        loop {
            sleep(Duration::from_millis(1)).await;
            let next = site.world.lock().pending.keys().next().copied();
            if let Some(next) = next {
                site.world.release(next, Fate::Happens);
                break;
            }
            if task.is_finished() {
                return true;
            }
        }
        sleep(Duration::from_millis(1)).await;
        accepted_since(&site.store(), first).await;
    }
    false
}

#[tokio::test(start_paused = true)]
async fn others_publish_between_any_two_steps_of_a_new_root() {
    for steps in 0.. {
        let (site, holders, old, new) = scene().await;
        let root = holders.root(&site.store(), &[&new]).await;
        let (mut a, mut b) = (slow(&site, &[&old, &new]).await, fast(&site, &[&old, &new]).await);
        let mut stranger = fast(&site, &[&old]).await;
        let task =
            tokio::spawn(async move { a.publish_roles(&just_root(&root), &|_, _| ()).await });
        let ended = release(&site, &task, steps, 1).await;
        publish_page(&mut b, &page("demo", &[("demo-2.tar.gz", "2")])).await;
        accepted_since(&site.store(), 1).await;
        b.renew_timestamp().await.unwrap();
        accepted_since(&site.store(), 1).await;
        // Who has the old key alone may be refused, and does no harm.
        let _ = try_to(&mut stranger, edit(&page("demo", &[("demo-3.tar.gz", "3")]))).await;
        let _ = stranger.renew_timestamp().await;
        accepted_since(&site.store(), 1).await;
        release(&site, &task, usize::MAX, 1).await;
        task.await.unwrap().unwrap();
        let mut end = fast(&site, &[&new]).await;
        publish_page(&mut end, &page("demo", &[("demo-4.tar.gz", "4")])).await;
        assert_eq!(end.base().root.signed.version, 2);
        if ended {
            assert!(steps > 10);
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_slept_while_a_root_was_published_does_no_harm() {
    for with_new in [true, false] {
        for steps in 0.. {
            let (site, holders, old, new) = scene().await;
            let root = holders.root(&site.store(), &[&new]).await;
            let keys: &[&Holder] = if with_new { &[&old, &new] } else { &[&old] };
            let (mut a, mut b) = (slow(&site, keys).await, fast(&site, &[&old, &new]).await);
            let two = edit(&page("demo", &[("demo-2.tar.gz", "2")]));
            let task =
                tokio::spawn(
                    async move { a.publish(&[two], &Renewals::default()).await.map(drop) },
                );
            let ended = release(&site, &task, steps, 1).await;
            b.publish_roles(&just_root(&root), &|_, _| ()).await.unwrap();
            accepted_since(&site.store(), 1).await;
            release(&site, &task, usize::MAX, 1).await;
            match task.await.unwrap() {
                Ok(()) => {}
                Err(
                    error
                    @ (RepositoryError::Unauthorized { .. } | RepositoryError::Awaited { .. }),
                ) => assert!(!with_new, "{error}"),
                Err(error) => panic!("{error}"),
            }
            publish_page(&mut b, &page("demo", &[("demo-3.tar.gz", "3")])).await;
            accepted_since(&site.store(), 1).await;
            if ended {
                break;
            }
        }
    }
}

/// The old key is stolen: its writer sleeps, and wakes when it signs nothing any more.
#[tokio::test(start_paused = true)]
async fn who_slept_with_a_key_that_is_no_longer_trusted_is_passed_over() {
    for steps in 0.. {
        let (site, holders, old, new) = scene().await;
        let root = holders.root(&site.store(), &[&new]).await;
        let (mut a, mut b) = (slow(&site, &[&old]).await, fast(&site, &[&new]).await);
        let two = edit(&page("demo", &[("demo-2.tar.gz", "2")]));
        let task =
            tokio::spawn(async move { a.publish(&[two], &Renewals::default()).await.map(drop) });
        let ended = release(&site, &task, steps, 1).await;
        let receipt = b.publish_roles(&just_root(&root), &|_, _| ()).await.unwrap();
        assert!(receipt.gap);
        accepted_since(&site.store(), 2).await;
        release(&site, &task, usize::MAX, 2).await;
        let _ = task.await.unwrap();
        publish_page(&mut b, &page("demo", &[("demo-3.tar.gz", "3")])).await;
        accepted_since(&site.store(), 2).await;
        if ended {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_old_key_signs_beside_for_a_grace_period_and_no_longer() {
    let (site, holders, old, new) = scene().await;
    let root = holders.root(&site.store(), &[&new]).await;
    fast(&site, &[&old, &new]).await.publish_roles(&just_root(&root), &|_, _| ()).await.unwrap();
    for (passed, signatures) in [(59, 2), (2, 1)] {
        minutes(passed).await;
        // A clock of the present.
        let mut writer = fast(&site, &[&old, &new]).await;
        let text = passed.to_string();
        publish_page(&mut writer, &page("demo", &[("demo-2.tar.gz", &text)])).await;
        let shown = writer.repository().published();
        assert_eq!(shown.timestamp.signatures.len(), signatures, "{passed}");
        assert_eq!(shown.base.snapshot.signatures.len(), signatures, "{passed}");
        assert_eq!(shown.base.beside.is_some(), signatures == 2);
        let commit = load::commit(&site.store(), shown.base.commit).await.unwrap();
        assert_eq!(commit.beside.is_some(), signatures == 2);
    }
    assert_eq!(site.names(layout::ROOT).len(), 2);
}
