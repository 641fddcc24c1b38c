//! TLS, proxies, and configuration that cannot be used.

use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use crate::config::{Access, UpstreamConfig};
use crate::index::ProjectName;
use crate::upstream::testing::{Mirror, Reply, client, header, limits, ok};
use crate::upstream::{PageReply, Upstream, UpstreamError};

async fn body(upstream: &Upstream) -> Result<bytes::Bytes, UpstreamError> {
    match upstream.page(&ProjectName::parse("demo").unwrap(), None).await? {
        PageReply::Fresh(fetched) => Ok(fetched.body),
        other => panic!("{other:?}"),
    }
}

/// A certificate for those names, as a server has it and as a PEM file.
fn certificate(names: &[&str]) -> (TlsAcceptor, String) {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let pem = made.cert.pem();
    let chain = vec![CertificateDer::from(made.cert.der().to_vec())];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    (Arc::new(config).into(), pem)
}

fn file(dir: &TempDir, name: &str, text: &str) -> Option<std::path::PathBuf> {
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    Some(path)
}

fn through(config: &UpstreamConfig, proxies: Matcher) -> Upstream {
    Upstream::with_proxies(config, &limits(), Access::Upstream, proxies).unwrap()
}

#[tokio::test]
async fn a_private_authority_is_trusted_once_it_is_configured() {
    let dir = TempDir::new().unwrap();
    let (tls, pem) = certificate(&["127.0.0.1"]);
    let mirror = Mirror::start_tls(Some(tls), |_, _| ok("", "over TLS")).await;
    let mut config = mirror.config();
    config.url = Some(format!("https://{}/simple", mirror.addr));
    let error = body(&client(&config)).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Tls { .. }), "{error}");
    assert!(!error.is_transient());
    config.ca_file = file(&dir, "ca.pem", &pem);
    assert_eq!(body(&client(&config)).await.unwrap(), "over TLS");
}

#[tokio::test]
async fn nobody_listening_is_told() {
    let mirror = Mirror::start(|_, _| panic!()).await;
    let config = mirror.config();
    drop(mirror);
    tokio::task::yield_now().await;
    let error = body(&client(&config)).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Connect { .. }), "{error}");
    assert!(error.is_transient() && error.to_string().contains("/simple/demo/"), "{error}");
}

#[tokio::test]
async fn a_proxy_is_asked_with_the_whole_url() {
    let proxy = Mirror::start(|_, _| ok("", "by proxy")).await;
    let config =
        UpstreamConfig { url: Some("http://mirror.invalid/simple/".into()), ..proxy.config() };
    let all = || Matcher::builder().all(format!("http://ann:pw@{}", proxy.addr));
    let upstream = through(&config, all().build());
    assert_eq!(body(&upstream).await.unwrap(), "by proxy");
    let client =
        crate::upstream::ForwardedFor { addr: [192, 0, 2, 1].into(), proto: "http", host: None };
    let request = http::Request::get("/x").body(crate::upstream::body::empty()).unwrap();
    upstream.forward(request, client).await.unwrap();
    let requests = proxy.requests();
    assert!(
        requests[0].starts_with("GET http://mirror.invalid/simple/demo/ HTTP/1.1"),
        "{requests:?}"
    );
    assert!(requests[1].starts_with("GET http://mirror.invalid/x HTTP/1.1"), "{requests:?}");
    for request in &requests {
        assert_eq!(header(request, "host"), Some("mirror.invalid"));
        assert_eq!(header(request, "proxy-authorization"), Some("Basic YW5uOnB3"));
    }
    let around = through(&config, all().no("mirror.invalid").build());
    assert!(matches!(body(&around).await.unwrap_err(), UpstreamError::Connect { .. }));
    assert_eq!(proxy.requests().len(), 2);
}

#[tokio::test]
async fn tls_goes_through_a_tunnel() {
    let dir = TempDir::new().unwrap();
    let (tls, pem) = certificate(&["mirror.invalid"]);
    let mirror = Mirror::start_tls(Some(tls), |_, _| ok("", "end to end")).await;
    let to = mirror.addr;
    let proxy = Mirror::start(move |_, request| {
        assert_eq!(header(request, "proxy-authorization"), Some("Basic YW5uOnB3"));
        Reply::Tunnel("HTTP/1.1 200 Go ahead\r\n\r\n".into(), to)
    })
    .await;
    let mut config =
        UpstreamConfig { url: Some("https://mirror.invalid/simple/".into()), ..mirror.config() };
    config.ca_file = file(&dir, "ca.pem", &pem);
    let upstream =
        through(&config, Matcher::builder().https(format!("http://ann:pw@{}", proxy.addr)).build());
    assert_eq!(body(&upstream).await.unwrap(), "end to end");
    assert!(proxy.requests()[0].starts_with("CONNECT mirror.invalid:443 HTTP/1.1"));
    assert_eq!(header(&mirror.requests()[0], "proxy-authorization"), None);
}

#[test]
fn configuration_that_cannot_be_used_is_one_clear_sentence() {
    let dir = TempDir::new().unwrap();
    let base = UpstreamConfig {
        url: Some("https://ann:hunter2@m.example/simple/".into()),
        ..Default::default()
    };
    let netrc = file(&dir, "netrc", "machine other.example login ann password hunter2");
    let clean =
        UpstreamConfig { url: Some("https://m.example/simple/".into()), ..Default::default() };
    let none = || Matcher::builder().build();
    for (config, proxies, named) in [
        (UpstreamConfig { url: None, ..base.clone() }, none(), "--upstream"),
        (
            UpstreamConfig { url: Some("hunter2@m.example".into()), ..base.clone() },
            none(),
            "upstream.url",
        ),
        (
            UpstreamConfig { origins: vec!["https://a:hunter2@f.example".into()], ..base.clone() },
            none(),
            "f.example",
        ),
        (
            UpstreamConfig { ca_file: file(&dir, "empty.pem", "hunter2"), ..base.clone() },
            none(),
            "empty.pem",
        ),
        (
            UpstreamConfig { ca_file: Some(dir.path().join("missing.pem")), ..base.clone() },
            none(),
            "missing.pem",
        ),
        (UpstreamConfig { credentials: netrc.clone(), ..base.clone() }, none(), "keep one"),
        (UpstreamConfig { credentials: netrc, ..clean.clone() }, none(), "machine m.example"),
        (
            UpstreamConfig { credentials: file(&dir, "c", "hunter2"), ..clean.clone() },
            none(),
            "user:password",
        ),
        (clean, Matcher::builder().all("socks5://a:hunter2@p.example:1080").build(), "socks5"),
    ] {
        let error = Upstream::with_proxies(&config, &limits(), Access::Open, proxies).unwrap_err();
        let said = error.to_string();
        assert_eq!(error.reason(), "config");
        assert!(
            said.contains(named) && !said.contains("hunter2") && !said.contains('\n'),
            "{said}"
        );
    }
    let debug = format!("{:?}", through(&base, none()));
    assert!(debug.contains("m.example") && !debug.contains("hunter2"), "{debug}");
}

#[test]
fn pages_lie_below_the_simple_index() {
    let config = UpstreamConfig {
        url: Some("https://m.example/root/pypi/+simple".into()),
        ..Default::default()
    };
    let upstream = client(&config);
    assert_eq!(upstream.simple_path(), "/root/pypi/+simple/");
    let page = upstream.page_url(&ProjectName::parse("A.b").unwrap());
    assert_eq!(page.as_str(), "https://m.example/root/pypi/+simple/a-b/");
    for (url, allowed) in [
        ("https://m.example:443/x", true),
        ("http://m.example/", false),
        ("https://m.example:8443/", false),
    ] {
        assert_eq!(upstream.allows(&url.parse().unwrap()), allowed, "{url}");
    }
}
