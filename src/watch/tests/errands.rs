use serde_json::json;

use super::site::{Page, bare, full};
use super::*;
use crate::index::CoreMetadata;

fn md5(n: u8) -> serde_json::Value {
    json!({"md5": format!("{n:032x}")})
}

fn sha256(content: &str) -> serde_json::Value {
    json!({"sha256": Digest::of(content.as_bytes()).to_string()})
}

#[tokio::test]
async fn files_without_sha256_are_fetched_once_and_published_with_the_first_answer() {
    let setup = Setup::new().await;
    setup.site.file("a-1.zip", "one");
    setup.site.file("a-2.zip", "two");
    setup.site.page("a", Page::of([bare("a-1.zip", md5(1)), bare("a-2.zip", json!({}))]));
    assert!(matches!(setup.watcher.ask(&project("a")).await, Asked::Published));
    for (name, content) in [("a-1.zip", "one"), ("a-2.zip", "two")] {
        let file = setup.file("a", name).await.unwrap();
        assert_eq!(file.sha256(), Some(Digest::of(content.as_bytes()).to_string().as_str()));
        assert_eq!(file.size, Some(3));
        assert!(setup.is_target("a", name).await);
        let spooled = setup.watch().spool.get(&Digest::of(content.as_bytes())).await;
        assert!(spooled.is_some(), "what was fetched is kept for those who ask");
    }
    let commit = setup.commit();
    let setup = setup.restarted(|_| {}).await;
    for _ in 0..12 {
        setup.poll().await;
    }
    setup.watch().look(&project("a"), Wish::anew(Trigger::Retry)).await.unwrap();
    assert_eq!(setup.requests("GET /files/").len(), 2);
    assert_eq!(setup.commit(), commit);
}

#[tokio::test]
async fn a_file_whose_other_hash_changed_is_hashed_anew_and_refused() {
    let setup = Setup::new().await;
    setup.site.file("a-1.zip", "one");
    setup.site.page("a", Page::of([bare("a-1.zip", md5(1))]));
    setup.poll().await;
    setup.site.file("a-1.zip", "other");
    setup.site.page("a", Page::of([bare("a-1.zip", md5(2))]));
    for _ in 0..3 {
        setup.poll().await;
    }
    assert_eq!(setup.hash("a", "a-1.zip").await, Some(Digest::of(b"one")));
    assert_eq!(setup.refusals(Refusal::ChangedHash), 1);
    assert_eq!(setup.requests("GET /files/").len(), 2);
}

#[tokio::test]
async fn sizes_come_from_head_and_are_asked_for_once() {
    let setup = Setup::new().await;
    setup.site.file("a-1.zip", "12345");
    setup.site.page("a", Page::of([bare("a-1.zip", sha256("12345"))]));
    setup.poll().await;
    assert_eq!(setup.file("a", "a-1.zip").await.unwrap().size, Some(5));
    assert!(setup.is_target("a", "a-1.zip").await);
    setup.site.file("a-2.zip", "");
    let files = [bare("a-1.zip", sha256("12345")), bare("a-2.zip", sha256(""))];
    setup.site.page("a", Page::of(files));
    setup.poll().await;
    assert_eq!(setup.requests("HEAD /files/a-1.zip").len(), 1);
    let unknown = setup.file("a", "a-2.zip").await.unwrap();
    assert_eq!(unknown.size, None, "a length of 0 is not believed");
    setup.watcher.measured(&project("a"), "a-2.zip", Digest::of(b""), 0);
    eventually(|| async { setup.is_target("a", "a-2.zip").await }).await;
}

#[tokio::test]
async fn core_metadata_is_promised_only_with_its_hash() {
    let setup = Setup::new().await;
    let mut with = full("a-1-py3-none-any.whl", "1");
    with["core-metadata"] = json!(true);
    let mut without = full("a-2-py3-none-any.whl", "2");
    without["core-metadata"] = json!(true);
    setup.site.file("a-1-py3-none-any.whl.metadata", "Name: a");
    setup.site.page("a", Page::of([with, without]));
    setup.poll().await;
    let file = setup.file("a", "a-1-py3-none-any.whl").await.unwrap();
    let digest = Digest::of(b"Name: a").to_string();
    assert_eq!(file.core_metadata, CoreMetadata::Hashes([("sha256".to_owned(), digest)].into()));
    let file = setup.file("a", "a-2-py3-none-any.whl").await.unwrap();
    assert_eq!(file.core_metadata, CoreMetadata::None);
}

#[tokio::test]
async fn what_cannot_be_hashed_is_left_out_and_reported() {
    let setup = Setup::new().await;
    setup.site.page("a", Page::of([bare("a-1.zip", md5(1)), full("a-2.zip", "2")]));
    for _ in 0..12 {
        setup.poll().await;
    }
    assert_eq!(setup.page("a").await.unwrap().files.len(), 1);
    assert_eq!(setup.refusals(Refusal::NoHash), 1);
    assert_eq!(setup.requests("GET /files/").len(), 1, "it is not asked for again so soon");
}

#[tokio::test]
async fn what_takes_long_is_published_when_it_is_done() {
    let setup = Setup::new().await;
    setup.site.file("a-1.zip", "one");
    setup.site.page("a", Page::of([bare("a-1.zip", md5(1)), full("a-2.zip", "2")]));
    let places = setup.watch().errands.acquire_many(8).await.unwrap();
    let hasty = Wish { patience: Duration::from_millis(50), ..Wish::new(Trigger::Poll) };
    let looked = setup.watch().look(&project("a"), hasty).await.unwrap();
    assert_eq!(outcome(&looked), LookOutcome::Published);
    assert_eq!(setup.page("a").await.unwrap().files.len(), 1);
    drop(places);
    eventually(|| async { setup.is_target("a", "a-1.zip").await }).await;
}

#[tokio::test]
async fn a_page_without_any_ready_file_is_not_published_as_empty() {
    let setup = Setup::with(|c| c.watch.on_demand_timeout = Duration::from_millis(300)).await;
    setup.site.file("a-1.zip", "one");
    setup.site.page("a", Page::of([bare("a-1.zip", md5(1))]));
    let places = setup.watch().errands.acquire_many(8).await.unwrap();
    let asked = setup.watcher.ask(&project("a")).await;
    assert!(matches!(asked, Asked::Failed(WatchError::NotReady(_)) | Asked::TimedOut), "{asked:?}");
    assert!(setup.page("a").await.is_none());
    drop(places);
    eventually(|| async { setup.is_target("a", "a-1.zip").await }).await;
}
