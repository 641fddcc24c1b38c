//! Accepting connections, for every listener; and a small HTTP/1.1 server for the private doors: the second listener
//! and the control socket.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::net::Listener;
use tokio_util::sync::CancellationToken;

/// So many connections at once; more wait in the listener's queue.
const CONNECTIONS: usize = 64;
/// Until a request's head must be there, also the next one on a kept connection.
const HEAD: Duration = Duration::from_secs(10);
/// How long answers under way may take to end after the shutdown began.
const DRAIN: Duration = Duration::from_secs(5);
/// After an accept that failed for want of file descriptors, others must get time to close some.
const PAUSE: Duration = Duration::from_millis(100);

/// What a listener takes on.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// So many connections at once; more wait in the listener's queue.
    pub connections: usize,
    /// How long answers under way may take to end after the shutdown began.
    pub drain: Duration,
}

/// Answers requests on `listener` until `shutdown`, then lets those under way finish, for five seconds at the most.
///
/// HTTP/1.1 alone: the automatic choice of a version reads a connection's first bytes without any time limit.
pub async fn serve<L, H, F>(listener: L, handler: H, shutdown: CancellationToken)
where
    L: Listener,
    L::Io: Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let bounds = Bounds { connections: CONNECTIONS, drain: DRAIN };
    let connect = |stream, _, watcher: Watcher| {
        let handler = handler.clone();
        let service = service_fn(move |request| {
            let answer = handler(request);
            async { Ok::<_, Infallible>(answer.await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .serve_connection(TokioIo::new(stream), service);
        async move {
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(%error, "connection ended early");
            }
        }
    };
    connections(listener, bounds, shutdown, connect).await;
}

/// Accepts connections until `shutdown` and gives each, with its peer's address, to `connect`, whose future runs in a
/// task of its own. Then waits until all are done which hold their [`Watcher`], for `bounds.drain` at the most.
pub async fn connections<L, C, F>(
    mut listener: L,
    bounds: Bounds,
    shutdown: CancellationToken,
    connect: C,
) where
    L: Listener,
    C: Fn(L::Io, L::Addr, Watcher) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(bounds.connections));
    while let Some(next) = shutdown.run_until_cancelled(accept(&mut listener, &slots)).await {
        let (stream, addr, slot) = match next {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                sleep(PAUSE).await;
                continue;
            }
        };
        let connection = connect(stream, addr, graceful.watcher());
        tokio::spawn(async move {
            connection.await;
            drop(slot);
        });
    }
    drop(listener);
    if timeout(bounds.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests under way were cut off at the end of the shutdown");
    }
}

type Slot = tokio::sync::OwnedSemaphorePermit;

async fn accept<L: Listener>(
    listener: &mut L,
    slots: &Arc<Semaphore>,
) -> io::Result<(L::Io, L::Addr, Slot)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, addr) = listener.accept().await?;
    Ok((stream, addr, slot))
}

/// An answer that nobody stores and no browser takes for anything else.
pub fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
