//! What goes on to the mirror.

use super::site::{Sample, Site};
use crate::config::Passthrough;

#[tokio::test]
async fn what_is_not_ours_passes_unchanged() {
    let site = Site::start(&[]).await;
    site.has("/status?x=1", "299 All Quiet", "X-Mirror: yes\r\n", "the body");
    let got = site.get("/status?x=1").await;
    assert_eq!((got.status.as_str(), &got.body[..]), ("299 All Quiet", &b"the body"[..]));
    assert_eq!(got.header("x-mirror"), "yes");
    assert_eq!(site.get("/nothing").await.body, b"no such thing");
    let request = site.mirror.requests().remove(0);
    assert!(request.to_lowercase().contains("x-forwarded-host: x\r\n"), "{request}");
    assert!(request.to_lowercase().contains("x-forwarded-for: 127.0.0.1\r\n"), "{request}");
}

#[tokio::test]
async fn what_must_be_signed_and_is_not_is_refused() {
    let site = Site::start(&[Sample::small("demo-1.0.zip")]).await;
    for path in ["/packages/x/demo-6.6.6.whl", "/dl/unknown-1.0.tar.gz", "/other/simple/demo/"] {
        site.has(path, "200 OK", "", "unsigned bytes");
    }
    site.has("/dl?id=1", "200 OK", "Content-Type: application/zip\r\n", "PK");
    let disposition = "Content-Disposition: attachment; filename=\"demo-6.6.6.whl\"\r\n";
    site.has("/dl?id=2", "200 OK", disposition, "PK");
    for path in [
        "/packages/x/demo-6.6.6.whl",
        "/dl/unknown-1.0.tar.gz",
        "/other/simple/demo/",
        "/dl?id=1",
        "/dl?id=2",
    ] {
        let got = site.get(path).await;
        assert_eq!(
            got.status, "403 Blocked by countersign: nothing signed vouches for this",
            "{path}"
        );
    }
    assert_eq!(site.metric("refusals_total{reason=\"unsigned\"}"), 5);
}

/// devpi answers PUT, OPTIONS and unknown methods as it does GET.
#[tokio::test]
async fn no_method_gets_what_must_be_signed() {
    let site = Site::start(&[Sample::small("demo-1.0.zip")]).await;
    let octets = "Content-Type: application/octet-stream\r\n";
    site.has("/packages/x/demo-6.6.6.whl", "200 OK", octets, "unsigned bytes");
    for path in ["/simple/demo/", "/other/simple/demo/"] {
        site.has(path, "200 OK", "Content-Type: text/html\r\n", "an unsigned page");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "get"] {
        for path in ["/packages/x/demo-6.6.6.whl", "/simple/demo/", "/other/simple/demo/"] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            assert_eq!(site.send(&request).await.code(), "403", "{method} {path}");
        }
    }
}

/// Artifactory and Nexus take files at their own paths.
#[tokio::test]
async fn what_a_mirror_says_of_an_upload_passes() {
    let site = Site::start(&[]).await;
    let said = "Content-Type: application/vnd.x+json\r\nLocation: /repo/demo-1.0.whl\r\n";
    site.has("/repo/demo-1.0.whl", "201 Created", said, "{}");
    site.has("/repo/demo-2.0.whl", "201 Created", "", "");
    for path in ["/repo/demo-1.0.whl", "/repo/demo-2.0.whl"] {
        let request = format!(
            "PUT {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nPK"
        );
        assert_eq!(site.send(&request).await.code(), "201", "{path}");
    }
}

#[tokio::test]
async fn a_redirect_to_a_distribution_is_refused() {
    let site = Site::start(&[]).await;
    for (at, to) in
        [("/a", "https://files.example/x/demo-1.0.whl?sig=1"), ("/b", "../demo-1.0%2Ewhl#x")]
    {
        site.has(at, "302 Found", &format!("Location: {to}\r\n"), "");
        assert_eq!(site.get(at).await.code(), "403", "{to}");
    }
    site.has("/c", "302 Found", "Location: /simple/demo/\r\n", "");
    assert_eq!(site.get("/c").await.code(), "302");
}

#[tokio::test]
async fn open_lets_it_through_but_not_what_is_signed() {
    let wheel = Sample::small("demo-1.0.zip");
    let samples = [Sample::small("demo-1.0.zip")];
    let open = |config: &mut crate::config::Config| config.passthrough = Passthrough::Open;
    let site = Site::with(&samples, open, None).await;
    site.has("/packages/x/demo-6.6.6.whl", "200 OK", "", "unsigned bytes");
    site.has("/other/simple/demo/", "200 OK", "", "a page");
    assert_eq!(site.get("/packages/x/demo-6.6.6.whl").await.body, b"unsigned bytes");
    assert_eq!(site.get("/other/simple/demo/").await.body, b"a page");
    site.has(&wheel.path(), "200 OK", "", "altered bytes");
    assert_eq!(site.get(&wheel.path()).await.code(), "403");
}

#[tokio::test]
async fn an_upload_streams_through_with_its_status_and_phrase() {
    let site = Site::start(&[]).await;
    site.has("/legacy/", "400 File already exists, and is different", "", "no");
    let body = "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\ndemo\r\n--b--\r\n";
    let request = format!(
        "POST /legacy/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic eDp5\r\n\
         Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let got = site.send(&request).await;
    assert_eq!(got.status, "400 File already exists, and is different");
    let request = site.mirror.requests().remove(0);
    assert!(request.contains("Basic eDp5"), "{request}");
    assert_eq!(site.metric("http_requests_total{code_class=\"4xx\",route=\"upload\"}"), 1);
}
