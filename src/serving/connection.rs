//! Client connections that are reset, not closed, when an answer breaks off.
//!
//! Some clients take a file that was cut short by a close (FIN) for a whole one. So while a body that may fail is on its
//! way over HTTP/1.1, the socket lingers for no time at all: whatever ends the connection then, be it a drop, an error
//! or the end of the process, is a reset (RST). Over HTTP/2 the broken stream alone is reset, which hyper does by itself.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Version;
use http::request::Parts;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::upstream::{Body, BodyError};

/// A client that takes nothing for so long is given up.
const STALL: Duration = Duration::from_secs(60);

/// Who asks, and how: the extension of every request.
#[derive(Debug, Clone)]
pub struct Client {
    /// The client's address.
    pub addr: SocketAddr,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The way to reset its connection.
    pub reset: Reset,
}

/// Decides how a connection ends. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Reset(Arc<AtomicBool>);

impl Reset {
    fn arm(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn disarm(&self) {
        self.0.store(false, Ordering::Release);
    }

    fn is_armed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// `body`, whose connection is reset unless it ends well.
    pub fn guard(&self, body: Body) -> Body {
        if body.is_end_stream() {
            return body;
        }
        self.arm();
        ResetUnlessWhole { inner: body, reset: self.clone() }.boxed_unsync()
    }
}

/// `body`, upon whose failure the connection is reset. Over HTTP/2 the stream is, by hyper.
pub fn guarded(request: &Parts, body: Body) -> Body {
    match request.extensions.get::<Client>() {
        Some(client) if request.version < Version::HTTP_2 => client.reset.guard(body),
        _ => body,
    }
}

/// A body that disarms its connection's reset when all of it went out.
struct ResetUnlessWhole {
    inner: Body,
    reset: Reset,
}

impl HttpBody for ResetUnlessWhole {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let whole = match &frame {
            None => true,
            Some(Ok(_)) => self.inner.is_end_stream(),
            Some(Err(_)) => false,
        };
        if whole {
            self.reset.disarm();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A client's TCP connection, below TLS.
pub struct Connection {
    stream: TcpStream,
    reset: Reset,
    /// What the socket is set to.
    lingers: Lingers,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lingers {
    AsUsual,
    NotAtAll,
}

impl Connection {
    /// Takes over a connection that was accepted.
    pub fn new(stream: TcpStream) -> Self {
        // Without it small answers wait for the client's acknowledgement; it is no more than slower.
        let _ = stream.set_nodelay(true);
        Self { stream, reset: Reset::default(), lingers: Lingers::AsUsual, stalled: None }
    }

    /// The handle that decides how the connection ends.
    pub fn reset(&self) -> Reset {
        self.reset.clone()
    }

    /// Sets the socket to what the handle says. Where that fails the connection is gone already.
    fn settle(&mut self) {
        let (lingers, time) = match self.reset.is_armed() {
            true => (Lingers::NotAtAll, Some(Duration::ZERO)),
            false => (Lingers::AsUsual, None),
        };
        if lingers != self.lingers {
            let _ = SockRef::from(&self.stream).set_linger(time);
            self.lingers = lingers;
        }
    }

    /// Gives up on a client that takes nothing.
    fn patient<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let timer = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALL)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.settle();
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.settle();
        let polled = Pin::new(&mut self.stream).poll_write(cx, data);
        self.patient(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.settle();
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, data);
        self.patient(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.settle();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.settle();
        if self.reset.is_armed() {
            // A FIN would end the answer as if it were whole. The drop that follows resets.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
