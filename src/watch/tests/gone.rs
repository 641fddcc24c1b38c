use super::site::{Page, full};
use super::*;

#[tokio::test]
async fn a_project_is_withdrawn_after_the_third_answer() {
    let ways = || {
        [
            Some(Page::Status("410 Gone")),
            Some(Page::Elsewhere("http://127.0.0.1:9/simple/p0/".into())),
            None,
        ]
    };
    for way in ways() {
        let setup = Setup::new().await;
        setup.site.pages(3);
        setup.poll().await;
        match way {
            Some(page) => setup.site.page("p0", page),
            None => drop(setup.site.change().pages.remove("p0")),
        }
        setup.poll().await;
        setup.poll().await;
        assert!(setup.page("p0").await.is_some());
        assert_eq!(setup.metric("countersign_withdrawals_pending"), 1);
        setup.poll().await;
        assert!(setup.page("p0").await.is_none());
        assert!(!setup.is_target("p0", "p0-1.zip").await);
        assert_eq!(setup.metric("countersign_withdrawals_pending"), 0);
        assert_eq!(setup.metric("countersign_projects"), 2);

        setup.site.page("p0", Page::of([full("p0-1.zip", "other")]));
        setup.poll().await;
        assert!(!setup.is_target("p0", "p0-1.zip").await, "its names keep their bytes");
    }
}

#[tokio::test]
async fn an_empty_page_is_believed_at_the_third_time() {
    let setup = Setup::new().await;
    setup.site.pages(2);
    setup.poll().await;
    setup.site.page("p0", Page::of([]));
    setup.poll().await;
    setup.poll().await;
    assert_eq!(setup.page("p0").await.unwrap().files.len(), 1);
    setup.poll().await;
    assert!(setup.page("p0").await.unwrap().files.is_empty());
    let commit = setup.commit();
    setup.poll().await;
    assert_eq!(setup.commit(), commit);
}

#[tokio::test]
async fn one_good_answer_starts_the_count_anew() {
    let setup = Setup::new().await;
    setup.site.pages(2);
    setup.poll().await;
    let page = setup.site.change().pages.get("p0").cloned().unwrap();
    for _ in 0..3 {
        setup.site.page("p0", Page::Status("404 Not Found"));
        setup.poll().await;
        setup.poll().await;
        setup.site.page("p0", page.clone());
        setup.poll().await;
    }
    assert!(setup.page("p0").await.is_some());
    assert_eq!(setup.metric("countersign_withdrawals_pending"), 0);
}

#[tokio::test]
async fn nothing_is_withdrawn_while_the_rest_of_the_mirror_fails() {
    let setup = Setup::new().await;
    setup.site.pages(2);
    setup.poll().await;
    setup.site.change().list_down = Some("400 Bad Request");
    setup.site.page("p0", Page::Status("404 Not Found"));
    setup.site.page("p1", Page::Status("400 Bad Request"));
    for _ in 0..5 {
        setup.poll().await;
    }
    assert!(setup.page("p0").await.is_some());
    setup.site.change().list_down = None;
    setup.poll().await;
    assert!(setup.page("p0").await.is_none());
    assert!(setup.page("p1").await.is_some());
}

#[tokio::test]
async fn many_at_once_wait_for_the_operators_word() {
    let setup = Setup::new().await;
    setup.site.pages(60);
    setup.poll().await;
    let commit = setup.commit();
    assert!(setup.watcher.allow_withdrawals().await.is_err(), "none wait yet");
    setup.site.change().pages.retain(|name, _| name == "p0");
    for _ in 0..5 {
        setup.poll().await;
    }
    assert_eq!(setup.commit(), commit);
    assert_eq!(setup.metric("countersign_withdrawals_pending"), 59);
    assert_eq!(setup.refusals(Refusal::MassWithdrawal), 59);
    // One of them is there again before the word is given.
    setup.site.page("p7", Page::of([full("p7-1.zip", "p7")]));
    let reply = setup.watcher.allow_withdrawals().await.unwrap();
    assert!(reply.message.starts_with("58 of 59"), "{}", reply.message);
    assert!(setup.page("p7").await.is_some() && setup.page("p0").await.is_some());
    assert!(setup.page("p1").await.is_none());
    assert_eq!(setup.metric("countersign_withdrawals_pending"), 0);
    assert_eq!(setup.metric("countersign_projects"), 2);
}

#[tokio::test]
async fn the_loop_looks_again_at_what_seems_to_be_gone() {
    let setup = Setup::with(|config| {
        config.watch.interval = Duration::from_secs(3600);
        config.watch.withdrawal_period = Duration::from_millis(300);
    })
    .await;
    setup.site.pages(2);
    let stop = CancellationToken::new();
    let running = tokio::spawn(setup.watcher.clone().run(stop.clone()));
    for name in ["p0", "p1"] {
        eventually(|| async { setup.page(name).await.is_some() }).await;
    }
    setup.site.change().pages.remove("p0");
    setup.watcher.changed(None);
    eventually(|| async { setup.page("p0").await.is_none() }).await;
    assert!(setup.requests("/simple/p0/").len() >= 4);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn what_was_withdrawn_before_a_crash_comes_back() {
    let setup = Setup::new().await;
    setup.site.pages(2);
    setup.poll().await;
    let page = setup.site.change().pages.remove("p0").unwrap();
    for _ in 0..3 {
        // The cursors are not saved any more.
        setup.watch().poll(None).await;
    }
    assert!(setup.page("p0").await.is_none());
    let setup = setup.restarted(|_| {}).await;
    setup.site.page("p0", page);
    setup.poll().await;
    assert!(setup.page("p0").await.is_some());
}
