//! A body of the mirror, bounded in size and in silence.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};
use url::Url;

use super::url_text::redacted;
use super::{BodyError, UpstreamError};

/// Passes on what the mirror sends until it sends too much or falls silent for too long.
///
/// Only the mirror's silence counts, not that of whoever reads the body slowly.
pub(super) struct Guarded {
    inner: Incoming,
    url: Arc<Url>,
    limit: u64,
    seen: u64,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    waiting: bool,
    /// Places among the connections, given back at the end.
    places: Vec<OwnedSemaphorePermit>,
    /// Told how many bytes came.
    counter: Option<Arc<AtomicU64>>,
}

impl Guarded {
    pub(super) fn new(inner: Incoming, url: Arc<Url>, limit: u64, idle: Duration) -> Self {
        let timer = Box::pin(sleep(idle));
        Self {
            inner,
            url,
            limit,
            seen: 0,
            idle,
            timer,
            waiting: false,
            places: Vec::new(),
            counter: None,
        }
    }

    /// Holds `places` until the body ends or is dropped.
    pub(super) fn holding(mut self, places: Vec<OwnedSemaphorePermit>) -> Self {
        self.places = places;
        self
    }

    /// Counts what comes, bytes.
    pub(super) fn counting(mut self, counter: Arc<AtomicU64>) -> Self {
        self.counter = Some(counter);
        self
    }

    /// How much may come, bytes.
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    fn check(&mut self, frame: &Frame<Bytes>) -> Result<(), UpstreamError> {
        let came = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.seen += came;
        if let Some(counter) = &self.counter {
            counter.fetch_add(came, Ordering::Relaxed);
        }
        if self.seen > self.limit {
            return Err(UpstreamError::TooLarge { url: redacted(&self.url), limit: self.limit });
        }
        Ok(())
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<UpstreamError> {
        if !self.waiting {
            self.waiting = true;
            self.timer.as_mut().reset(Instant::now() + self.idle);
        }
        self.timer.as_mut().poll(cx).map(|()| UpstreamError::Timeout {
            url: redacted(&self.url),
            what: "the next part of the body",
            limit: self.idle,
        })
    }
}

impl HttpBody for Guarded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                return this.poll_silence(cx).map(|error| Some(Err(error.into())));
            }
        };
        this.waiting = false;
        let result = match frame {
            Some(Ok(frame)) => this.check(&frame).map(|()| frame),
            Some(Err(error)) => Err(UpstreamError::sort(&this.url, &error, false)),
            None => {
                this.places.clear();
                return Poll::Ready(None);
            }
        };
        Poll::Ready(Some(result.map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
