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
/// How long it waits for others.
const PATIENCE: Patience =
    Patience { head: Duration::from_secs(10), drain: Duration::from_secs(5) };
/// After an accept that failed for want of file descriptors, others must get time to close some.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy)]
struct Patience {
    /// Until a request's head must be there, also the next one on a kept connection.
    head: Duration,
    /// Until answers under way must have ended, once the shutdown began.
    drain: Duration,
}

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
    serve_with(PATIENCE, listener, handler, shutdown).await;
}

async fn serve_with<L, H, F>(
    patience: Patience,
    listener: L,
    handler: H,
    shutdown: CancellationToken,
) where
    L: Listener,
    L::Io: Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let bounds = Bounds { connections: CONNECTIONS, drain: patience.drain };
    let connect = |stream, _, watcher: Watcher| {
        let handler = handler.clone();
        let service = service_fn(move |request| {
            let answer = handler(request);
            async { Ok::<_, Infallible>(answer.await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(patience.head)
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    use super::*;

    /// A server that answers once `release` is notified.
    struct Server {
        stream: TcpStream,
        asked: Arc<Notify>,
        release: Arc<Notify>,
        shutdown: CancellationToken,
        task: JoinHandle<()>,
    }

    async fn start(patience: Patience) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (ask, wait) = (asked.clone(), release.clone());
        let handler = move |_| {
            let (ask, wait) = (ask.clone(), wait.clone());
            async move {
                ask.notify_one();
                wait.notified().await;
                answer(StatusCode::OK, "text/plain", "done")
            }
        };
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve_with(patience, listener, handler, shutdown.clone()));
        let stream = TcpStream::connect(address).await.unwrap();
        Server { stream, asked, release, shutdown, task }
    }

    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        // A reset ends an answer as well.
        let _ = stream.read_to_string(&mut text).await;
        text
    }

    const SHORT: Duration = Duration::from_millis(10);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    #[tokio::test]
    async fn a_client_that_sends_no_head_is_let_go() {
        let server = start(Patience { head: SHORT, ..PATIENCE }).await;
        assert_eq!(rest(server.stream).await, "");
    }

    #[tokio::test]
    async fn what_is_under_way_is_finished_after_the_shutdown_began() {
        let mut server = start(PATIENCE).await;
        server.stream.write_all(REQUEST).await.unwrap();
        server.asked.notified().await;
        server.shutdown.cancel();
        server.release.notify_one();
        assert!(rest(server.stream).await.ends_with("done"));
        server.task.await.unwrap();
    }

    #[tokio::test]
    async fn what_does_not_end_holds_up_no_shutdown() {
        let mut server = start(Patience { drain: SHORT, ..PATIENCE }).await;
        server.stream.write_all(REQUEST).await.unwrap();
        server.asked.notified().await;
        server.shutdown.cancel();
        server.task.await.unwrap();
    }
}
