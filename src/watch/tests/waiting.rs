use futures::future::join_all;

use super::site::{Page, full};
use super::*;

#[tokio::test]
async fn a_client_gets_what_the_mirror_has_at_the_first_question() {
    let setup = Setup::new().await;
    setup.site.pages(1);
    assert!(matches!(setup.watcher.ask(&project("p0")).await, Asked::Published));
    assert!(setup.is_target("p0", "p0-1.zip").await);
}

#[tokio::test]
async fn many_clients_share_one_look() {
    let setup = Setup::new().await;
    setup.site.pages(1);
    let name = project("p0");
    let asked = join_all((0..20).map(|_| setup.watcher.ask(&name))).await;
    assert!(asked.iter().all(|asked| matches!(asked, Asked::Published)));
    assert_eq!(setup.requests("/simple/p0/").len(), 1);
}

#[tokio::test]
async fn what_the_mirror_does_not_know_is_not_asked_for_again_at_once() {
    let setup = Setup::new().await;
    for _ in 0..10 {
        assert!(matches!(setup.watcher.ask(&project("none")).await, Asked::Unknown));
    }
    assert_eq!(setup.requests("/simple/none/").len(), 1);
    setup.site.page("none", Page::of([full("none-1.zip", "1")]));
    setup.watcher.changed(Some(project("none")));
    eventually(|| async { setup.is_target("none", "none-1.zip").await }).await;
    assert!(matches!(setup.watcher.ask(&project("none")).await, Asked::Published));
}

#[tokio::test]
async fn a_project_that_lies_on_another_index_is_unknown() {
    let setup = Setup::new().await;
    setup.site.page("a", Page::Elsewhere("http://127.0.0.1:9/simple/a/".into()));
    assert!(matches!(setup.watcher.ask(&project("a")).await, Asked::Unknown));
    assert!(setup.page("a").await.is_none());
}

#[tokio::test]
async fn an_empty_page_is_a_project_only_where_the_list_has_it() {
    let setup = Setup::new().await;
    setup.site.page("listed", Page::of([]));
    setup.site.page("made-up", Page::of([]));
    setup.site.change().unlisted.push("made-up".into());
    setup.poll().await;
    assert!(setup.page("listed").await.is_some());
    assert!(matches!(setup.watcher.ask(&project("made-up")).await, Asked::Unknown));
    assert!(setup.page("made-up").await.is_none());
}

#[tokio::test]
async fn a_mirror_that_fails_is_no_unknown_project() {
    let setup = Setup::new().await;
    setup.site.page("a", Page::Status("500 Internal Server Error"));
    let asked = setup.watcher.ask(&project("a")).await;
    assert!(matches!(asked, Asked::Failed(WatchError::Upstream(_))), "{asked:?}");
    setup.site.page("b", Page::Raw(b"<html>oops</html>".to_vec()));
    let asked = setup.watcher.ask(&project("b")).await;
    assert!(matches!(asked, Asked::Failed(WatchError::Page { .. })), "{asked:?}");
}

#[tokio::test]
async fn an_upload_is_seen_also_where_the_mirror_publishes_late() {
    let setup = Setup::new().await;
    setup.site.pages(1);
    setup.poll().await;
    setup.watcher.uploaded(Some(&project("p0")));
    eventually(|| async { setup.requests("/simple/p0/").len() == 2 }).await;
    setup.site.page("p0", Page::of([full("p0-1.zip", "p0"), full("p0-2.zip", "late")]));
    eventually(|| async { setup.is_target("p0", "p0-2.zip").await }).await;
    assert_eq!(
        setup.metric("countersign_looks_total{outcome=\"published\",trigger=\"upload\"}"),
        1
    );
}

#[tokio::test]
async fn a_request_during_a_look_makes_one_more_look_afterwards() {
    let setup = Setup::new().await;
    setup.site.pages(1);
    let name = project("p0");
    let looks: Vec<_> =
        (0..10).map(|_| setup.watch().look(&name, Wish::new(Trigger::Webhook))).collect();
    // All but the first began while the first was under way.
    setup.site.page("p0", Page::of([full("p0-1.zip", "p0"), full("p0-2.zip", "2")]));
    for looked in join_all(looks).await {
        looked.unwrap();
    }
    assert_eq!(setup.requests("/simple/p0/").len(), 2);
    assert!(setup.is_target("p0", "p0-2.zip").await);
}
