//! What the repository does as a whole.

mod collect;
mod crash;
mod dated;
mod export;
mod fsck;
mod history;
mod replicas;
mod restore;
mod roles;
mod several;
mod simulation;
mod site;
pub(crate) mod support;
mod waiting;

use std::sync::Arc;

use futures::future::join_all;

use crate::config::TargetsMode;
use crate::index::Format;
use crate::repository::{Blocked, RepositoryError, file_path, page_path};
use crate::serving::Encoding;
use crate::store::layout;
use crate::tuf::Digest;

use support::{Bench, Blocks, page, project};

#[tokio::test]
async fn a_page_is_published_served_and_a_target() {
    let bench = Bench::new().await;
    let running = bench.open().await.unwrap();
    let demo = page("demo", &[("demo-1.0.tar.gz", "one")]);
    let receipt = running.publish(&demo).await.unwrap();
    assert!(receipt.changed);
    assert_eq!(receipt.added, ["demo-1.0.tar.gz"]);

    let repository = &running.repository;
    assert_eq!(repository.model(&demo.name).await.unwrap().as_deref(), Some(&demo));
    let file = file_path(&demo.name, "demo-1.0.tar.gz").unwrap();
    let target = repository.target(&file).await.unwrap().unwrap();
    assert_eq!((target.length, target.sha256()), (3, Some(Digest::of(b"one"))));
    for format in [Format::Json, Format::Html] {
        let served = repository.page(&demo.name, format).await.unwrap().unwrap();
        let path = page_path(&demo.name, format).unwrap();
        let target = repository.target(&path).await.unwrap().unwrap();
        assert_eq!(target.sha256(), Some(Digest::of(&served.bytes)));
        assert_eq!(target.length, served.bytes.len() as u64);
        let packed = repository.encoded(&served, Encoding::Gzip).await.unwrap();
        assert_ne!(packed, served.bytes);
    }
    assert_eq!(repository.projects().await.unwrap(), [demo.name]);
}

#[tokio::test]
async fn the_same_page_twice_is_one_publication() {
    let bench = Bench::new().await;
    let running = bench.open().await.unwrap();
    let demo = page("demo", &[("demo-1.0.tar.gz", "one")]);
    running.publish(&demo).await.unwrap();
    let before = running.repository.published();
    assert!(!running.publish(&demo).await.unwrap().changed);
    running.stop().await;
    let after = bench.open().await.unwrap().repository.published();
    assert_eq!(before.timestamp_document.digest, after.timestamp_document.digest);
}

#[tokio::test]
async fn only_what_a_file_touches_is_written_again() {
    let bench = Bench::new().await;
    let running = bench.open().await.unwrap();
    let demo = page("demo", &[("demo-1.0.tar.gz", "one")]);
    running.publish(&demo).await.unwrap();
    let before = running.repository.published();
    running
        .publish(&page("demo", &[("demo-1.0.tar.gz", "one"), ("demo-2.0.tar.gz", "two")]))
        .await
        .unwrap();
    let after = running.repository.published();
    let paths = [
        page_path(&demo.name, Format::Json).unwrap(),
        page_path(&demo.name, Format::Html).unwrap(),
        file_path(&demo.name, "demo-2.0.tar.gz").unwrap(),
    ];
    for name in after.base.succinct.names() {
        let touched = paths.iter().any(|p| after.base.succinct.bin_of(p.as_str()) == name);
        let bumped = after.base.version_of(&name) > before.base.version_of(&name);
        assert_eq!(bumped, touched, "{name}");
    }
}

/// A client that verified a bin a moment ago still gets the page that it names.
#[tokio::test]
async fn a_superseded_page_stays_fetchable_and_a_withdrawn_one_does_not() {
    let bench = Bench::new().await;
    let running = bench.open().await.unwrap();
    let (one, two) =
        (page("demo", &[("demo-1.0.tar.gz", "1")]), page("demo", &[("demo-2.0.tar.gz", "2")]));
    let repository = &running.repository;
    running.publish(&one).await.unwrap();
    let old = repository.page(&one.name, Format::Json).await.unwrap().unwrap();
    let pinned = || repository.pinned_page(&one.name, Format::Json, old.digest);
    running.publish(&two).await.unwrap();
    assert_eq!(pinned().await.unwrap().unwrap().bytes, old.bytes);
    let unknown = Digest::of(b"never");
    assert!(repository.pinned_page(&one.name, Format::Json, unknown).await.unwrap().is_none());
    running.publish(&page("demo", &[])).await.unwrap();
    assert!(pinned().await.unwrap().is_none());
}

#[tokio::test]
async fn a_name_that_goes_is_remembered_with_its_hash() {
    for targets in [TargetsMode::All, TargetsMode::Index] {
        let mut bench = Bench::new().await;
        bench.contents.targets = targets;
        let running = bench.open().await.unwrap();
        let both = page("demo", &[("demo-1.0.tar.gz", "one"), ("demo-2.0.tar.gz", "two")]);
        running.publish(&both).await.unwrap();
        let path = file_path(&both.name, "demo-1.0.tar.gz").unwrap();
        let is_target = running.repository.target(&path).await.unwrap().is_some();
        assert_eq!(is_target, targets == TargetsMode::All);

        let receipt = running.publish(&page("demo", &[("demo-2.0.tar.gz", "two")])).await.unwrap();
        assert_eq!(receipt.removed, ["demo-1.0.tar.gz"]);
        assert!(running.repository.target(&path).await.unwrap().is_none());
        running.stop().await;

        let running = bench.open().await.unwrap();
        let remembered = Arc::new(support::Exactly(both.clone()));
        assert_eq!(retired(&running, &both, "demo-1.0.tar.gz").await, Some(Digest::of(b"one")));
        running.publisher.publish(remembered).await.unwrap();
        assert_eq!(retired(&running, &both, "demo-1.0.tar.gz").await, None, "it is listed again");
        running.publish(&page("demo", &[])).await.unwrap();
        assert!(running.repository.page(&both.name, Format::Json).await.unwrap().is_none());
        assert_eq!(retired(&running, &both, "demo-2.0.tar.gz").await, Some(Digest::of(b"two")));
    }
}

/// What an edit is told of a name's history.
async fn retired(
    running: &support::Running,
    page: &crate::index::ProjectPage,
    name: &str,
) -> Option<Digest> {
    use crate::repository::{Decision, Edit, ProjectBase};
    struct Spy(crate::index::ProjectPage, std::sync::Mutex<ProjectBase>);
    impl Edit for Spy {
        fn project(&self) -> &crate::index::ProjectName {
            &self.0.name
        }
        fn filenames(&self) -> Vec<String> {
            self.0.files.iter().map(|f| f.filename.clone()).collect()
        }
        fn decide(&self, base: &ProjectBase) -> Decision {
            *self.1.lock().unwrap() = base.clone();
            Decision::default()
        }
    }
    let spy = Arc::new(Spy(page.clone(), Default::default()));
    running.publisher.publish(spy.clone()).await.unwrap();
    let base = spy.1.lock().unwrap();
    base.retired.get(name).map(|retired| retired.sha256)
}

#[tokio::test]
async fn a_block_survives_a_restart() {
    let bench = Bench::new().await;
    let running = bench.open().await.unwrap();
    let blocked = Blocked::Files(vec!["demo-1.0.tar.gz".into()]);
    let edit = Blocks(project("demo"), blocked.clone());
    running.publisher.publish(Arc::new(edit)).await.unwrap();
    running.stop().await;
    let running = bench.open().await.unwrap();
    let lifted = Blocks(project("demo"), Blocked::Nothing);
    assert!(running.publisher.publish(Arc::new(lifted)).await.unwrap().changed);
    let commit = running.repository.published().base.commit;
    let record = crate::repository::load::commit(&bench.store, commit - 1).await.unwrap();
    assert_eq!(record.projects[0].blocked.as_deref(), Some(&["demo-1.0.tar.gz".to_owned()][..]));
}

#[tokio::test]
async fn what_arrives_together_goes_out_together() {
    let bench = Bench::new().await;
    let running = bench.open().await.unwrap();
    let pages: Vec<_> =
        (0..100).map(|n| page(&format!("p{n}"), &[(&format!("p{n}-1.0.tar.gz"), "x")])).collect();
    let receipts = join_all(pages.iter().map(|page| running.publish(page))).await;
    assert!(receipts.iter().all(|r| r.as_ref().unwrap().changed));
    let commits = running.repository.published().base.commit - 1;
    assert!(commits < 20, "{commits} commits for 100 edits that arrived at once");
    assert_eq!(running.repository.projects().await.unwrap().len(), 100);
}

#[tokio::test]
async fn another_configuration_writes_pages_again_once() {
    let mut bench = Bench::new().await;
    let demo = page("demo", &[("demo-1.0.tar.gz", "one")]);
    bench.open().await.unwrap().publish(&demo).await.unwrap();
    let path = file_path(&demo.name, "demo-1.0.tar.gz").unwrap();
    for (targets, html) in
        [(TargetsMode::Index, true), (TargetsMode::Index, false), (TargetsMode::All, true)]
    {
        bench.contents.targets = targets;
        bench.contents.html = html;
        let running = bench.open().await.unwrap();
        assert!(running.publish(&demo).await.unwrap().changed);
        assert!(!running.publish(&demo).await.unwrap().changed);
        let target = running.repository.target(&path).await.unwrap();
        assert_eq!(target.is_some(), targets == TargetsMode::All);
        let page = running.repository.page(&demo.name, Format::Html).await.unwrap();
        assert_eq!(page.is_some(), html);
        running.stop().await;
    }
}

#[tokio::test]
async fn versions_above_the_published_ones_are_not_served() {
    let bench = Bench::new().await;
    let running = bench.open().await.unwrap();
    let orphan = layout::metadata(2, "bins-0");
    let there = bench.store.read(&layout::metadata(1, "bins-0")).await.unwrap().unwrap();
    bench.store.create(&orphan, there, crate::store::Durable::Now).await.unwrap();
    let repository = &running.repository;
    assert!(repository.metadata(1, "bins-0").await.unwrap().is_some());
    assert!(repository.metadata(2, "bins-0").await.unwrap().is_none());
    assert!(repository.metadata(1, "root").await.unwrap().is_some());
    assert!(repository.metadata(2, "root").await.unwrap().is_none());
    assert!(repository.metadata(1, "../../online").await.unwrap().is_none());
}

#[tokio::test]
async fn damage_is_told_and_does_not_hold_up_others() {
    let bench = Bench::new().await;
    let running = bench.open().await.unwrap();
    running.publish(&page("demo", &[("demo-1.0.tar.gz", "one")])).await.unwrap();
    running.stop().await;
    for stored in bench.store.list(layout::PAGES).await.unwrap() {
        bench.store.put(&format!("{}/{}", layout::PAGES, stored.name), "broken").await.unwrap();
    }
    let running = bench.open().await.unwrap();
    let (broken, fine) =
        (page("demo", &[("demo-1.0.tar.gz", "1")]), page("fine", &[("fine-1.tar.gz", "f")]));
    let results = join_all([running.publish(&broken), running.publish(&fine)]).await;
    assert!(matches!(results[0], Err(RepositoryError::Damaged { .. })));
    assert!(results[1].is_ok());
}
