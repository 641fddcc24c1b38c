//! A listener that clients reach: HTTP/1.1, and HTTP/2 where TLS negotiates it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::Watcher;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::connection::{Client, Connection};
use super::tls;
use crate::telemetry::server::{Bounds, connections};
use crate::upstream::Body;

/// Connections at once, and how long they may go on after the shutdown began.
const BOUNDS: Bounds = Bounds { connections: 4096, drain: Duration::from_secs(30) };
/// Until a request's head must be there, also the next one on a kept connection.
const HEAD: Duration = Duration::from_secs(30);
/// Until a TLS handshake must be done.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often a silent HTTP/2 connection is asked whether it is still there.
const PING: Duration = Duration::from_secs(20);

/// Serves clients on `listener`, over TLS where `tls` is given, until `shutdown`; then lets what is under way finish, for
/// 30 seconds at the most. Each request that `handler` gets has a [`Client`] among its extensions.
pub async fn serve<H, F>(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    handler: H,
    shutdown: CancellationToken,
) where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let acceptor = tls.map(TlsAcceptor::from);
    let connect = |stream, addr, watcher| {
        let (handler, acceptor) = (handler.clone(), acceptor.clone());
        async move {
            if let Err(error) = connection(stream, addr, acceptor, handler, watcher).await {
                tracing::debug!(%addr, error, "connection ended early");
            }
        }
    };
    connections(listener, BOUNDS, shutdown, connect).await;
}

async fn connection<H, F>(
    stream: TcpStream,
    addr: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    handler: H,
    watcher: Watcher,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let stream = Connection::new(stream);
    let client = Client { addr, tls: acceptor.is_some(), reset: stream.reset() };
    let Some(acceptor) = acceptor else {
        return speak(builder().http1_only(), stream, client, handler, watcher).await;
    };
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    let stream = timeout(HANDSHAKE, acceptor.accept(stream)).await.map_err(late)??;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(tls::H2);
    let builder = if http2 { builder().http2_only() } else { builder().http1_only() };
    speak(builder, stream, client, handler, watcher).await
}

/// The version is always settled before: the automatic choice reads the first bytes without any time limit.
fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(PING);
    builder
}

async fn speak<S, H, F>(
    builder: Builder<TokioExecutor>,
    stream: S,
    client: Client,
    handler: H,
    watcher: Watcher,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(client.clone());
        let answer = handler(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    watcher.watch(connection).await
}
