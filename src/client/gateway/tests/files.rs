//! Files and core metadata.

use std::io::ErrorKind;

use super::between::Act;
use super::rig::{RARELY, Rig, is_refused};
use crate::proxy::tests::site::Sample;

const WHEEL: &str = "demo-1.0+a-py3-none-any.whl";
const METADATA: &str = "Metadata-Version: 2.4\n";

fn wheel() -> Sample {
    Sample { metadata: Some(METADATA), attested: true, ..Sample::small(WHEEL) }
}

/// What the gateway asks the sidecar for.
fn fetched(sample: &Sample, suffix: &str) -> String {
    format!("/tuf/targets/files/demo/{}.{}{suffix}", sample.digest(), sample.name)
}

#[tokio::test]
async fn a_file_is_fetched_once_and_served_with_and_without_its_hash() {
    let rig = Rig::start(&[wheel()], RARELY).await;
    let digest = wheel().digest();
    for path in [
        wheel().target(),
        format!("/tuf/targets/files/demo/{digest}.{WHEEL}"),
        format!("/tuf/targets/{digest}.files/demo/{WHEEL}"),
        format!("/prefix/tuf/targets/files/demo/{WHEEL}"),
    ] {
        let got = rig.get(&path).await;
        assert_eq!((got.code(), &got.body), ("200", &wheel().bytes), "{path}");
        assert_eq!(got.headers["etag"], format!("\"{digest}\""));
    }
    let asked = rig.between.asked();
    assert_eq!(asked.iter().filter(|path| **path == fetched(&wheel(), "")).count(), 1, "{asked:?}");
    assert_eq!(rig.tally.files.get(), 4);
    let other = Sample::small("other").digest();
    assert_eq!(rig.get(&format!("/tuf/targets/files/demo/{other}.{WHEEL}")).await.code(), "404");
    assert_eq!(rig.get("/tuf/targets/files/demo/demo-9.whl").await.code(), "404");
}

#[tokio::test]
async fn head_range_and_validators_come_from_what_is_verified() {
    let rig = Rig::start(&[wheel()], RARELY).await;
    let (path, bytes) = (wheel().target(), wheel().bytes);
    rig.between.act(&fetched(&wheel(), ""), Act::Say(b"other bytes".into()));
    let head = rig.send("HEAD", &path, "Accept: */*").await;
    assert_eq!(head.code(), "403", "HEAD promises nothing that is not verified");

    let rig = Rig::start(&[wheel()], RARELY).await;
    let head = rig.send("HEAD", &path, "Accept: */*").await;
    assert_eq!((head.header("content-length"), head.body.len()), (&*bytes.len().to_string(), 0));
    let part = rig.get_with(&path, "Range: bytes=4-8").await;
    assert_eq!((part.code(), &part.body[..]), ("206", &bytes[4..9]));
    let stale = rig.get_with(&path, "Range: bytes=4-8\r\nIf-Range: \"old\"").await;
    assert_eq!((stale.code(), &stale.body), ("200", &bytes));
    let known = rig.get_with(&path, &format!("If-None-Match: {}", head.header("etag"))).await;
    assert_eq!(known.code(), "304");
}

#[tokio::test]
async fn core_metadata_is_checked_against_the_verified_page() {
    let bare = Sample::small("demo-1.0.zip");
    let rig = Rig::start(&[wheel(), Sample::small("demo-1.0.zip")], RARELY).await;
    let path = format!("{}.metadata", wheel().target());
    assert_eq!(rig.get(&path).await.body, METADATA.as_bytes());
    assert_eq!(rig.get(&format!("{}.metadata", bare.target())).await.code(), "404");
    for beside in [".asc", ".provenance"] {
        assert_eq!(rig.get(&format!("{}{beside}", bare.target())).await.code(), "404");
        is_refused(&rig.get(&format!("{}{beside}", wheel().target())).await, &["not signed"]);
    }

    let rig = Rig::start(&[wheel()], RARELY).await;
    let evil = "Requires-Dist: evil".as_bytes().to_vec();
    rig.between.act(&fetched(&wheel(), ".metadata"), Act::Say(evil));
    is_refused(&rig.get(&path).await, &["hash", "demo-1.0+a-py3-none-any.whl.metadata"]);
    assert_eq!(rig.get(&wheel().target()).await.code(), "200", "the file itself is good");
}

#[tokio::test]
async fn not_one_wrong_byte_of_a_file_leaves() {
    let right = wheel().bytes.len();
    for wrong in [vec![b'x'; right], b"short".to_vec(), vec![b'x'; 50_000]] {
        let rig = Rig::start(&[wheel()], RARELY).await;
        rig.between.act(&fetched(&wheel(), ""), Act::Say(wrong));
        let digest = wheel().digest().to_string();
        is_refused(&rig.get(&wheel().target()).await, &["signed hash", WHEEL, &digest]);
        rig.between.asked();
        is_refused(&rig.get(&wheel().target()).await, &["signed hash", WHEEL, &digest]);
        assert_eq!(rig.between.asked().len(), 0, "it is refused at once");
        assert_eq!((rig.tally.refused.get(), rig.tally.files.get()), (2, 0));
    }
}

#[tokio::test]
async fn what_has_no_end_is_cut_off_at_what_is_signed() {
    let rig = Rig::start(&[wheel()], RARELY).await;
    rig.between.act(&fetched(&wheel(), ""), Act::Endless(&[b'x'; 1000]));
    is_refused(&rig.get(&wheel().target()).await, &["signed hash", WHEEL]);
    rig.between.act(&fetched(&wheel(), ".metadata"), Act::Endless(&[b'x'; 1000]));
    let metadata = format!("{}.metadata", wheel().target());
    is_refused(&rig.get(&metadata).await, &["does not end", "endless data", WHEEL]);
    let asked = rig.between.asked();
    assert_eq!(asked.iter().filter(|path| **path == fetched(&wheel(), "")).count(), 1, "{asked:?}");
}

#[tokio::test]
async fn a_large_file_is_streamed_and_wrong_bytes_end_in_a_reset() {
    let large = || Sample::large("demo-2.0-py3-none-any.whl");
    let rig = Rig::start(&[large()], RARELY).await;
    let got = rig.get(&large().target()).await;
    assert_eq!((got.code(), got.error, got.header("etag")), ("200", None, ""));
    assert!(got.body == large().bytes);
    assert_eq!(rig.tally.files.get(), 1);
    let head = rig.send("HEAD", &large().target(), "Accept: */*").await;
    assert_eq!(head.header("content-length"), large().bytes.len().to_string());

    let mut altered = large().bytes;
    altered[1000] ^= 1;
    rig.between.act(&fetched(&large(), ""), Act::Say(altered));
    let cut = rig.get(&large().target()).await;
    assert_eq!((cut.code(), cut.error), ("200", Some(ErrorKind::ConnectionReset)));
    assert!(cut.body.len() < large().bytes.len());
    is_refused(&rig.get(&large().target()).await, &["signed hash"]);
    assert_eq!(rig.tally.files.get(), 1);
}

/// 404 would say that verified metadata has no such file.
#[tokio::test]
async fn a_listed_file_that_cannot_be_had_is_no_404() {
    for (act, code) in [
        (Act::Status("404 Not Found"), "502"),
        (Act::Status("410 Gone"), "502"),
        (Act::Status("500 Oops"), "502"),
        (Act::Break, "502"),
        (Act::Status("403 Forbidden"), "403"),
    ] {
        let rig = Rig::start(&[wheel()], RARELY).await;
        rig.between.act(&fetched(&wheel(), ""), act);
        assert_eq!(rig.get(&wheel().target()).await.code(), code);
        rig.between.pass();
        assert_eq!(rig.get(&wheel().target()).await.code(), "200");
    }
}
