//! Bins that are signed by other keys, and bins of another number: nothing is lost, and everything lies where it is looked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use crate::config::TargetsMode;
use crate::index::{Format, ProjectPage};
use crate::repository::fsck::{Event, fsck};
use crate::repository::{Blocked, Collector, Mode, RepositoryError, RolesError, load, page_path};
use crate::store::{Store, layout};
use crate::tuf::{Digest, MetaFile};

use super::super::retired;
use super::super::site::{GRACE, Site, edit, minutes, publish as publish_page, try_to};
use super::super::support::{Bench, Blocks, Fault, Running, page, project};
use super::holders::{Holders, accepted_since, just_bins};
use super::{FAULTS, publish, scene, with};

/// No finding of any kind.
async fn is_whole(store: &Store) {
    let tell = |event: Event<'_>| {
        if let Event::Found(finding) = event {
            panic!("{finding:?}");
        }
    };
    fsck(store, Timestamp::now(), &tell).await.unwrap().expect("it ends");
}

const PROJECTS: usize = 24;

fn name(n: usize) -> String {
    format!("p{n}")
}

fn files(n: usize, from: usize) -> ProjectPage {
    let names: Vec<_> = (from..4).map(|file| format!("p{n}-{file}.0.tar.gz")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
    page(&name(n), &files)
}

/// Of each third project two files are withdrawn, of each other third something is blocked.
async fn fill(running: &Running) {
    let one = |n| async move {
        running.publish(&files(n, 0)).await.unwrap();
        match n % 3 {
            0 => drop(running.publish(&files(n, 2)).await.unwrap()),
            1 => {
                let blocked = Blocked::Files(vec![format!("p{n}-9.0.tar.gz")]);
                running
                    .publisher
                    .publish(Arc::new(Blocks(project(&name(n)), blocked)))
                    .await
                    .unwrap();
            }
            _ => {}
        }
    };
    futures::future::join_all((0..PROJECTS).map(one)).await;
}

async fn is_all_there(running: &Running) {
    for n in 0..PROJECTS {
        let kept = if n % 3 == 0 { 2 } else { 0 };
        let page = files(n, kept);
        let found = running.repository.model(&page.name).await.unwrap();
        assert_eq!(found.as_deref(), Some(&page), "p{n}");
        let blocked = running.repository.blocked(&page.name).await.unwrap();
        assert_eq!(blocked != Blocked::Nothing, n % 3 == 1, "p{n}");
        for file in 0..kept {
            let name = format!("p{n}-{file}.0.tar.gz");
            let found = retired(running, &files(n, 0), &name).await;
            assert_eq!(found, Some(Digest::of(name.as_bytes())), "{name}");
        }
    }
}

fn in_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn any_two_numbers_of_bins_lose_and_misplace_nothing(
        first in 1..8u32,
        second in 1..8u32,
        index in any::<bool>(),
    ) {
        in_runtime(async {
            let mut bench = Bench::new().await;
            bench.contents.targets = if index { TargetsMode::Index } else { TargetsMode::All };
            let (holders, old) = (Holders::of(&bench.keys()), bench.online());
            let running = bench.open().await.unwrap();
            fill(&running).await;
            for (bits, prefix) in [(first, "first"), (second, "second"), (4, "bins")] {
                let bins = holders.bins(&bench.store, bits, prefix, &old).await;
                let receipt = running.publisher.publish_roles(just_bins(&bins)).await.unwrap();
                assert_eq!(receipt.bins, 1 << bits);
                is_whole(&bench.store).await;
                is_all_there(&running).await;
            }
            // Names that are forgotten and come back are found by those who look for them.
            running.publish(&files(0, 0)).await.unwrap();
            running.publish(&files(0, 2)).await.unwrap();
            is_all_there(&running).await;
            running.stop().await;
            is_whole(&bench.store).await;
        });
    }
}

#[tokio::test]
async fn a_fault_at_each_write_leaves_the_old_bins_or_the_new_ones() {
    for (bits, prefix) in [(1, "few"), (4, "bins"), (5, "more")] {
        let last = (1 << bits) + 5;
        for fault in FAULTS {
            for writes in (0..last).filter(|n| *n < 2 || last - n < 6) {
                let (bench, holders, old, new) = scene().await;
                let bins = holders.bins(&bench.store, bits, prefix, &new).await;
                bench.faulty.plan(Some((writes, fault)));
                let _ = publish(&bench, &[&old, &new], &just_bins(&bins)).await;
                bench.faulty.plan(None);
                accepted_since(&bench.store, 1).await;
                let running = bench.open_with(with(&bench, &[&old, &new])).await.unwrap();
                running.publish(&page("demo", &[("demo-2.0.tar.gz", "two")])).await.unwrap();
                running.publisher.publish_roles(just_bins(&bins)).await.unwrap();
                accepted_since(&bench.store, 1).await;
                is_whole(&bench.store).await;
                let shown = running.repository.published();
                assert_eq!(shown.base.succinct.count(), 1 << bits);
                running.stop().await;
            }
        }
    }
}

/// A bins of which only the expiry changed takes nothing with it.
#[tokio::test]
async fn bins_that_stay_the_same_are_not_written() {
    let (bench, holders, old, _) = scene().await;
    let bins = holders.bins(&bench.store, 4, "bins", &old).await;
    bench.faulty.plan(Some((4, Fault::CrashBefore)));
    let receipt = publish(&bench, &[&old], &just_bins(&bins)).await.unwrap();
    bench.faulty.plan(None);
    assert_eq!((receipt.bins, receipt.commit, receipt.timestamp), (0, 3, 3));
    accepted_since(&bench.store, 1).await;
}

#[tokio::test]
async fn more_bins_than_a_snapshot_can_name_are_refused_before_anything_is_written() {
    let (bench, holders, old, _) = scene().await;
    let mut base = load::published(&bench.store).await.unwrap().base;
    let bins = holders.bins(&bench.store, 14, "x".repeat(40).as_str(), &old).await;
    base.succinct = crate::repository::roles::succinct(&bins).unwrap();
    crate::repository::roles::fits(&base).unwrap();
    let meta = &mut Arc::make_mut(&mut base.snapshot).signed.meta;
    meta.extend(
        (0..16_384).map(|n| (format!("{}-{n:04x}.json", "y".repeat(40)), MetaFile::version(1))),
    );
    let refused = crate::repository::roles::fits(&base).unwrap_err();
    assert!(
        matches!(refused, RepositoryError::Roles(RolesError::Snapshot { count: 16_384, .. })),
        "{refused}"
    );
}

/// Another replica, the collector, and whoever asks for what was superseded a moment ago.
#[tokio::test(start_paused = true)]
async fn replicas_and_the_collector_follow() {
    let site = Site::new().await;
    let (mut a, mut b) = (site.writer().await, site.writer().await);
    let holders = Holders::of(&site.keys());
    let online = site.keys().load_online().unwrap();
    let old = page("demo", &[("demo-1.tar.gz", "1")]);
    publish_page(&mut a, &old).await;
    b.repository().look().await.unwrap();
    let before = b.repository().published();
    let signed = b.repository().page(&old.name, Format::Json).await.unwrap().unwrap();
    for (bits, prefix) in [(3, "eight"), (1, "bins"), (4, "bins-sixteen")] {
        let bins = holders.bins(&site.store(), bits, prefix, &online).await;
        a.publish_roles(&just_bins(&bins), &|_, _| ()).await.unwrap();
    }
    // What a client in the middle of a refresh asks for.
    for name in before.base.succinct.names() {
        let version = before.base.version_of(&name).unwrap();
        assert!(b.repository().metadata(version, &name).await.unwrap().is_some(), "{name}");
    }
    assert!(b.repository().metadata(1, "bins").await.unwrap().is_some());
    let again = b.repository().page(&old.name, Format::Json).await.unwrap().unwrap();
    assert_eq!(again.digest, signed.digest);
    // And who writes there goes on with it.
    let new = page("demo", &[("demo-2.tar.gz", "2")]);
    assert!(try_to(&mut b, edit(&new)).await.unwrap().changed);
    assert_eq!(b.census().len(), 16);
    let mut collector = Collector::new(site.store(), GRACE);
    collector.collect(Mode::Delete, &|_| ()).await.unwrap();
    minutes(61).await;
    let (mut a, mut b) = (site.writer().await, site.writer().await);
    publish_page(&mut a, &page("demo", &[("demo-3.tar.gz", "3")])).await;
    collector.collect(Mode::Delete, &|_| ()).await.unwrap();
    minutes(61).await;
    let (mut c, _) = (site.writer().await, b.repository().look().await.unwrap());
    publish_page(&mut c, &page("demo", &[("demo-4.tar.gz", "4")])).await;
    let collected = collector.collect(Mode::Delete, &|_| ()).await.unwrap();
    assert!(collected.objects() > 0);
    accepted_since(&site.store(), 1).await;
    let base = load::published(&site.store()).await.unwrap().base;
    // One version of each name that there ever was.
    let mut names = BTreeSet::new();
    for object in site.names(layout::METADATA) {
        let (_, role) = object.split_once('.').unwrap();
        let listed = base.snapshot.signed.meta.contains_key(role);
        assert!(listed || role == "snapshot.json", "{object}");
        if role.starts_with("eight") {
            assert!(names.insert(role.to_owned()), "{object} is superseded");
        }
    }
    assert_eq!(names.len(), 8);
    let path = page_path(&old.name, Format::Json).unwrap();
    assert!(b.repository().target(&path).await.unwrap().is_some());
    let newest = page("demo", &[("demo-5.tar.gz", "5")]);
    publish_page(&mut b, &newest).await;
}
