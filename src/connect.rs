//! Connections to other machines: TCP, TLS, and HTTP proxies from the environment.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{error, io};

use bytes::Bytes;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tower::{Service, ServiceExt as _};

type BoxError = Box<dyn error::Error + Send + Sync>;

/// What makes connections, TLS included.
pub type Connector = HttpsConnector<Dial>;

/// Idle connections are closed after this: sooner than most mirrors close theirs.
const IDLE_CONNECTION: Duration = Duration::from_secs(20);

/// Why no connections can be made. Whoever has them made says what for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The CA file cannot be read.
    #[error("the CA file {path:?} cannot be used: {why}", path = path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {why}")]
    Tls {
        /// What is wrong.
        why: String,
    },
    /// The proxy from the environment is of a kind that is not supported.
    #[error(
        "the proxy {scheme}://… from the environment cannot be used: only http and https proxies are supported"
    )]
    Proxy {
        /// Its scheme.
        scheme: String,
    },
}

/// A client that keeps at most `idle` unused connections.
pub fn client<B>(connector: Connector, idle: usize) -> Client<Connector, B>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_CONNECTION)
        .pool_max_idle_per_host(idle)
        .build(connector)
}

/// A connector that trusts the certificate authorities of this machine and those in `ca_file`, and connects within
/// `timeout`.
///
/// # Errors
/// [`ConnectError`].
pub fn connector(
    ca_file: Option<&Path>,
    timeout: Duration,
    proxies: &Arc<Matcher>,
) -> Result<Connector, ConnectError> {
    check_proxies(proxies)?;
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(timeout));
    let tls = tls(ca_file)?;
    let https = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http();
    let to_proxy = https.enable_http1().wrap_connector(tcp.clone());
    let dial = Dial { tcp, to_proxy, proxies: proxies.clone() };
    let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    Ok(https.enable_http1().wrap_connector(dial))
}

fn check_proxies(proxies: &Matcher) -> Result<(), ConnectError> {
    // A host that no list of exceptions names.
    for probe in ["http://proxy.invalid", "https://proxy.invalid"] {
        let proxy = proxies.intercept(&Uri::from_static(probe));
        match proxy.as_ref().and_then(|proxy| proxy.uri().scheme_str()) {
            None | Some("http" | "https") => {}
            Some(scheme) => return Err(ConnectError::Proxy { scheme: scheme.to_owned() }),
        }
    }
    Ok(())
}

fn tls(ca_file: Option<&Path>) -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "a certificate authority of this machine cannot be read");
    }
    roots.add_parsable_certificates(native.certs);
    if let Some(path) = ca_file {
        let wrong = |why: String| ConnectError::CaFile { path: path.into(), why };
        let before = roots.len();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|e| wrong(e.to_string()))? {
            let certificate = certificate.map_err(|e| wrong(e.to_string()))?;
            roots.add(certificate).map_err(|e| wrong(e.to_string()))?;
        }
        if roots.len() == before {
            return Err(wrong("it has no PEM certificate".into()));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectError::Tls { why: error.to_string() })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Connects to a machine, or to the proxy in front of it.
#[derive(Clone)]
pub struct Dial {
    tcp: HttpConnector,
    to_proxy: HttpsConnector<HttpConnector>,
    proxies: Arc<Matcher>,
}

impl Dial {
    async fn dial(self, to: Uri) -> Result<Line, BoxError> {
        let Some(proxy) = self.proxies.intercept(&to) else {
            let stream = MaybeHttpsStream::Http(self.tcp.oneshot(to).await?);
            return Ok(Line { stream, proxied: false });
        };
        if to.scheme_str() == Some("https") {
            let mut tunnel = Tunnel::new(proxy.uri().clone(), self.to_proxy);
            if let Some(login) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(login.clone());
            }
            return Ok(Line { stream: tunnel.oneshot(to).await?, proxied: false });
        }
        let stream = self.to_proxy.oneshot(proxy.uri().clone()).await?;
        Ok(Line { stream, proxied: true })
    }
}

impl Service<Uri> for Dial {
    type Response = Line;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Line, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        Box::pin(self.clone().dial(to))
    }
}

/// A connection; `proxied` where a proxy reads the requests, which then name the whole URL (RFC 9112 3.2.2).
pub struct Line {
    stream: MaybeHttpsStream<TokioIo<TcpStream>>,
    proxied: bool,
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(self.proxied)
    }
}

impl Read for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl Write for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}

/// `error` and its causes, outermost first. An [`io::Error`] made from another error hides that one from `source`.
pub fn causes<'a>(
    error: &'a (dyn error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn error::Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn error::Error + 'static)),
        None => error.source(),
    })
}

/// The messages of `error` and its causes, each once.
pub fn chain_text(error: &(dyn error::Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    for text in causes(error).map(ToString::to_string) {
        if !said.contains(&text) {
            said.push(text);
        }
    }
    said.join(": ").chars().take(500).collect()
}
