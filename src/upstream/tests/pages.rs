//! Project pages and the list.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::config::UpstreamConfig;
use crate::index::ProjectName;
use crate::upstream::testing::{Mirror, Reply, answer, client, header, ok, redirect, status};
use crate::upstream::{Fetched, Gone, PageReply, REASONS, UpstreamError, Validators};

fn demo() -> ProjectName {
    ProjectName::parse("Demo_Pkg").unwrap()
}

async fn page(mirror: &Mirror) -> Result<PageReply, UpstreamError> {
    mirror.client().page(&demo(), None).await
}

/// The page of a mirror that always answers in this way.
async fn page_of(
    reply: impl Fn() -> Reply + Send + Sync + 'static,
) -> Result<PageReply, UpstreamError> {
    page(&Mirror::start(move |_, _| reply()).await).await
}

async fn refused(reply: impl Fn() -> Reply + Send + Sync + 'static) -> UpstreamError {
    let error = page_of(reply).await.unwrap_err();
    assert!(REASONS.contains(&error.reason()));
    error
}

fn fresh(reply: PageReply) -> Fetched {
    match reply {
        PageReply::Fresh(fetched) => fetched,
        other => panic!("{other:?}"),
    }
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_page_comes_with_all_that_belongs_to_it() {
    let mirror = Mirror::start(|_, _| {
        ok("Content-Type: text/html\r\nETag: \"e\"\r\nLast-Modified: then\r\nX-PyPI-Last-Serial: 7\r\n", "<a>")
    })
    .await;
    let fetched = fresh(page(&mirror).await.unwrap());
    assert_eq!(fetched.body, "<a>");
    assert_eq!(fetched.content_type.as_deref(), Some("text/html"));
    assert_eq!(fetched.url, mirror.url("/simple/demo-pkg/"));
    assert_eq!(fetched.serial, Some(7));
    let expected = Validators { etag: Some("\"e\"".into()), last_modified: Some("then".into()) };
    assert_eq!(fetched.validators, expected);

    let request = &mirror.requests()[0];
    assert!(request.starts_with("GET /simple/demo-pkg/ HTTP/1.1\r\n"), "{request}");
    assert!(header(request, "accept").unwrap().starts_with("application/vnd.pypi.simple.v1+json,"));
    assert_eq!(header(request, "accept-encoding"), Some("gzip"));
    assert_eq!(header(request, "host"), Some(mirror.addr.to_string().as_str()));
    assert_eq!(header(request, "authorization"), None);
}

#[tokio::test]
async fn validators_make_a_request_conditional() {
    let mirror = Mirror::start(|_, request| match header(request, "if-none-match") {
        Some("\"e\"") => status("304 Not Modified"),
        _ => ok("", "new"),
    })
    .await;
    let known = Validators { etag: Some("\"e\"".into()), last_modified: Some("then".into()) };
    let client = mirror.client();
    assert_eq!(client.page(&demo(), Some(&known)).await.unwrap(), PageReply::NotModified);
    assert_eq!(client.list(Some(&known)).await.unwrap(), PageReply::NotModified);
    assert_eq!(header(&mirror.requests()[0], "if-modified-since"), Some("then"));
    assert_eq!(fresh(client.page(&demo(), None).await.unwrap()).body, "new");
}

#[tokio::test]
async fn an_unasked_304_is_no_page() {
    let error = refused(|| status("304 Not Modified")).await;
    assert!(matches!(error, UpstreamError::Status { code: 304, .. }), "{error}");
}

#[tokio::test]
async fn what_is_gone_is_told_apart() {
    let gone = |reply| match reply {
        Ok(PageReply::Gone(gone)) => gone,
        other => panic!("{other:?}"),
    };
    assert_eq!(gone(page_of(|| status("404 Not Found")).await), Gone::NotFound);
    assert_eq!(gone(page_of(|| status("410 Gone")).await), Gone::Removed410);
    for to in [
        "https://pypi.example/simple/Demo.Pkg/",
        "/other/+simple/demo-pkg",
        "//b.example:1/demo-pkg/",
    ] {
        let reply = page_of(move || redirect(to)).await;
        let Gone::Elsewhere(url) = gone(reply) else { panic!("{to}") };
        assert!(url.as_str().contains(to.trim_start_matches('/')), "{url}");
    }
}

#[tokio::test]
async fn redirects_within_the_index_are_followed() {
    let mirror = Mirror::start(|count, _| match count {
        0 => redirect("/simple/Demo-Pkg"),
        1 => redirect("../simple/demo_pkg/index.html"),
        _ => ok("", "here"),
    })
    .await;
    let fetched = fresh(page(&mirror).await.unwrap());
    assert_eq!(
        (&fetched.body[..], fetched.url),
        (&b"here"[..], mirror.url("/simple/demo_pkg/index.html"))
    );
}

#[tokio::test]
async fn redirects_away_from_the_page_are_refused() {
    for to in [
        "/simple/other/",
        "/simple/",
        "/login?next=/simple/demo-pkg/",
        "https://sso.example/login",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "/simple/demo-pkg%2f..%2fother/",
        "/simple/demo-pkg/../other/",
    ] {
        let mirror = Mirror::start(move |_, _| redirect(to)).await;
        let error = page(&mirror).await.unwrap_err();
        assert!(matches!(error, UpstreamError::RedirectRefused { .. }), "{to}: {error}");
        assert!(!error.is_transient());
        assert_eq!(mirror.requests().len(), 1, "{to} was followed");
    }
    let error = refused(|| status("302 Found")).await;
    assert!(matches!(error, UpstreamError::RedirectRefused { .. }), "{error}");
}

#[tokio::test]
async fn endless_redirects_end() {
    let mirror = Mirror::start(|_, _| redirect("/simple/demo-pkg/")).await;
    let error = page(&mirror).await.unwrap_err();
    assert!(matches!(error, UpstreamError::RedirectRefused { .. }), "{error}");
    assert_eq!(mirror.requests().len(), 6);
}

#[tokio::test]
async fn the_list_is_not_taken_from_elsewhere() {
    let mirror = Mirror::start(|count, _| match count {
        0 => ok("", "list"),
        _ => redirect("https://pypi.example/simple/"),
    })
    .await;
    let client = mirror.client();
    assert_eq!(fresh(client.list(None).await.unwrap()).body, "list");
    let error = client.list(None).await.unwrap_err();
    assert!(matches!(error, UpstreamError::RedirectRefused { .. }), "{error}");
}

#[tokio::test]
async fn a_mirror_that_moved_to_tls_has_not_withdrawn_anything() {
    let config =
        UpstreamConfig { url: Some("http://mirror.invalid/simple/".into()), ..Default::default() };
    let upstream = client(&config);
    let to = "https://mirror.invalid/simple/demo-pkg/".parse().unwrap();
    assert!(!upstream.allows(&to));
    let mirror =
        Mirror::start(move |_, _| redirect("https://mirror.invalid/simple/demo-pkg/")).await;
    let proxies = hyper_util::client::proxy::matcher::Matcher::builder()
        .all(format!("http://{}", mirror.addr))
        .build();
    let upstream = crate::upstream::Upstream::with_proxies(
        &config,
        &crate::upstream::testing::limits(),
        crate::config::Access::Upstream,
        proxies,
    )
    .unwrap();
    let error = upstream.page(&demo(), None).await.unwrap_err();
    assert!(matches!(error, UpstreamError::OriginRefused { .. }), "{error}");
}

#[tokio::test]
async fn a_wish_for_a_login_is_told() {
    for code in ["401 Unauthorized", "403 Forbidden"] {
        let mirror = Mirror::start(move |_, _| status(code)).await;
        let error = page(&mirror).await.unwrap_err();
        assert!(matches!(error, UpstreamError::LoginWanted { .. }), "{error}");
        assert_eq!(mirror.requests().len(), 1, "not tried again");
    }
}

#[tokio::test]
async fn gzip_is_undone() {
    let fetched = fresh(page_of(|| ok("Content-Encoding: gzip\r\n", gzip(b"page"))).await.unwrap());
    assert_eq!(fetched.body, "page");
}

#[tokio::test]
async fn unasked_and_broken_encodings_are_refused() {
    for headers in ["Content-Encoding: br\r\n", "Content-Encoding: gzip\r\n"] {
        let error = refused(move || ok(headers, "not gzip at all")).await;
        assert!(matches!(error, UpstreamError::Encoding { .. }), "{error}");
    }
}

/// The most memory that this process ever had, bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn a_gzip_bomb_costs_no_memory() {
    // A gigabyte in some thousand bytes.
    let bomb = gzip(&vec![0; 16 << 20]).repeat(64);
    let before = peak();
    let error = refused(move || ok("Content-Encoding: gzip\r\n", &bomb)).await;
    assert!(matches!(error, UpstreamError::TooLarge { limit: 1_048_576, .. }), "{error}");
    assert!(peak() - before < 256 << 20);
}

#[tokio::test]
async fn an_announced_giant_is_not_read() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 209715200\r\n\r\n";
    let error = refused(|| Reply::Hang(head.into())).await;
    assert!(matches!(error, UpstreamError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn an_endless_page_is_cut_off() {
    for head in ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n"]
    {
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(65536)).into_bytes();
        let mirror = Mirror::start(move |_, _| Reply::Endless(head.into(), chunk.clone())).await;
        let error = page(&mirror).await.unwrap_err();
        assert!(matches!(error, UpstreamError::TooLarge { .. }), "{error}");
        assert_eq!(mirror.requests().len(), 1, "not tried again");
        // What lies in the buffers of sockets comes on top of the limit.
        assert!(mirror.sent() < 32 << 20, "{}", mirror.sent());
    }
}

#[tokio::test]
async fn a_short_page_is_no_page() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    let mirror = Mirror::start(move |count, _| match count {
        0 => Reply::Close(head.into()),
        1 => Reply::Close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal".into()),
        _ => Reply::Close(
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\0"
                .into(),
        ),
    })
    .await;
    let error = page(&mirror).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Truncated { .. }), "{error}");
    assert_eq!(mirror.requests().len(), 3);
    let error = refused(move || Reply::Close(head.into())).await;
    assert!(matches!(error, UpstreamError::Truncated { .. }), "{error}");
}

#[tokio::test]
async fn a_page_may_end_with_its_connection() {
    let reply =
        || Reply::Close("HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\nold style".into());
    assert_eq!(fresh(page_of(reply).await.unwrap()).body, "old style");
}

#[tokio::test]
async fn silence_is_a_timeout() {
    for said in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"] {
        let mirror = Mirror::start(move |_, _| Reply::Hang(said.into())).await;
        let error = mirror.hasty_client().page(&demo(), None).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Timeout { .. }), "{said:?}: {error}");
        assert!(error.is_transient());
        assert_eq!(mirror.requests().len(), 3);
    }
}

#[tokio::test]
async fn a_page_that_trickles_in_runs_out_of_time() {
    let mirror = Mirror::start(|_, _| {
        Reply::Endless(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            "1\r\nx\r\n".into(),
        )
    })
    .await;
    let mut config = mirror.config();
    config.page_timeout = Duration::from_millis(20);
    let error = client(&config).page(&demo(), None).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Timeout { what: "the whole answer", .. }), "{error}");
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let mirror = Mirror::start(|count, _| match count {
        0 => status("503 Service Unavailable"),
        1 => Reply::Close(Vec::new()),
        _ => ok("", "at last"),
    })
    .await;
    assert_eq!(fresh(page(&mirror).await.unwrap()).body, "at last");

    let mirror = Mirror::start(|_, _| status("500 Oops")).await;
    let error = page(&mirror).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Status { code: 500, .. }), "{error}");
    assert_eq!(mirror.requests().len(), 3);

    let mirror = Mirror::start(|_, _| status("418 Teapot")).await;
    page(&mirror).await.unwrap_err();
    assert_eq!(mirror.requests().len(), 1);
}

#[tokio::test]
async fn retry_after_is_waited_for_or_told() {
    let mirror = Mirror::start(|count, _| match count {
        0 => Reply::Keep(answer("429 Too Many", "Retry-After: 1\r\n", "")),
        _ => ok("", "at last"),
    })
    .await;
    let start = std::time::Instant::now();
    assert_eq!(fresh(page(&mirror).await.unwrap()).body, "at last");
    assert!(start.elapsed() >= Duration::from_secs(1));

    let mirror =
        Mirror::start(|_, _| Reply::Keep(answer("503 Busy", "Retry-After: 90\r\n", ""))).await;
    let error = page(&mirror).await.unwrap_err();
    let UpstreamError::BusyUntil { wait, code: 503, .. } = error else { panic!("{error}") };
    assert_eq!(wait, Duration::from_secs(90));
    assert_eq!(mirror.requests().len(), 1);
}

#[tokio::test]
async fn what_is_no_http_is_malformed() {
    for said in ["SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"] {
        let error = refused(move || Reply::Close(said.into())).await;
        assert!(matches!(error, UpstreamError::Malformed { .. }), "{error}");
    }
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(2 << 20));
    let error = refused(move || Reply::Close(long.clone().into())).await;
    assert!(matches!(error, UpstreamError::Malformed { .. }), "{error}");
}
