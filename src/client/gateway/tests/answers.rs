//! Pages, and what is no page.

use super::between::Act;
use super::rig::{JSON, RARELY, Rig, is_refused};
use crate::proxy::tests::site::Sample;

const WHEEL: &str = "demo-1.0-py3-none-any.whl";

#[tokio::test]
async fn a_page_is_handed_out_as_it_is_signed() {
    let rig = Rig::start(&[Sample::small(WHEEL)], RARELY).await;
    let signed = rig.site.get_with("/simple/demo/", JSON).await;
    let page = rig.get_with("/simple/demo/", JSON).await;
    assert_eq!((page.code(), &page.body), ("200", &signed.body));
    assert_eq!(page.header("content-type"), "application/vnd.pypi.simple.v1+json");
    assert_eq!(page.header("etag"), signed.header("etag"));
    assert_eq!(page.header("vary"), "Accept");
    let packed = rig.get_with("/simple/demo/", &format!("{JSON}\r\nAccept-Encoding: gzip")).await;
    assert_eq!((packed.header("content-encoding"), &packed.body), ("", &signed.body));

    let html = rig.get("/simple/demo/").await;
    assert_eq!(html.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(html.body, rig.site.get("/simple/demo/").await.body);
    assert_eq!(rig.get_with("/simple/demo/", "Accept: image/png").await.code(), "406");
}

#[tokio::test]
async fn a_page_has_validators_and_a_head() {
    let rig = Rig::start(&[Sample::small(WHEEL)], RARELY).await;
    for accept in [JSON, "Accept: text/html"] {
        let page = rig.get_with("/simple/demo/", accept).await;
        let known = format!("{accept}\r\nIf-None-Match: {}", page.header("etag"));
        let same = rig.get_with("/simple/demo/", &known).await;
        assert_eq!((same.code(), same.body.len()), ("304", 0));
        let head = rig.send("HEAD", "/simple/demo/", accept).await;
        assert_eq!((head.code(), head.body.len()), ("200", 0));
        assert_eq!(head.header("content-length"), page.body.len().to_string());
    }
}

#[tokio::test]
async fn what_was_verified_is_asked_for_once() {
    let rig = Rig::start(&[Sample::small(WHEEL)], RARELY).await;
    for _ in 0..5 {
        assert_eq!(rig.get("/simple/demo/").await.code(), "200");
    }
    let asked = rig.between.asked();
    let of = |part: &str| asked.iter().filter(|path| path.contains(part)).count();
    assert_eq!((of("2.root.json"), of("timestamp.json"), of("snapshot.json")), (1, 1, 1));
    assert_eq!((of("bins-"), of("/targets/simple/demo/")), (1, 1), "{asked:?}");
    assert_eq!(of("/simple/demo/"), 1, "the index itself is not asked");
    assert_eq!(rig.tally.pages.get(), 1);
}

#[tokio::test]
async fn after_a_restart_the_timestamp_is_all_that_is_asked_for() {
    let mut rig = Rig::start(&[Sample::small(WHEEL)], RARELY).await;
    let file = Sample::small(WHEEL).target();
    for path in ["/simple/demo/", &file] {
        assert_eq!(rig.get(path).await.code(), "200");
    }
    rig.between.asked();
    rig.restart(RARELY).await;
    for path in ["/simple/demo/", &file] {
        assert_eq!(rig.get(path).await.code(), "200");
    }
    assert_eq!(rig.between.asked(), ["/tuf/metadata/2.root.json", "/tuf/metadata/timestamp.json"]);
}

#[tokio::test]
async fn at_once_they_share_one_refresh() {
    let rig = Rig::start(&[Sample::small(WHEEL)], RARELY).await;
    let all = (0..20).map(|_| rig.get("/simple/demo/"));
    let all = futures::future::join_all(all).await;
    assert!(all.iter().all(|got| got.code() == "200"));
    let asked = rig.between.asked();
    assert_eq!(asked.iter().filter(|path| path.ends_with("timestamp.json")).count(), 1);
    assert_eq!(asked.iter().filter(|path| path.contains("/targets/simple/demo/")).count(), 1);
}

#[tokio::test]
async fn an_unknown_project_is_asked_for_once_and_then_remembered() {
    let rig = Rig::start(&[], RARELY).await;
    for _ in 0..3 {
        let got = rig.get("/simple/nothing/").await;
        assert_eq!(got.code(), "404");
        assert!(got.json()["detail"].as_str().unwrap().contains("nothing"));
    }
    let asked = rig.between.asked();
    assert_eq!(asked.iter().filter(|path| *path == "/simple/nothing/").count(), 1);
    assert_eq!(asked.iter().filter(|path| path.ends_with("timestamp.json")).count(), 2);
}

#[tokio::test]
async fn a_sidecar_learns_of_a_project_by_being_asked() {
    let rig = Rig::start(&[], RARELY).await;
    let late = Sample::small("late-1.0.tar.gz");
    rig.mirror_has("late", &late);
    let page = rig.get_with("/simple/late/", JSON).await;
    assert_eq!(page.code(), "200");
    assert_eq!(page.json()["files"][0]["hashes"]["sha256"], late.digest().to_string());
    let file = rig.get("/tuf/targets/files/late/late-1.0.tar.gz").await;
    assert_eq!((file.code(), &file.body), ("200", &late.bytes));
}

/// The first thing that is asked for may be a file, by a lock file.
#[tokio::test]
async fn a_file_of_an_unknown_project_is_found_too() {
    let rig = Rig::start(&[], RARELY).await;
    let late = Sample::small("late-1.0.tar.gz");
    rig.mirror_has("late", &late);
    let file = rig.get("/tuf/targets/files/late/late-1.0.tar.gz").await;
    assert_eq!((file.code(), &file.body), ("200", &late.bytes));
}

/// What the index says of a project that is not signed is of no interest.
#[tokio::test]
async fn an_unsigned_page_is_never_passed_on() {
    let rig = Rig::start(&[], RARELY).await;
    rig.between
        .act("/simple/evil/", Act::Say(b"<a href=\"/evil-1.0.whl\">evil-1.0.whl</a>".into()));
    let got = rig.get("/simple/evil/").await;
    assert_eq!(got.code(), "404");
    assert!(!String::from_utf8_lossy(&got.body).contains("whl"));
}

/// Nothing says that a project does not exist if nobody could look.
#[tokio::test]
async fn an_index_that_fails_is_no_unknown_project() {
    for (act, code) in [
        (Act::Break, "502"),
        (Act::Status("500 Oops"), "502"),
        (Act::Status("503 Later\r\nRetry-After: 60"), "503"),
        (Act::Status("403 Forbidden"), "403"),
    ] {
        let rig = Rig::start(&[], RARELY).await;
        rig.between.act("/simple/nothing/", act);
        let got = rig.get("/simple/nothing/").await;
        assert_eq!(got.code(), code, "{}", got.status);
        rig.between.pass();
        assert_eq!(rig.get("/simple/nothing/").await.code(), "404", "it is not remembered");
    }
}

#[tokio::test]
async fn other_paths_are_refused_with_a_sentence() {
    let rig = Rig::start(&[Sample::small(WHEEL)], RARELY).await;
    for (path, says) in [
        ("/simple/", "project list"),
        ("/tuf/metadata/timestamp.json", "metadata"),
        ("/tuf/targets/simple/demo/vnd.pypi.simple.v1.json", "metadata"),
        ("/packages/x/demo-1.0-py3-none-any.whl", "signed pages"),
        ("/other/simple/demo/", "another index"),
    ] {
        is_refused(&rig.get(path).await, &[says]);
    }
    for path in ["/", "/favicon.ico", "/pypi/demo/json", "/tuf/", "/simple/de%20mo/"] {
        assert_eq!(rig.get(path).await.code(), "404", "{path}");
    }
    let moved = rig.get("/simple/Demo").await;
    assert_eq!((moved.code(), moved.header("location")), ("301", "../simple/demo/"));
    for (method, path) in [("POST", "/legacy/"), ("PUT", "/simple/demo/"), ("DELETE", "/tuf/")] {
        let got = rig.send(method, path, "Content-Length: 0").await;
        assert_eq!((got.code(), got.header("allow")), ("405", "GET, HEAD"));
        assert!(got.json()["detail"].as_str().unwrap().contains("upload"));
    }
    assert_eq!(rig.between.asked().len(), 0, "nobody was asked for any of it");
}
