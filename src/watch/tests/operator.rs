use serde_json::json;

use super::site::{Page, bare, full};
use super::*;
use crate::control::{ControlError, Handler, Reply, Request};

async fn ask(setup: &Setup, request: Request) -> Result<Reply, String> {
    setup.watcher.handle(request).await.map_err(|error| {
        assert!(matches!(error, ControlError::Refused(_)));
        error.to_string()
    })
}

fn allow(filename: &str, content: &str) -> Request {
    let sha256 = Digest::of(content.as_bytes());
    Request::Allow { project: project("a"), filename: filename.into(), sha256 }
}

fn block(filename: Option<&str>) -> Request {
    Request::Block { project: project("a"), filename: filename.map(String::from) }
}

fn unblock(filename: Option<&str>) -> Request {
    Request::Unblock { project: project("a"), filename: filename.map(String::from) }
}

#[tokio::test]
async fn exactly_the_allowed_bytes_get_in() {
    let setup = Setup::new().await;
    setup.site.page("a", Page::of([full("a-1.zip", "old")]));
    setup.site.file("a-1.zip", "new");
    setup.poll().await;
    setup.site.page("a", Page::of([full("a-1.zip", "new")]));
    setup.poll().await;
    let commit = setup.commit();
    for (request, why) in [
        (allow("a-1.zip", "third"), "the mirror has a-1.zip with SHA-256"),
        (allow("a-2.zip", "new"), "does not list a-2.zip"),
    ] {
        let error = ask(&setup, request).await.unwrap_err();
        assert!(error.contains(why), "{error}");
        assert_eq!(setup.commit(), commit);
    }
    let reply = ask(&setup, allow("a-1.zip", "new")).await.unwrap();
    assert_eq!(reply.commit, Some(commit + 1));
    assert_eq!(setup.hash("a", "a-1.zip").await, Some(Digest::of(b"new")));
    let journal = crate::store::layout::commit(commit + 1);
    let record = setup.watch().store.read(&journal).await.unwrap().unwrap();
    let record: crate::repository::Commit = serde_json::from_slice(&record).unwrap();
    let allowed = record.projects[0].allowed[0].clone();
    assert_eq!((allowed.old, allowed.new), (Some(Digest::of(b"old")), Digest::of(b"new")));

    setup.site.page("a", Page::of([full("a-1.zip", "old")]));
    setup.poll().await;
    assert_eq!(setup.hash("a", "a-1.zip").await, Some(Digest::of(b"new")));
    assert_eq!(setup.refusals(Refusal::ChangedHash), 2);
}

#[tokio::test]
async fn where_the_page_does_not_tell_the_bytes_are_hashed_anew() {
    for hashes in [json!({}), json!({"md5": "0".repeat(32)})] {
        let setup = Setup::new().await;
        setup.site.file("a-1.zip", "old");
        setup.site.page("a", Page::of([bare("a-1.zip", hashes)]));
        setup.poll().await;
        setup.site.file("a-1.zip", "new");
        setup.poll().await;
        assert_eq!(setup.hash("a", "a-1.zip").await, Some(Digest::of(b"old")));
        assert!(ask(&setup, allow("a-1.zip", "third")).await.is_err());
        setup.site.file("a-1.zip", "newer");
        assert!(ask(&setup, allow("a-1.zip", "new")).await.is_err(), "it is gone already");
        setup.site.file("a-1.zip", "new");
        ask(&setup, allow("a-1.zip", "new")).await.unwrap();
        assert_eq!(setup.hash("a", "a-1.zip").await, Some(Digest::of(b"new")));
        setup.poll().await;
        assert_eq!(setup.hash("a", "a-1.zip").await, Some(Digest::of(b"new")));
    }
}

#[tokio::test]
async fn a_page_that_still_lists_the_old_hash_does_not_hide_the_new_bytes() {
    let setup = Setup::new().await;
    setup.site.file("a-1.zip", "new");
    setup.site.page("a", Page::of([full("a-1.zip", "old")]));
    setup.poll().await;
    ask(&setup, allow("a-1.zip", "new")).await.unwrap();
    let file = setup.file("a", "a-1.zip").await.unwrap();
    assert_eq!(file.sha256(), Some(Digest::of(b"new").to_string().as_str()));
}

#[tokio::test]
async fn an_allowance_that_nothing_needs_is_no_change() {
    let setup = Setup::new().await;
    setup.site.page("a", Page::of([full("a-1.zip", "1")]));
    setup.poll().await;
    let commit = setup.commit();
    let reply = ask(&setup, allow("a-1.zip", "1")).await.unwrap();
    assert!(reply.message.contains("needed no word"), "{}", reply.message);
    assert_eq!(setup.commit(), commit);
    setup.site.change().down = Some("500 Internal Server Error");
    let error = ask(&setup, allow("a-1.zip", "1")).await.unwrap_err();
    assert!(error.contains("cannot be looked at now"), "{error}");
}

#[tokio::test]
async fn a_block_acts_at_once_and_holds() {
    let setup = Setup::new().await;
    setup.site.page("a", Page::of([full("a-1.zip", "1"), full("a-2.zip", "2")]));
    setup.poll().await;
    ask(&setup, block(Some("a-1.zip"))).await.unwrap();
    assert!(!setup.is_target("a", "a-1.zip").await && setup.is_target("a", "a-2.zip").await);
    ask(&setup, block(None)).await.unwrap();
    assert!(setup.page("a").await.is_none());

    let setup = setup.restarted(|_| {}).await;
    for _ in 0..3 {
        setup.poll().await;
    }
    assert!(setup.page("a").await.is_none());
    assert_eq!(setup.refusals(Refusal::Blocked), 1);
    let asked = setup.watcher.ask(&project("a")).await;
    assert!(matches!(asked, Asked::Failed(WatchError::Blocked(_))), "{asked:?}");
    assert!(ask(&setup, unblock(Some("a-1.zip"))).await.unwrap_err().contains("not blocked"));

    ask(&setup, unblock(None)).await.unwrap();
    assert!(setup.is_target("a", "a-1.zip").await, "it is back before the answer");
    assert!(ask(&setup, unblock(None)).await.is_err());
}

#[tokio::test]
async fn a_blocked_file_comes_back_alone() {
    let setup = Setup::new().await;
    setup.site.page("a", Page::of([full("a-1.zip", "1"), full("a-2.zip", "2")]));
    setup.poll().await;
    for name in ["a-1.zip", "a-2.zip"] {
        ask(&setup, block(Some(name))).await.unwrap();
    }
    ask(&setup, unblock(Some("a-2.zip"))).await.unwrap();
    assert!(!setup.is_target("a", "a-1.zip").await && setup.is_target("a", "a-2.zip").await);
}
