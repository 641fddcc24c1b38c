//! What the metadata's standing means for what is handed out.

use std::time::Duration;

use super::between::Act;
use super::rig::{JSON, RARELY, Rig, is_refused};
use crate::proxy::tests::site::Sample;

const WHEEL: &str = "demo-1.0-py3-none-any.whl";
const TIMESTAMP: &str = "/tuf/metadata/timestamp.json";
/// Each request refreshes.
const ALWAYS: Duration = Duration::ZERO;

#[tokio::test]
async fn without_the_sidecar_it_goes_on_until_what_it_verified_expires() {
    let mut rig = Rig::start(&[Sample::small(WHEEL)], ALWAYS).await;
    let file = Sample::small(WHEEL).target();
    for path in ["/simple/demo/", &file] {
        assert_eq!(rig.get(path).await.code(), "200");
    }
    rig.between.otherwise(Act::Break);
    assert_eq!(rig.get("/simple/demo/").await.code(), "200");
    rig.restart(ALWAYS).await;
    for path in ["/simple/demo/", &file] {
        assert_eq!(rig.get(path).await.code(), "200", "another process does so too: {path}");
    }
    rig.wait(2);
    for path in ["/simple/demo/", &file] {
        is_refused(&rig.get(path).await, &["expired", "clock"]);
    }
}

/// pip gives up after 15 seconds.
#[tokio::test]
async fn nobody_waits_for_a_slow_refresh_where_there_is_something_to_go_on_with() {
    let rig = Rig::start(&[Sample::small(WHEEL)], ALWAYS).await;
    assert_eq!(rig.get("/simple/demo/").await.code(), "200");
    rig.between.act(TIMESTAMP, Act::Wait);
    let got = tokio::time::timeout(Duration::from_secs(20), rig.get("/simple/demo/")).await;
    assert_eq!(got.expect("it does not wait for the end of the refresh").code(), "200");
    let unknown = rig.get("/simple/nothing/").await;
    assert_eq!(
        unknown.code(),
        "502",
        "what is old says nothing of what is new: {}",
        unknown.status
    );
}

/// A sidecar that accepts connections and says nothing, when this process has verified nothing yet.
#[tokio::test]
async fn nobody_waits_for_a_frozen_sidecar_where_something_is_stored() {
    let mut rig = Rig::start(&[Sample::small(WHEEL)], RARELY).await;
    let file = Sample::small(WHEEL).target();
    for path in ["/simple/demo/", &file] {
        assert_eq!(rig.get(path).await.code(), "200");
    }
    rig.between.otherwise(Act::Wait);
    rig.restart(RARELY).await;
    for path in ["/simple/demo/", &file] {
        let got = tokio::time::timeout(Duration::from_secs(20), rig.get(path)).await;
        assert_eq!(got.expect("what is stored will do").code(), "200");
    }
    rig.between.asked();
    assert_eq!(rig.get("/simple/demo/").await.code(), "200");
    assert_eq!(rig.between.asked().len(), 0, "a refresh that hangs is not begun again at once");
}

#[tokio::test]
async fn projects_that_hang_at_the_index_keep_no_other_waiting() {
    let rig = Rig::start(&[Sample::small(WHEEL)], RARELY).await;
    let names: Vec<_> = (0..40).map(|n| format!("/simple/hangs-{n}/")).collect();
    names.iter().for_each(|name| rig.between.act(name, Act::Wait));
    let hanging = futures::future::join_all(names.iter().map(|name| rig.get(name)));
    let other = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        rig.get("/simple/demo/").await
    };
    tokio::select! {
        _ = hanging => panic!("nobody answers these"),
        got = other => assert_eq!(got.code(), "200"),
    }
}

/// pip waits for as long as it is told.
#[tokio::test]
async fn nobody_is_told_to_wait_for_long() {
    let rig = Rig::start(&[Sample::small(WHEEL)], RARELY).await;
    assert_eq!(rig.get("/simple/demo/").await.code(), "200");
    let path = format!("/tuf/targets/files/demo/{}.{WHEEL}", Sample::small(WHEEL).digest());
    rig.between.act(&path, Act::Status("503 Busy\r\nRetry-After: 86400"));
    let got = rig.get(&Sample::small(WHEEL).target()).await;
    assert_eq!((got.code(), got.header("retry-after")), ("503", "5"), "{}", got.status);
}

#[tokio::test]
async fn without_its_root_nothing_is_trusted_any_more() {
    let rig = Rig::start(&[Sample::small(WHEEL)], ALWAYS).await;
    assert_eq!(rig.get("/simple/demo/").await.code(), "200");
    rig.forget();
    let got = rig.get("/simple/demo/").await;
    assert_eq!(got.code(), "503", "{}", got.status);
}

#[tokio::test]
async fn without_a_sidecar_there_is_nothing_to_hand_out() {
    let rig = Rig::start(&[Sample::small(WHEEL)], ALWAYS).await;
    rig.between.otherwise(Act::Break);
    let got = rig.get("/simple/demo/").await;
    assert_eq!(got.code(), "502", "{}", got.status);
    rig.between.pass();
    assert_eq!(rig.get("/simple/demo/").await.code(), "200");
}

#[tokio::test]
async fn while_a_check_fails_nothing_is_handed_out() {
    let rig = Rig::start(&[Sample::small(WHEEL)], ALWAYS).await;
    let file = Sample::small(WHEEL).target();
    for path in ["/simple/demo/", &file] {
        assert_eq!(rig.get(path).await.code(), "200");
    }
    let signed = String::from_utf8(rig.site.get(TIMESTAMP).await.body).unwrap();
    let forged = signed.replacen("\"version\":", "\"version\":9", 1);
    for (timestamp, says) in [
        (b"no metadata".to_vec(), "malformed"),
        (forged.into_bytes(), "signature"),
        (vec![b' '; 20_000], "too-long"),
    ] {
        rig.between.act(TIMESTAMP, Act::Say(timestamp));
        for path in ["/simple/demo/", &file, "/simple/nothing/"] {
            is_refused(&rig.get(path).await, &["timestamp", says, "operator"]);
        }
    }
    rig.between.pass();
    for path in ["/simple/demo/", &file] {
        assert_eq!(rig.get(path).await.code(), "200");
    }
}

/// Rollback: what was seen once counts, also for another process.
#[tokio::test]
async fn an_older_timestamp_is_refused() {
    let mut rig = Rig::start(&[], ALWAYS).await;
    let old = rig.site.get(TIMESTAMP).await.body;
    rig.mirror_has("late", &Sample::small("late-1.0.tar.gz"));
    assert_eq!(rig.get("/simple/late/").await.code(), "200");
    rig.between.act(TIMESTAMP, Act::Say(old));
    is_refused(&rig.get("/simple/late/").await, &["timestamp", "rollback"]);
    rig.restart(ALWAYS).await;
    is_refused(&rig.get("/simple/late/").await, &["timestamp", "rollback"]);
}

#[tokio::test]
async fn a_page_that_is_not_the_signed_one_is_refused() {
    let rig = Rig::start(&[Sample::small(WHEEL)], RARELY).await;
    let page = rig.site.get_with("/simple/demo/", JSON).await;
    let digest = page.header("etag").trim_matches('"').to_owned();
    let at = format!("/tuf/targets/simple/demo/{digest}.vnd.pypi.simple.v1.json");
    let mut altered = page.body.clone();
    altered[10] ^= 1;
    for (wrong, says) in [
        (altered, "sha256"),
        (page.body[1..].to_vec(), "bytes"),
        ([&page.body[..], b" "].concat(), "too-long"),
    ] {
        rig.between.act(&at, Act::Say(wrong));
        for path in ["/simple/demo/", &Sample::small(WHEEL).target()] {
            is_refused(&rig.get(path).await, &["simple/demo/", says]);
        }
    }
    rig.between.act(&at, Act::Status("404 Not Found"));
    assert_eq!(rig.get("/simple/demo/").await.code(), "502", "it is there, and withheld");
    rig.between.pass();
    assert_eq!(rig.get_with("/simple/demo/", JSON).await.body, page.body);
}

/// A bin that is not the one the snapshot names.
#[tokio::test]
async fn mixed_metadata_is_refused() {
    let rig = Rig::start(&[Sample::small(WHEEL)], RARELY).await;
    let targets = rig.site.get("/tuf/metadata/1.targets.json").await.body;
    rig.get("/simple/demo/").await;
    let bin = rig.between.asked().into_iter().find(|path| path.contains("bins-")).unwrap();
    let rig = Rig::start(&[Sample::small(WHEEL)], RARELY).await;
    rig.between.act(&bin, Act::Say(targets));
    is_refused(&rig.get("/simple/demo/").await, &["bins-"]);
}

#[tokio::test]
async fn what_is_published_later_is_seen_after_the_interval() {
    let rig = Rig::start(&[Sample::small(WHEEL)], ALWAYS).await;
    assert_eq!(rig.get("/simple/demo/").await.code(), "200");
    rig.mirror_has("late", &Sample::small("late-1.0.tar.gz"));
    assert_eq!(rig.site.get("/simple/late/").await.code(), "200");
    rig.between.asked();
    assert_eq!(rig.get("/simple/late/").await.code(), "200");
    assert!(!rig.between.asked().contains(&"/simple/late/".to_owned()), "it is seen by itself");
}
