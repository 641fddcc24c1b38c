//! Several replicas on one store: what each answers of what another published, and when it looks.

use std::time::Duration;

use futures::future::{join, join_all};
use tokio::time::sleep;

use crate::config::{ClockCheck, Lost};
use crate::index::Format;
use crate::repository::writer::Writer;
use crate::repository::{Collector, Mode, Repository, RepositoryError, page_path};
use crate::signer::sign;
use crate::store::{Durable, layout};
use crate::tuf::TargetFile;

use super::simulation::world::Fate;
use super::site::{GRACE, Site, has_pinned, json, minutes, publish, release_all};
use super::support::page;

#[tokio::test(start_paused = true)]
async fn another_replica_and_a_restarted_one_answer_what_was_superseded_until_the_grace_period_ends()
 {
    let site = Site::new().await;
    let clock = site.clock(0);
    let mut a = site.writer_by(&clock, ClockCheck::Check).await;
    let b = site.writer_by(&clock, ClockCheck::Check).await;
    let (one, two) =
        (page("demo", &[("demo-1.tar.gz", "1")]), page("demo", &[("demo-2.tar.gz", "2")]));
    publish(&mut a, &one).await;
    let old = a.repository().published();
    let digest = json(a.repository(), &one).await;
    minutes(2).await;
    clock.set(site.world.now());
    publish(&mut a, &two).await;
    let path = page_path(&one.name, Format::Json).unwrap();
    let bin = old.base.succinct.bin_of(path.as_str());
    let roles = [(bin.clone(), old.base.version_of(&bin).unwrap()), ("snapshot".to_owned(), 2)];
    let restarted = site.writer_by(&clock, ClockCheck::Check).await;
    for (age, found) in [(0, true), (50, true), (20, false)] {
        minutes(age).await;
        clock.set(site.world.now());
        for repository in [b.repository(), restarted.repository()] {
            repository.look().await.unwrap();
            for (role, version) in &roles {
                let answer = repository.metadata(*version, role).await.unwrap();
                assert_eq!(answer.is_some(), found, "{version}.{role} after {age} minutes more");
            }
            assert_eq!(has_pinned(repository, &one, digest).await, found);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_is_found_at_once_on_another_replica() {
    let site = Site::new().await;
    let (mut a, b) = (site.writer().await, site.writer().await);
    let demo = page("demo", &[("demo-1.tar.gz", "1")]);
    assert!(b.repository().page(&demo.name, Format::Json).await.unwrap().is_none());
    publish(&mut a, &demo).await;
    let digest = json(a.repository(), &demo).await;
    assert_eq!(json(b.repository(), &demo).await, digest);
    let next = page("demo", &[("demo-2.tar.gz", "2")]);
    publish(&mut a, &next).await;
    assert!(has_pinned(b.repository(), &demo, json(a.repository(), &next).await).await);
    assert!(b.repository().metadata(3, "snapshot").await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_replica_whose_clock_is_behind_answers_what_is_in_the_grace_period() {
    let site = Site::new().await;
    let (clock, behind) = (site.clock(0), site.clock(-4));
    let mut a = site.writer_by(&clock, ClockCheck::Check).await;
    let slow = site.writer_by(&behind, ClockCheck::Check).await;
    let (one, two) =
        (page("demo", &[("demo-1.tar.gz", "1")]), page("demo", &[("demo-2.tar.gz", "2")]));
    minutes(1).await;
    clock.set(site.world.now());
    publish(&mut a, &one).await;
    let digest = json(a.repository(), &one).await;
    minutes(59).await;
    clock.set(site.world.now());
    publish(&mut a, &two).await;
    slow.repository().look().await.unwrap();
    minutes(4).await;
    sleep(Duration::from_secs(30)).await;
    behind.set(site.world.now() - Duration::from_secs(4 * 60));
    let collected =
        Collector::new(site.store(), GRACE).collect(Mode::Delete, &|_| ()).await.unwrap();
    assert_eq!(collected.timestamps, 1);
    assert!(slow.repository().metadata(2, "snapshot").await.unwrap().is_some());
    assert!(has_pinned(slow.repository(), &one, digest).await);
}

#[tokio::test(start_paused = true)]
async fn an_orphan_that_names_a_collected_page_hides_none() {
    let site = Site::new().await;
    let mut a = site.writer().await;
    let (one, two) =
        (page("demo", &[("demo-1.tar.gz", "1")]), page("demo", &[("demo-2.tar.gz", "2")]));
    publish(&mut a, &one).await;
    let digest = json(a.repository(), &one).await;
    let path = page_path(&one.name, Format::Json).unwrap();
    let base = a.base().clone();
    let name = base.succinct.bin_of(path.as_str());
    let mut orphan = a.repository().read_bin(&base, &name).await.unwrap().signed;
    orphan.version += 1;
    let length = orphan.targets[path.as_str()].length;
    orphan.targets.insert(path.into(), TargetFile::new(digest, length, Some(77)));
    let object = layout::metadata(orphan.version, &name);
    let signed = sign(orphan, &site.config().keyring.signers()).await.unwrap().to_bytes().unwrap();
    site.store().create(&object, signed, Durable::Now).await.unwrap();
    publish(&mut a, &two).await;
    assert!(has_pinned(site.writer().await.repository(), &one, digest).await);
}

#[tokio::test(start_paused = true)]
async fn without_the_store_no_timestamp_is_answered_unless_it_is_wished() {
    let site = Site::new().await;
    let mut a = site.writer().await;
    let demo = page("demo", &[("demo-1.tar.gz", "1")]);
    publish(&mut a, &demo).await;
    let mut config = site.config();
    config.store.lost = Lost::Serve;
    let serving = Writer::start(site.store(), config).await.unwrap();
    site.world.lock().down = true;
    assert!(matches!(a.repository().timestamp().await, Err(RepositoryError::Store(_))));
    assert!(a.repository().page(&demo.name, Format::Json).await.unwrap().is_some());
    assert!(a.repository().metadata(2, "snapshot").await.unwrap().is_some());
    let served = serving.repository().timestamp().await.unwrap();
    assert_eq!(served.digest, a.repository().published().timestamp_document.digest);
    // Nobody waits for it to fail again; it is looked at all the same.
    site.world.lock().down = false;
    assert!(a.repository().timestamp().await.is_err());
    tokio::task::yield_now().await;
    for _ in 0..100 {
        if a.repository().timestamp().await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the store is there again, and not seen");
}

#[tokio::test(start_paused = true)]
async fn those_who_ask_at_once_share_a_look() {
    let site = Site::new().await;
    let writer = site.slow_writer().await;
    let before = site.world.lock().listings;
    let asked = join_all((0..10).map(|_| writer.repository().timestamp()));
    let (asked, ()) = join(asked, release_all(&site)).await;
    assert!(asked.iter().all(Result::is_ok));
    let listings = site.world.lock().listings - before;
    assert!((1..=2).contains(&listings), "{listings}");
}

#[tokio::test(start_paused = true)]
async fn who_asks_during_a_look_gets_the_next_one() {
    let site = Site::new().await;
    let mut a = site.writer().await;
    let b = site.slow_writer().await;
    let ask = |repository: Repository| async move { repository.timestamp().await.unwrap() };
    let first = tokio::spawn(ask(b.repository().clone()));
    sleep(Duration::from_millis(1)).await;
    // The first look has listed what there is, and has not been answered yet: now comes a publication, and who asks for it.
    let listing = *site.world.lock().pending.keys().next().unwrap();
    let before = b.repository().published().timestamp_document.digest;
    let second = tokio::spawn(ask(b.repository().clone()));
    site.world.release(listing, Fate::Happens);
    sleep(Duration::from_millis(1)).await;
    publish(&mut a, &page("demo", &[("demo-1.tar.gz", "1")])).await;
    assert_eq!(first.await.unwrap().digest, before);
    release_all(&site).await;
    let newest = a.repository().published().timestamp_document.digest;
    assert_eq!(second.await.unwrap().digest, newest);
}
