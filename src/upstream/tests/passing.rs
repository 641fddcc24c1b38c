//! Requests that are passed through.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::ext::ReasonPhrase;
use hyper_util::client::proxy::matcher::Matcher;

use crate::config::{Access, UpstreamConfig};
use crate::upstream::testing::{Mirror, Reply, client, header, limits, ok, status};
use crate::upstream::{Body, BodyError, ForwardedFor, Upstream, UpstreamError, body};

fn ann() -> ForwardedFor {
    ForwardedFor {
        addr: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        proto: "https",
        host: Some("pypi.corp.example".into()),
    }
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(body::empty()).unwrap()
}

async fn text(response: Response<Body>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn a_request_goes_to_the_same_path() {
    let mirror =
        Mirror::start(|_, _| ok("X-Devpi-Serial: 7\r\nContent-Encoding: br\r\n", "as it is")).await;
    let request = Request::get("http://pypi.corp.example/a%2Bb//c/?q=%20")
        .header("host", "pypi.corp.example")
        .header("accept-encoding", "br")
        .header("authorization", "Basic eA==")
        .header("x-forwarded-for", "198.51.100.1")
        .header("x-forwarded-for", "198.51.100.2")
        .header("x-forwarded-host", "evil.example")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("forwarded", "for=evil")
        .body(body::empty())
        .unwrap();
    let response = mirror.client().forward(request, ann()).await.unwrap();
    assert_eq!(response.headers()["x-devpi-serial"], "7");
    assert_eq!(response.headers()["content-encoding"], "br");
    assert_eq!(response.headers()["content-length"], "8");
    assert_eq!(text(response).await, "as it is");

    let request = &mirror.requests()[0];
    assert!(request.starts_with("GET /a%2Bb//c/?q=%20 HTTP/1.1\r\n"), "{request}");
    for (name, value) in [
        ("host", Some(mirror.addr.to_string().as_str())),
        ("accept-encoding", Some("br")),
        ("authorization", Some("Basic eA==")),
        ("x-forwarded-for", Some("198.51.100.1, 198.51.100.2, 192.0.2.7")),
        ("x-forwarded-host", Some("pypi.corp.example")),
        ("x-forwarded-proto", Some("https")),
        ("cookie", Some("a=1; b=2")),
        ("forwarded", None),
    ] {
        assert_eq!(header(request, name), value, "{name}");
    }
}

#[tokio::test]
async fn hop_by_hop_headers_stay_behind_both_ways() {
    let hops = "Connection: keep-alive, X-Private\r\nKeep-Alive: 5\r\nX-Private: 1\r\nX-Public: 2\r\nUpgrade: h2c\r\n\
                Proxy-Authenticate: Basic\r\nTrailer: X-T\r\n";
    let mirror = Mirror::start(move |_, _| ok(hops, "")).await;
    let mut request = get("/x");
    for line in hops.lines().chain([
        "TE: trailers",
        "Proxy-Authorization: Basic eA==",
        "Proxy-Connection: x",
    ]) {
        let (name, value) = line.split_once(": ").unwrap();
        request.headers_mut().append(
            name.to_ascii_lowercase().parse::<http::HeaderName>().unwrap(),
            value.parse().unwrap(),
        );
    }
    let response = mirror.client().forward(request, ann()).await.unwrap();
    let left = |headers: &HeaderMap| headers.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(left(response.headers()), ["content-length", "x-public"]);
    let request = &mirror.requests()[0];
    assert_eq!(header(request, "x-public"), Some("2"));
    for name in [
        "connection",
        "keep-alive",
        "x-private",
        "upgrade",
        "te",
        "trailer",
        "proxy-authorization",
        "proxy-connection",
    ] {
        assert_eq!(header(request, name), None, "{name}");
    }
}

#[tokio::test]
async fn status_and_reason_come_back_and_redirects_are_relayed() {
    let mirror = Mirror::start(|_, request| match request {
        r if r.contains("/moved ") => Reply::Keep(
            "HTTP/1.1 301 Gone fishing\r\nLocation: http://x.example/\r\nContent-Length: 0\r\n\r\n"
                .into(),
        ),
        _ => Reply::Keep("HTTP/1.1 409 file exists\r\nContent-Length: 2\r\n\r\nno".into()),
    })
    .await;
    let upstream = mirror.client();
    let response = upstream.forward(get("/upload"), ann()).await.unwrap();
    assert_eq!(response.status(), 409);
    let phrase =
        |response: &Response<Body>| response.extensions().get::<ReasonPhrase>().unwrap().clone();
    assert_eq!(phrase(&response).as_bytes(), b"file exists");
    assert_eq!(text(response).await, "no");
    let response = upstream.forward(get("/moved"), ann()).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), phrase(&response).as_bytes()),
        (301, &b"Gone fishing"[..])
    );
    assert_eq!(response.headers()["location"], "http://x.example/");
}

#[tokio::test]
async fn uploads_are_streamed() {
    let mirror = Mirror::start(|_, _| status("200 OK")).await;
    let pieces = stream::iter(["first ", "second"].map(|piece| Ok(Bytes::from(piece))));
    let request =
        Request::post("/").header("expect", "100-continue").body(body::stream(pieces)).unwrap();
    assert_eq!(mirror.client().forward(request, ann()).await.unwrap().status(), 200);
    let request =
        Request::post("/").header("content-length", "4").body(body::full("1234")).unwrap();
    assert_eq!(mirror.client().forward(request, ann()).await.unwrap().status(), 200);
    let requests = mirror.requests();
    assert_eq!(header(&requests[0], "transfer-encoding"), Some("chunked"));
    assert!(requests[0].ends_with("6\r\nfirst \r\n6\r\nsecond\r\n0\r\n\r\n"), "{}", requests[0]);
    assert_eq!(header(&requests[0], "expect"), None);
    assert_eq!(header(&requests[1], "content-length"), Some("4"));
    assert!(requests[1].ends_with("\r\n\r\n1234"));
}

#[tokio::test]
async fn a_long_upload_is_no_silence() {
    let mirror = Mirror::start(|_, _| status("200 OK")).await;
    let response_timeout = Duration::from_secs(2);
    let client = client(&UpstreamConfig { response_timeout, ..mirror.config() });
    let pause = response_timeout / 4;
    let pieces = stream::unfold(0, move |count| async move {
        tokio::time::sleep(pause).await;
        (count < 6).then(|| (Ok(Bytes::from("x")), count + 1))
    });
    let request = Request::post("/").body(body::stream(pieces)).unwrap();
    assert_eq!(client.forward(request, ann()).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_stuck_upload_and_a_silent_mirror_time_out() {
    let mirror = Mirror::start(|_, _| Reply::Hang(Vec::new())).await;
    let stuck = Request::post("/").body(body::stream(stream::pending())).unwrap();
    for request in [stuck, get("/x")] {
        let error = mirror.hasty_client().forward(request, ann()).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Timeout { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_client_that_breaks_off_is_not_the_mirrors_fault() {
    let mirror = Mirror::start(|_, _| status("200 OK")).await;
    let broken = stream::iter([Ok(Bytes::from("x")), Err(BodyError::Client("gone".into()))]);
    let request = Request::post("/").body(body::stream(broken)).unwrap();
    let error = mirror.client().forward(request, ann()).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Client { .. }), "{error}");
    assert!(mirror.requests().is_empty());
    let connect = Request::builder()
        .method(Method::CONNECT)
        .uri("x.example:443")
        .body(body::empty())
        .unwrap();
    let error = mirror.client().forward(connect, ann()).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Client { .. }), "{error}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_reported() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
    let mirror = Mirror::start(move |count, _| match count {
        0 => Reply::Close(head.into()),
        _ => Reply::Hang(head.into()),
    })
    .await;
    for reason in ["truncated", "timeout"] {
        let response = mirror.hasty_client().forward(get("/x"), ann()).await.unwrap();
        let Err(BodyError::Upstream(error)) = response.into_body().collect().await else {
            panic!()
        };
        assert_eq!(error.reason(), reason);
    }
}

#[tokio::test]
async fn nothing_is_tried_again_and_uploads_never_meet_an_old_connection() {
    let mirror = Mirror::start(|_, _| status("500 Oops")).await;
    let upstream = mirror.client();
    for _ in 0..2 {
        let response = upstream.forward(get("/x"), ann()).await.unwrap();
        text(response).await;
    }
    assert_eq!((mirror.requests().len(), mirror.connections()), (2, 1));
    for count in [2, 3] {
        let request = Request::post("/").body(body::full("x")).unwrap();
        assert_eq!(upstream.forward(request, ann()).await.unwrap().status(), 500);
        assert_eq!((mirror.requests().len(), mirror.connections()), (count + 1, count));
    }
}

#[tokio::test]
async fn our_login_is_lent_only_to_those_without_one_and_only_when_access_is_open() {
    let mirror = Mirror::start(|_, _| status("200 OK")).await;
    let mut config = mirror.config();
    config.url = Some(format!("http://ann:hunter2@{}/simple/", mirror.addr));
    let open = |access| {
        Upstream::with_proxies(&config, &limits(), access, Matcher::builder().build()).unwrap()
    };
    let own = Request::get("/").header("authorization", "Basic eA==").body(body::empty()).unwrap();
    open(Access::Upstream).forward(get("/"), ann()).await.unwrap();
    open(Access::Open).forward(get("/"), ann()).await.unwrap();
    open(Access::Open).forward(own, ann()).await.unwrap();
    let requests = mirror.requests();
    let logins: Vec<_> = requests.iter().map(|request| header(request, "authorization")).collect();
    assert_eq!(logins, [None, Some("Basic YW5uOmh1bnRlcjI="), Some("Basic eA==")]);
}
