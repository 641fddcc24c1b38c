//! Files that are streamed, over all that clients speak.

use std::io::ErrorKind;
use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::site::{FILE_LIMIT, Got, Sample, Site, exchange};
use crate::config::TlsConfig;
use crate::serving::tls::server_config;
use crate::upstream::testing::Reply;

const WHEEL: &str = "demo-2.0-py3-none-any.whl";

fn altered() -> Vec<u8> {
    let mut bytes = Sample::large(WHEEL).bytes;
    bytes[1000] ^= 1;
    bytes
}

fn is_cut(got: &Got) {
    assert_eq!(got.error, Some(ErrorKind::ConnectionReset), "{}", got.status);
    assert!(got.body.len() < Sample::large(WHEEL).bytes.len());
}

#[tokio::test]
async fn a_large_file_is_streamed_without_validators() {
    let wheel = Sample::large(WHEEL);
    let site = Site::start(&[Sample::large(WHEEL)]).await;
    for headers in ["Accept: */*", "Range: bytes=5-"] {
        let got = site.get_with(&wheel.target(), headers).await;
        assert_eq!((got.code(), got.error), ("200", None));
        assert!(got.body == wheel.bytes);
        assert_eq!(got.header("content-length"), wheel.bytes.len().to_string());
        assert_eq!(got.header("cache-control"), "no-store");
        for absent in ["etag", "last-modified", "transfer-encoding"] {
            assert_eq!(got.header(absent), "", "{absent}");
        }
    }
    let head = site.head(&wheel.target()).await;
    assert_eq!(head.header("content-length"), wheel.bytes.len().to_string());
    assert_eq!(site.metric("spool_bytes"), 0);
}

#[tokio::test]
async fn wrong_bytes_end_in_a_reset_and_then_in_a_refusal() {
    for size in [None, Some(3 * FILE_LIMIT)] {
        let wheel = Sample::large(WHEEL);
        let site = Site::start(&[Sample { size, ..Sample::large(WHEEL) }]).await;
        site.has(&wheel.path(), "200 OK", "", altered());
        is_cut(&site.get(&wheel.target()).await);
        let again = site.get(&wheel.target()).await;
        assert_eq!(again.code(), "403");
        assert_eq!(site.metric("refusals_total{reason=\"mismatch\"}"), 1);
        assert_eq!(site.metric("http_requests_total{code_class=\"aborted\",route=\"target\"}"), 1);
    }
}

#[tokio::test]
async fn what_the_mirror_cuts_off_is_reset_too() {
    let wheel = Sample::large(WHEEL);
    let site = Site::start(&[Sample::large(WHEEL)]).await;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", wheel.bytes.len());
    let half = &wheel.bytes[..200_000];
    site.has_raw(&wheel.path(), [head.as_bytes(), half].concat(), Reply::Close);
    is_cut(&site.get(&wheel.target()).await);
    assert_eq!(site.metric("refusals_total{reason=\"mismatch\"}"), 0);
}

#[tokio::test]
async fn another_length_than_the_signed_one_is_refused_before_a_byte_leaves() {
    let wheel = Sample::large(WHEEL);
    let site = Site::start(&[Sample::large(WHEEL)]).await;
    site.has(&wheel.path(), "200 OK", "", &wheel.bytes[..250_000]);
    let got = site.get(&wheel.target()).await;
    assert_eq!(got.code(), "403");
    assert!(got.json()["detail"].as_str().unwrap().contains("250000 bytes instead of 300000"));
}

#[tokio::test]
async fn a_file_of_unknown_length_beyond_the_limit_is_refused() {
    let wheel = Sample { size: None, ..Sample::large(WHEEL) };
    let site = Site::start(&[Sample { size: None, ..Sample::large(WHEEL) }]).await;
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    chunked.extend(format!("{:x}\r\n", wheel.bytes.len()).into_bytes());
    chunked.extend(&wheel.bytes);
    chunked.extend(b"\r\n0\r\n\r\n");
    site.has_raw(&wheel.path(), chunked, Reply::Keep);
    assert_eq!(site.get(&wheel.target()).await.code(), "502");
}

struct Trust {
    server: Arc<rustls::ServerConfig>,
    roots: RootCertStore,
    _dir: tempfile::TempDir,
}

fn trust() -> Trust {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap()).unwrap();
    let server = server_config(&TlsConfig { cert: Some(cert), key: Some(key) }).unwrap().unwrap();
    Trust { server, roots, _dir: dir }
}

async fn secure(site: &Site, roots: RootCertStore, alpn: &[u8]) -> TlsStream<TcpStream> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(site.addr).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

#[tokio::test]
async fn a_mismatch_resets_below_tls_too() {
    let (wheel, trust) = (Sample::large(WHEEL), trust());
    let site = Site::with(&[Sample::large(WHEEL)], |_| {}, Some(trust.server.clone())).await;
    let request =
        format!("GET {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", wheel.target());
    let stream = secure(&site, trust.roots.clone(), b"http/1.1").await;
    let good = exchange(stream, request.as_bytes()).await;
    assert_eq!((good.code(), good.error), ("200", None));
    assert!(good.body == wheel.bytes);
    site.has(&wheel.path(), "200 OK", "", altered());
    let stream = secure(&site, trust.roots.clone(), b"http/1.1").await;
    is_cut(&exchange(stream, request.as_bytes()).await);
}

#[tokio::test]
async fn over_http_2_the_broken_stream_alone_is_reset() {
    let (wheel, trust) = (Sample::large(WHEEL), trust());
    let site = Site::with(&[Sample::large(WHEEL)], |_| {}, Some(trust.server.clone())).await;
    site.has(&wheel.path(), "200 OK", "", altered());
    let stream = TokioIo::new(secure(&site, trust.roots.clone(), b"h2").await);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream);
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let mut get = |path: &str| {
        let uri = format!("https://localhost{path}");
        let request = http::Request::get(uri).body(http_body_util::Empty::<bytes::Bytes>::new());
        sender.send_request(request.unwrap())
    };
    let broken = get(&wheel.target()).await.unwrap();
    assert_eq!(broken.status(), 200);
    assert!(broken.into_body().collect().await.is_err());
    let next = get("/tuf/metadata/timestamp.json").await.unwrap();
    assert_eq!(next.status(), 200);
    assert!(next.into_body().collect().await.is_ok());
}

#[tokio::test]
async fn a_shutdown_lets_an_answer_under_way_finish() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let wheel = Sample::large(WHEEL);
    let mut site = Site::start(&[Sample::large(WHEEL)]).await;
    let mut stream = TcpStream::connect(site.addr).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", wheel.target());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).await.unwrap();
    site.shutdown.cancel();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(&wheel.bytes));
    (&mut site.served).await.unwrap();
    assert!(TcpStream::connect(site.addr).await.is_err());
}
