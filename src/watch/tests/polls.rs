use serde_json::json;

use super::site::{Etags, Page, full};
use super::*;

#[tokio::test]
async fn an_unchanged_mirror_is_not_published_again_and_a_change_is() {
    for etags in [Etags::Right, Etags::None, Etags::Constant] {
        let setup = Setup::new().await;
        setup.site.change().etags = etags;
        setup.site.pages(5);
        setup.poll().await;
        let commit = setup.commit();
        assert!(setup.page("p4").await.is_some());
        for _ in 0..25 {
            setup.poll().await;
        }
        assert_eq!(setup.commit(), commit);
        let files = [full("p3-1.zip", "p3"), full("p3-2.zip", "new")];
        setup.site.page("p3", Page::of(files));
        for _ in 0..12 {
            setup.poll().await;
        }
        assert_eq!(setup.commit(), commit + 1);
        assert!(setup.is_target("p3", "p3-2.zip").await);
    }
}

#[tokio::test]
async fn an_unchanged_page_is_asked_for_conditionally() {
    let setup = Setup::new().await;
    setup.site.pages(1);
    setup.poll().await;
    let sent = setup.mirror.sent();
    setup.poll().await;
    let last = setup.requests("/simple/p0/").pop().unwrap().to_lowercase();
    assert!(last.contains("if-none-match:"), "{last}");
    assert!(setup.mirror.sent() - sent < 300, "bodies were sent again");
    assert_eq!(setup.metric("countersign_upstream_requests_total{outcome=\"not-modified\"}"), 2);
}

#[tokio::test]
async fn other_white_space_and_order_change_nothing() {
    let setup = Setup::new().await;
    let files = json!([full("a-1.zip", "1"), full("a-2.zip", "2")]);
    let page = |files: &serde_json::Value, serial| {
        let page = json!({
            "files": files, "meta": {"api-version": "1.0", "_last-serial": serial}, "name": "A",
        });
        Page::Raw(serde_json::to_vec_pretty(&page).unwrap())
    };
    setup.site.page("a", page(&files, 1));
    setup.poll().await;
    let commit = setup.commit();
    let turned = json!([files[1], files[0]]);
    setup.site.page("a", page(&turned, 2));
    setup.poll().await;
    assert_eq!(setup.commit(), commit);
    assert_eq!(setup.page("a").await.unwrap().files.len(), 2);
}

#[tokio::test]
async fn cursors_outlive_the_process_and_not_another_configuration() {
    let setup = Setup::new().await;
    setup.site.pages(3);
    setup.poll().await;
    let commit = setup.commit();

    let setup = setup.restarted(|_| {}).await;
    assert_eq!(setup.metric("countersign_projects"), 3);
    setup.poll().await;
    assert_eq!(setup.commit(), commit);
    assert_eq!(setup.metric("countersign_upstream_requests_total{outcome=\"not-modified\"}"), 3);

    let setup = setup.restarted(|config| config.html = false).await;
    setup.poll().await;
    assert!(setup.commit() > commit, "the pages are written as they are configured now");
    let html = crate::index::Format::Html;
    assert!(setup.watch().repository.page(&project("p0"), html).await.unwrap().is_none());
}

#[tokio::test]
async fn what_cannot_be_read_changes_nothing_and_is_reported() {
    let setup = Setup::new().await;
    setup.site.pages(2);
    setup.poll().await;
    let commit = setup.commit();
    let whole = json!({"meta": {}, "name": "p0", "files": [full("p0-2.zip", "2")]}).to_string();
    let other = json!({"meta": {}, "name": "other", "files": []}).to_string();
    let cases = [
        (Page::Raw(whole[..whole.len() - 3].into()), Refusal::PageTruncated),
        (Page::Raw(b"<html><h1>It works!</h1></html>".to_vec()), Refusal::PageMalformed),
        (Page::Raw(other.into()), Refusal::PageMismatch),
        (Page::Raw(vec![b' '; 2 << 20]), Refusal::Oversize),
        (Page::Status("500 Internal Server Error"), Refusal::PageError),
        (Page::Status("403 Forbidden"), Refusal::PageError),
        (Page::Elsewhere("/elsewhere".into()), Refusal::Origin),
    ];
    for (page, reason) in cases {
        setup.site.page("p0", page);
        let before = setup.refusals(reason);
        let looked = setup.look("p0").await;
        assert!(looked.error.is_some());
        assert_eq!(setup.refusals(reason), before + 1, "{reason}");
        assert_eq!(setup.commit(), commit);
    }
    setup.site.page("p0", Page::Raw(whole.into()));
    assert_eq!(outcome(&setup.look("p0").await), LookOutcome::Published);
}

#[tokio::test]
async fn a_mirror_that_is_down_is_left_alone_and_everything_stays() {
    let setup = Setup::new().await;
    setup.site.pages(30);
    setup.poll().await;
    let commit = setup.commit();
    setup.site.change().down = Some("503 Service Unavailable");
    let before = setup.mirror.requests().len();
    assert!(!setup.watch().poll(None).await);
    assert!(setup.mirror.requests().len() - before < 5, "the pages were asked for all the same");
    assert_eq!(setup.metric("countersign_upstream_up"), 0);
    setup.site.change().down = None;
    setup.poll().await;
    assert_eq!(setup.metric("countersign_upstream_up"), 1);
    assert_eq!(setup.commit(), commit);
}

#[tokio::test]
async fn a_mirror_that_fails_while_it_is_polled_is_left_alone() {
    let setup = Setup::new().await;
    setup.site.pages(60);
    for n in 0..60 {
        setup.site.page(&format!("p{n}"), Page::Status("503 Service Unavailable"));
    }
    assert!(!setup.watch().poll(None).await);
    let asked: std::collections::BTreeSet<_> = setup.requests("/simple/p").into_iter().collect();
    assert!(asked.len() < 30, "{} of 60 pages were asked for", asked.len());
}

#[tokio::test]
async fn a_list_that_is_empty_or_broken_withdraws_nothing() {
    let setup = Setup::new().await;
    setup.site.pages(60);
    setup.poll().await;
    let commit = setup.commit();
    for list in [r#"{"meta":{"api-version":"1.0"},"projects":[]}"#, r#"{"meta":{"#, "<html>"] {
        setup.site.change().list = Some(list.to_owned());
        for _ in 0..4 {
            setup.poll().await;
        }
    }
    assert_eq!(setup.commit(), commit);
    assert_eq!(setup.refusals(Refusal::ListMalformed), 12);
    assert_eq!(setup.metric("countersign_withdrawals_pending"), 0);
}

#[tokio::test]
async fn on_demand_only_what_is_published_is_polled() {
    let setup = Setup::with(|config| config.watch.mode = WatchMode::OnDemand).await;
    setup.site.pages(3);
    setup.poll().await;
    assert!(setup.requests("/simple/p").is_empty());
    assert!(setup.watcher.projects().is_none());
    assert!(matches!(setup.watcher.ask(&project("p1")).await, Asked::Published));
    setup.site.page("p1", Page::of([full("p1-1.zip", "p1"), full("p1-2.zip", "2")]));
    setup.poll().await;
    assert!(setup.is_target("p1", "p1-2.zip").await);
    assert!(setup.requests("/simple/p0/").is_empty());
}

#[tokio::test]
async fn the_loop_polls_until_it_is_stopped() {
    let setup = Setup::new().await;
    setup.site.pages(2);
    let stop = CancellationToken::new();
    let running = tokio::spawn(setup.watcher.clone().run(stop.clone()));
    eventually(|| async { setup.page("p1").await.is_some() }).await;
    assert_eq!(setup.watcher.projects().unwrap().to_vec(), [project("p0"), project("p1")]);
    setup.site.page("p9", Page::of([full("p9-1.zip", "9")]));
    eventually(|| async { setup.is_target("p9", "p9-1.zip").await }).await;
    stop.cancel();
    running.await.unwrap();
    let polls = setup.requests("/simple/ ").len();
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert_eq!(setup.requests("/simple/ ").len(), polls);
}

#[tokio::test]
async fn a_mirror_that_wants_a_login_is_told_from_one_that_is_away() {
    let setup = Setup::new().await;
    setup.site.pages(2);
    let look = || probe(&setup.watch().upstream, Access::Upstream);
    assert_eq!(look().await.unwrap(), Some(2));
    setup.site.change().down = Some("503 Service Unavailable");
    look().await.unwrap();
    setup.site.change().down = Some("401 Unauthorized");
    let error = look().await.unwrap_err();
    assert!(matches!(error, WatchError::LoginWanted(_)), "{error}");
    assert!(error.to_string().contains("access = \"open\""), "{error}");
}
