//! Several writers on one store: races, lost answers, stale looks, clocks, renewals.

use std::time::Duration;

use futures::future::{join, join_all};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::config::ClockCheck;
use crate::index::Format;
use crate::repository::writer::Renewals;
use crate::repository::{Publisher, RepositoryError};
use crate::store::layout;
use crate::time::Clock;

use super::simulation::world::{Fate, Kind};
use super::site::{Site, edit, publish, seen, try_to};
use super::support::page;

#[tokio::test(start_paused = true)]
async fn of_two_writers_one_loses_and_both_edits_are_published() {
    let site = Site::new().await;
    let (mut a, mut b) = (site.writer().await, site.writer().await);
    let (one, two) = (page("one", &[("one-1.tar.gz", "1")]), page("two", &[("two-1.tar.gz", "2")]));
    join(publish(&mut a, &one), publish(&mut b, &two)).await;
    assert_eq!(a.metrics.conflicts.get() + b.metrics.conflicts.get(), 1);
    assert_eq!(site.commits(), 3);
    for repository in [a.repository(), b.repository()] {
        assert!(repository.page(&one.name, Format::Json).await.unwrap().is_some());
        assert!(repository.page(&two.name, Format::Json).await.unwrap().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_was_lost_is_known_by_its_nonce() {
    for fate in [Fate::LosesAnswer, Fate::Retried] {
        let site = Site::new().await;
        let mut writer = site.writer().await;
        site.plan(Kind::Create, layout::JOURNAL, 0, fate);
        publish(&mut writer, &page("demo", &[("demo-1.tar.gz", "1")])).await;
        assert_eq!((site.commits(), writer.metrics.conflicts.get()), (2, 0), "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_happens_after_its_failure_is_made_visible_by_whoever_sees_it() {
    let site = Site::new().await;
    let (mut a, mut b) = (site.writer().await, site.writer().await);
    let demo = page("demo", &[("demo-1.tar.gz", "1")]);
    site.plan(Kind::Create, layout::JOURNAL, 0, Fate::Late);
    assert!(matches!(try_to(&mut a, edit(&demo)).await, Err(RepositoryError::Store(_))));
    site.world.happen_late(0);
    assert!(!try_to(&mut b, edit(&demo)).await.unwrap().changed);
    assert!(a.repository().page(&demo.name, Format::Json).await.unwrap().is_some());
    assert!(!try_to(&mut a, edit(&demo)).await.unwrap().changed);
    assert_eq!((site.commits(), site.names(layout::TIMESTAMPS).len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_look_that_began_before_anothers_commit_is_stale() {
    let site = Site::new().await;
    let (mut a, mut b) = (site.writer().await, site.writer().await);
    let (old, new) =
        (page("demo", &[("demo-1.tar.gz", "1")]), page("demo", &[("demo-2.tar.gz", "2")]));
    let looked = b.repository().newest_commit();
    publish(&mut a, &new).await;
    let outcome = try_to(&mut b, seen(&old, looked)).await;
    assert!(matches!(outcome, Err(RepositoryError::Stale { commit: 2, .. })));
    assert_eq!((site.commits(), b.repository().newest_commit()), (2, 2));
    assert!(try_to(&mut b, seen(&old, 2)).await.unwrap().changed);
}

/// The commit is read twice: for what it names, and for what it touched.
#[tokio::test(start_paused = true)]
async fn a_commit_that_could_not_be_read_makes_looks_stale_still() {
    let (old, new) =
        (page("demo", &[("demo-1.tar.gz", "1")]), page("demo", &[("demo-2.tar.gz", "2")]));
    for others in 0..2 {
        let site = Site::new().await;
        let (mut a, mut b) = (site.writer().await, site.writer().await);
        publish(&mut a, &new).await;
        site.plan(Kind::Get, layout::JOURNAL, others, Fate::Fails);
        let outcome = try_to(&mut b, seen(&old, 1)).await;
        assert!(matches!(outcome, Err(RepositoryError::Store(_))));
        let outcome = try_to(&mut b, seen(&old, 1)).await;
        assert!(matches!(outcome, Err(RepositoryError::Stale { .. })), "{others}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_to_a_store_that_was_put_back() {
    let site = Site::new().await;
    let mut writer = site.writer().await;
    publish(&mut writer, &page("demo", &[("demo-1.tar.gz", "1")])).await;
    let before = site.world.lock().objects.clone();
    publish(&mut writer, &page("demo", &[("demo-2.tar.gz", "2")])).await;
    {
        let mut state = site.world.lock();
        state.objects = before;
        state.events.clear();
    }
    let ahead = |outcome| matches!(outcome, Err(RepositoryError::Ahead { .. }));
    let third = page("demo", &[("demo-3.tar.gz", "3")]);
    assert!(ahead(try_to(&mut writer, edit(&third)).await.map(drop)));
    assert!(ahead(writer.repository().timestamp().await.map(drop)));
    assert!(ahead(writer.renew_timestamp().await));
    let written = site.world.lock().events.clone();
    let clock = |name: &str| name.starts_with("watch/clock-");
    assert!(written.iter().all(|event| clock(event.name())), "{written:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_committed_by_a_clock_that_differs_from_the_stores() {
    let demo = page("demo", &[("demo-1.tar.gz", "1")]);
    for off in [-6, 6] {
        let site = Site::new().await;
        let mut writer = site.writer_at(off, ClockCheck::Check).await;
        let outcome = try_to(&mut writer, edit(&demo)).await;
        assert!(matches!(outcome, Err(RepositoryError::Clock { .. })), "{off}");
        assert!(matches!(writer.renew_timestamp().await, Err(RepositoryError::Clock { .. })));
        assert_eq!((site.commits(), site.names(layout::TIMESTAMPS).len()), (1, 1));
        assert_eq!(writer.metrics.clock_wrong.get(), 1);
        publish(&mut site.writer_at(off, ClockCheck::Trust).await, &demo).await;
    }
    let site = Site::new().await;
    publish(&mut site.writer_at(4, ClockCheck::Check).await, &demo).await;
}

#[tokio::test(start_paused = true)]
async fn a_folders_clock_must_not_lie_behind_what_was_published() {
    let site = Site::make(false).await;
    let (one, two) =
        (page("demo", &[("demo-1.tar.gz", "1")]), page("demo", &[("demo-2.tar.gz", "2")]));
    publish(&mut site.writer().await, &one).await;
    let mut late = site.writer_at(-6, ClockCheck::Check).await;
    let outcome = try_to(&mut late, edit(&two)).await;
    assert!(matches!(outcome, Err(RepositoryError::Clock { .. })));
    assert_eq!(site.commits(), 2);
    publish(&mut site.writer_at(-6, ClockCheck::Trust).await, &two).await;
}

/// By its own clock T* is a timestamp that is collected already.
#[tokio::test(start_paused = true)]
async fn what_arrives_within_the_least_interval_goes_out_together() {
    let site = Site::new().await;
    let mut config = site.config();
    config.clock = Clock::System;
    config.store.clock = ClockCheck::Trust;
    config.store.interval = Some(Duration::from_secs(10));
    let (publisher, repository, task) = Publisher::open(site.store(), config).await.unwrap();
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(task.run(shutdown.clone()));
    let pages: Vec<_> =
        (0..4).map(|n| page(&format!("p{n}"), &[(&format!("p{n}-1.tar.gz"), "x")])).collect();
    let began = Instant::now();
    publisher.publish(edit(&pages[0])).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "the first one goes at once");
    let later = pages[1..].iter().map(|page| {
        let publisher = publisher.clone();
        async move {
            sleep(Duration::from_secs(1)).await;
            publisher.publish(edit(page)).await.unwrap()
        }
    });
    assert!(join_all(later).await.iter().all(|receipt| receipt.commit == 3));
    assert!(began.elapsed() >= Duration::from_secs(10));
    assert_eq!(repository.projects().await.unwrap().len(), 4);
    shutdown.cancel();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_another_writer_made_is_not_made_again() {
    let site = Site::new().await;
    let (mut a, mut b) = (site.writer().await, site.writer().await);
    let due = Renewals { bins: vec![(0, 1), (1, 1)], snapshot: Some(1) };
    let (one, two) = join(a.publish(&[], &due), b.publish(&[], &due)).await;
    assert!(one.is_ok() && two.is_ok());
    assert_eq!((site.commits(), site.names(layout::TIMESTAMPS).len()), (2, 2));
    let (one, two) = join(a.renew_timestamp(), b.renew_timestamp()).await;
    assert!(one.is_ok() && two.is_ok());
    assert_eq!((site.commits(), site.names(layout::TIMESTAMPS).len()), (2, 3));
}
