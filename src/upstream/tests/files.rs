//! Files, their lengths, and small ones whole.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::config::UpstreamConfig;
use crate::upstream::testing::{Mirror, Reply, answer, client, header, ok, redirect, status};
use crate::upstream::{BodyError, FileReply, UpstreamError};

async fn all(reply: FileReply) -> Result<Bytes, BodyError> {
    reply.body.collect().await.map(|collected| collected.to_bytes())
}

#[tokio::test]
async fn a_file_comes_as_it_is() {
    let mirror = Mirror::start(|_, _| ok("", b"\0wheel\xff")).await;
    let reply = mirror.client().file(&mirror.url("/packages/a%2Bb.whl?x=1")).await.unwrap();
    assert_eq!(reply.length, Some(7));
    assert_eq!(all(reply).await.unwrap(), &b"\0wheel\xff"[..]);
    let request = &mirror.requests()[0];
    assert!(request.starts_with("GET /packages/a%2Bb.whl?x=1 HTTP/1.1\r\n"), "{request}");
    assert_eq!(header(request, "accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn origins_outside_the_list_are_refused() {
    let mirror = Mirror::start(|_, _| panic!("nothing may be asked for")).await;
    let port = mirror.addr.port();
    for url in [
        format!("https://127.0.0.1:{port}/x"),
        format!("http://localhost:{port}/x"),
        "http://127.0.0.1/x".into(),
        "http://169.254.169.254/x".into(),
        "http://[::1]/x".into(),
        "file:///etc/passwd".into(),
        format!("ftp://127.0.0.1:{port}/x"),
    ] {
        let url = url.parse().unwrap();
        assert!(!mirror.client().allows(&url), "{url}");
        let error = mirror.client().file(&url).await.unwrap_err();
        assert!(matches!(error, UpstreamError::OriginRefused { .. }), "{error}");
        assert!(mirror.client().head(&url).await.is_err());
        assert!(mirror.client().small(&url, 10).await.is_err());
    }
}

#[tokio::test]
async fn redirects_lead_to_allowed_origins_without_credentials() {
    let files = Mirror::start(|_, _| ok("", "bytes")).await;
    let to = files.url("/f?sig=secret");
    let mirror = Mirror::start(move |_, request| match request.contains("/own ") {
        true => redirect("/f"),
        false if request.contains("/f ") => ok("", "own"),
        false => redirect(to.as_str()),
    })
    .await;
    let mut config = mirror.config();
    config.url = Some(format!("http://ann:hunter2@{}/simple/", mirror.addr));
    let error = client(&config).file(&mirror.url("/x")).await.unwrap_err();
    assert!(matches!(error, UpstreamError::OriginRefused { .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(files.requests().is_empty());

    config.origins = vec![format!("http://{}", files.addr)];
    let upstream = client(&config);
    assert!(upstream.has_credentials());
    let reply = upstream.file(&mirror.url("/x")).await.unwrap();
    assert_eq!(all(reply).await.unwrap(), "bytes");
    assert_eq!(header(&files.requests()[0], "authorization"), None);
    let reply = upstream.file(&mirror.url("/own")).await.unwrap();
    assert_eq!(all(reply).await.unwrap(), "own");
    let login = Some("Basic YW5uOmh1bnRlcjI=");
    assert!(mirror.requests().iter().all(|request| header(request, "authorization") == login));
}

#[tokio::test]
async fn credentials_in_links_are_not_sent() {
    let mirror = Mirror::start(|_, _| ok("", "bytes")).await;
    let url = format!("http://eve:x@{}/f#frag", mirror.addr).parse().unwrap();
    mirror.client().file(&url).await.unwrap();
    let request = &mirror.requests()[0];
    assert!(!request.contains("eve") && !request.contains("frag"), "{request}");
    assert_eq!(header(request, "authorization"), None);
}

#[tokio::test]
async fn what_is_no_plain_200_is_refused() {
    let mirror = Mirror::start(|_, request| match request {
        r if r.contains("/gz ") => ok("Content-Encoding: gzip\r\n", "x"),
        r if r.contains("/part ") => status("206 Partial Content"),
        r if r.contains("/none ") => status("404 Not Found"),
        r if r.contains("/login ") => status("401 Unauthorized"),
        _ => Reply::Hang("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n".into()),
    })
    .await;
    for (path, reason) in [
        ("/gz", "encoding"),
        ("/part", "status"),
        ("/none", "status"),
        ("/login", "login"),
        ("/giant", "too_large"),
    ] {
        let error = mirror.client().file(&mirror.url(path)).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{path}: {error}");
    }
}

#[tokio::test]
async fn bodies_are_bounded_and_watched() {
    let mirror = Mirror::start(|_, request| match request {
        r if r.contains("/short ") => {
            Reply::Close("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".into())
        }
        r if r.contains("/silent ") => {
            Reply::Hang("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".into())
        }
        _ => Reply::Endless("HTTP/1.0 200 OK\r\n\r\n".into(), vec![0; 65536]),
    })
    .await;
    for (path, reason) in
        [("/short", "truncated"), ("/silent", "timeout"), ("/endless", "too_large")]
    {
        let reply = mirror.hasty_client().file(&mirror.url(path)).await.unwrap();
        let Err(BodyError::Upstream(error)) = all(reply).await else { panic!("{path}") };
        assert_eq!(error.reason(), reason, "{path}: {error}");
    }
}

/// Never silent for long, and never done.
#[tokio::test]
async fn a_trickle_ends_and_a_slow_stream_does_not() {
    let pause = Duration::from_millis(40);
    let mirror = Mirror::start(move |_, request| match request {
        r if r.contains("/trickle ") => {
            Reply::Trickle("HTTP/1.0 200 OK\r\n\r\n".into(), vec![0], pause)
        }
        _ => Reply::Trickle(
            "HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n".into(),
            vec![0; 128],
            pause,
        ),
    })
    .await;
    let idle_timeout = Duration::from_millis(400);
    let client = client(&UpstreamConfig { idle_timeout, ..mirror.config() });
    let reply = client.file(&mirror.url("/trickle")).await.unwrap();
    let Err(BodyError::Upstream(error)) = all(reply).await else { panic!("it ended well") };
    assert!(matches!(error, UpstreamError::Timeout { .. }), "{error}");
    let reply = client.file(&mirror.url("/slow")).await.unwrap();
    assert_eq!(all(reply).await.unwrap().len(), 4096);
}

#[tokio::test]
async fn a_slow_reader_is_no_silence() {
    let big = vec![7; 3 << 20];
    let mirror = Mirror::start(move |_, _| ok("", &big)).await;
    let idle_timeout = Duration::from_secs(1);
    let client = client(&UpstreamConfig { idle_timeout, ..mirror.config() });
    let mut reply = client.file(&mirror.url("/f")).await.unwrap();
    let mut length = 0;
    while let Some(frame) = reply.body.frame().await {
        if length == 0 {
            tokio::time::sleep(2 * idle_timeout).await;
        }
        length += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(length, 3 << 20);
}

#[tokio::test]
async fn lengths_come_from_head() {
    let mirror = Mirror::start(|_, request| {
        assert!(request.starts_with("HEAD "));
        match request {
            r if r.contains("/known ") => {
                Reply::Keep("HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n".into())
            }
            r if r.contains("/unknown ") => Reply::Close("HTTP/1.0 200 OK\r\n\r\n".into()),
            r if r.contains("/nohead ") => Reply::Keep(answer("405 Method Not Allowed", "", "")),
            _ => Reply::Keep("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n".into()),
        }
    })
    .await;
    let upstream = mirror.client();
    assert_eq!(upstream.head(&mirror.url("/known")).await.unwrap(), Some(5_000_000_000));
    assert_eq!(upstream.head(&mirror.url("/unknown")).await.unwrap(), None);
    assert_eq!(upstream.head(&mirror.url("/nohead")).await.unwrap(), None);
    let error = upstream.head(&mirror.url("/none")).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Status { code: 404, .. }), "{error}");
}

#[tokio::test]
async fn small_files_come_whole_or_not_at_all() {
    let mirror = Mirror::start(|_, _| ok("", "Name: demo")).await;
    let url = mirror.url("/demo.whl.metadata");
    assert_eq!(mirror.client().small(&url, 10).await.unwrap(), "Name: demo");
    let error = mirror.client().small(&url, 9).await.unwrap_err();
    assert!(matches!(error, UpstreamError::TooLarge { limit: 9, .. }), "{error}");
}

#[tokio::test]
async fn connections_are_limited_and_given_back() {
    let mirror = Mirror::start(|_, _| ok("", vec![0; 1 << 20])).await;
    let mut config = mirror.config();
    config.connections = 1;
    let upstream = client(&config);
    let held = upstream.file(&mirror.url("/held")).await.unwrap();
    let late = mirror.url("/late");
    timeout(Duration::from_millis(200), upstream.file(&late)).await.unwrap_err();
    drop(held);
    let reply = upstream.file(&mirror.url("/next")).await.unwrap();
    let mut body = reply.body;
    while body.frame().await.is_some() {}
    // Its end gave the place back, though `body` still lives.
    upstream.file(&mirror.url("/last")).await.unwrap();
    assert!(!mirror.requests().iter().any(|request| request.contains("/late")));
}
