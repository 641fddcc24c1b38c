//! Files that go through the spool.

use super::site::{Sample, Site};
use crate::config::TargetsMode;
use crate::upstream::testing::Reply;

const WHEEL: &str = "demo-1.0+a-py3-none-any.whl";

#[tokio::test]
async fn a_file_is_fetched_once_and_served_at_all_its_paths() {
    let wheel = Sample::small(WHEEL);
    let (digest, own) = (wheel.digest(), wheel.path());
    let site = Site::start(&[Sample::small(WHEEL), Sample::small("demo-1.0.tar.gz")]).await;
    for path in [
        wheel.target(),
        format!("/tuf/targets/files/demo/{digest}.{WHEEL}"),
        format!("/tuf/targets/{digest}.files/demo/{WHEEL}"),
        own.clone(),
        "/packages//x/demo-1.0+a-py3-none-any.whl".into(),
    ] {
        let got = site.get(&path).await;
        assert_eq!((got.code(), &got.body), ("200", &wheel.bytes), "{path}");
        assert_eq!(got.header("etag"), format!("\"{digest}\""));
        assert_eq!(got.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(got.header("content-length"), wheel.bytes.len().to_string());
        assert_eq!(got.header("content-type"), "application/octet-stream");
    }
    assert_eq!(site.asked(&format!("GET {own}")), 1);
    let head = site.head(&wheel.target()).await;
    assert_eq!(head.header("content-length"), wheel.bytes.len().to_string());
    let other = Sample::small("demo-1.0.tar.gz").digest();
    let wrong = site.get(&format!("/tuf/targets/files/demo/{other}.{WHEEL}")).await;
    assert_eq!(wrong.code(), "404");
    assert_eq!(site.get("/tuf/targets/files/demo/demo-9.whl").await.code(), "404");
    assert_eq!(site.metric("spool_bytes"), wheel.bytes.len() as u64);
}

/// Some mirrors promise a wrong length, and it was signed so.
#[tokio::test]
async fn a_wrong_length_keeps_nobody_from_the_right_bytes() {
    let wheel = Sample { size: Some(7), ..Sample::small(WHEEL) };
    let site = Site::start(&[Sample { size: Some(7), ..Sample::small(WHEEL) }]).await;
    let got = site.get(&wheel.target()).await;
    assert_eq!((got.code(), &got.body), ("200", &wheel.bytes));
    let right = format!("\"size\":{}", wheel.bytes.len());
    let accept = "Accept: application/vnd.pypi.simple.v1+json";
    let corrected = async {
        while !String::from_utf8_lossy(&site.get_with("/simple/demo/", accept).await.body)
            .contains(&right)
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), corrected)
        .await
        .expect("the signed length is corrected");
}

#[tokio::test]
async fn what_has_no_end_is_wrong_however_long_it_was_promised_to_be() {
    let wheel = Sample::small(WHEEL);
    let site = Site::start(&[Sample::small(WHEEL)]).await;
    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    site.has_raw(&wheel.path(), head, |head| Reply::Endless(head, vec![b'x'; 1000]));
    assert_eq!(site.get(&wheel.target()).await.code(), "403");
}

#[tokio::test]
async fn many_at_once_share_one_fetch() {
    let wheel = Sample::small(WHEEL);
    let site = Site::start(&[Sample::small(WHEEL)]).await;
    let target = wheel.target();
    let all = futures::future::join_all((0..20).map(|_| site.get(&target))).await;
    assert!(all.iter().all(|got| got.body == wheel.bytes));
    assert_eq!(site.asked(&format!("GET {}", wheel.path())), 1);
}

#[tokio::test]
async fn ranges_are_cut_out_of_verified_bytes() {
    let wheel = Sample::small(WHEEL);
    let site = Site::start(&[Sample::small(WHEEL)]).await;
    let length = wheel.bytes.len();
    let tag = format!("\"{}\"", wheel.digest());
    let range = |path: String, headers: String| {
        let site = &site;
        async move { site.get_with(&path, &headers).await }
    };
    let part = range(wheel.target(), "Range: bytes=4-8".into()).await;
    assert_eq!((part.code(), &part.body[..]), ("206", &wheel.bytes[4..9]));
    assert_eq!(part.header("content-range"), format!("bytes 4-8/{length}"));
    let stale = range(wheel.target(), "Range: bytes=4-8\r\nIf-Range: \"old\"".into()).await;
    assert_eq!((stale.code(), stale.body.len()), ("200", length));
    let outside = range(wheel.target(), "Range: bytes=9999-".into()).await;
    assert_eq!(outside.header("content-range"), format!("bytes */{length}"));
    assert_eq!((outside.code(), outside.body.len()), ("416", 0));
    // The mirror itself may have answered here once.
    let bare = range(wheel.path(), "Range: bytes=4-8".into()).await;
    assert_eq!((bare.code(), bare.body.len()), ("200", length));
    let sure = range(wheel.path(), format!("Range: bytes=4-8\r\nIf-Range: {tag}")).await;
    assert_eq!((sure.code(), &sure.body[..]), ("206", &wheel.bytes[4..9]));
    let known = range(wheel.target(), format!("If-None-Match: {tag}")).await;
    assert_eq!(known.code(), "304");
}

#[tokio::test]
async fn not_one_wrong_byte_of_a_spooled_file_leaves() {
    for (size, altered) in [
        (None, b"other bytes of another length".to_vec()),
        (
            Some(Sample::small(WHEEL).bytes.len() as u64),
            vec![b'x'; Sample::small(WHEEL).bytes.len()],
        ),
        (Some(Sample::small(WHEEL).bytes.len() as u64), b"short".to_vec()),
    ] {
        let wheel = Sample { size, ..Sample::small(WHEEL) };
        let site = Site::with(&[Sample { size, ..Sample::small(WHEEL) }], |_| {}, None).await;
        site.has(&wheel.path(), "200 OK", "", &altered);
        for path in [wheel.target(), wheel.path(), wheel.target()] {
            let refused = site.get(&path).await;
            assert_eq!(
                refused.status,
                "403 Blocked by countersign: bytes differ from the signed hash"
            );
            assert_eq!(refused.header("content-type"), "application/problem+json");
            let detail = refused.json()["detail"].as_str().unwrap().to_owned();
            assert!(
                detail.contains(WHEEL) && detail.contains(&wheel.digest().to_string()),
                "{detail}"
            );
        }
        // Where the length is wrong, the hash of what is there decides.
        let fetches = 1 + usize::from(size.is_some_and(|size| size != altered.len() as u64));
        assert_eq!(
            site.asked(&format!("GET {}", wheel.path())),
            fetches,
            "the others are refused at once"
        );
        assert_eq!(site.metric("refusals_total{reason=\"mismatch\"}"), 1);
        assert_eq!(site.metric("refusals_total{reason=\"recent-mismatch\"}"), 2);
    }
}

#[tokio::test]
async fn the_spool_serves_on_when_the_mirror_changes_or_goes() {
    let wheel = Sample::small(WHEEL);
    let site = Site::start(&[Sample::small(WHEEL)]).await;
    site.get(&wheel.target()).await;
    site.has(&wheel.path(), "500 Oops", "", "");
    assert_eq!(site.get(&wheel.target()).await.body, wheel.bytes);
}

#[tokio::test]
async fn the_mirrors_failures_keep_their_kind() {
    let wheel = Sample::small(WHEEL);
    for (status, headers, expected) in [
        ("404 Not Found", "", "404"),
        ("403 Forbidden", "", "502"),
        ("302 Found", "Location: http://127.0.0.1:1/elsewhere.whl\r\n", "403"),
        ("429 Slow Down", "Retry-After: 3600\r\n", "503"),
    ] {
        let site = Site::start(&[Sample::small(WHEEL)]).await;
        site.has(&wheel.path(), status, headers, "");
        let got = site.get(&wheel.target()).await;
        assert_eq!(got.code(), expected, "{status}");
    }
}

#[tokio::test]
async fn a_page_alone_pins_a_file_in_index_mode() {
    let wheel = Sample { size: None, ..Sample::small(WHEEL) };
    let samples = [Sample { size: None, ..Sample::small(WHEEL) }];
    let site = Site::with(&samples, |config| config.targets = TargetsMode::Index, None).await;
    assert_eq!(site.get(&wheel.target()).await.body, wheel.bytes);
    assert_eq!(site.asked(&format!("HEAD {}", wheel.path())), 1, "its length is asked for");
}

#[tokio::test]
async fn core_metadata_is_checked_before_it_is_sent() {
    let wheel = || Sample { metadata: Some("Metadata-Version: 2.4\n"), ..Sample::small(WHEEL) };
    let site = Site::start(&[wheel(), Sample::small("demo-1.0.zip")]).await;
    for path in [wheel().target(), wheel().path(), wheel().target()] {
        let got = site.get(&format!("{path}.metadata")).await;
        assert_eq!(got.body, b"Metadata-Version: 2.4\n");
    }
    assert_eq!(site.asked(&format!("GET {}.metadata", wheel().path())), 1);
    let unpromised = Sample::small("demo-1.0.zip").target();
    assert_eq!(site.get(&format!("{unpromised}.metadata")).await.code(), "404");

    let site = Site::start(&[wheel()]).await;
    site.has(&format!("{}.metadata", wheel().path()), "200 OK", "", "Requires-Dist: evil");
    let refused = site.get(&format!("{}.metadata", wheel().target())).await;
    assert_eq!(refused.code(), "403");
    assert_eq!(site.get(&wheel().target()).await.code(), "200", "the file itself is good");
}
