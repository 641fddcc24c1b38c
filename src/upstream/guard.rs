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

/// The least that must come of a [paced](Guarded::paced) body in each second of waiting, bytes.
const PACE: u64 = 1024;

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
    waiting_since: Option<Instant>,
    /// How much must come before the time is up; 1 where any byte will do.
    enough: u64,
    /// What came of that.
    came: u64,
    /// Of the time for it.
    left: Duration,
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
            waiting_since: None,
            enough: 1,
            came: 0,
            left: idle,
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

    /// Asks for [`PACE`], on the average of each idle timeout: who sends a byte now and then could else hold a client
    /// for ever (slow retrieval attack).
    pub(super) fn paced(mut self) -> Self {
        self.enough = (PACE as f64 * self.idle.as_secs_f64()).max(1.0) as u64;
        self
    }

    /// How much may come, bytes.
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    fn check(&mut self, frame: &Frame<Bytes>) -> Result<(), UpstreamError> {
        let came = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.seen += came;
        self.pace(came);
        if let Some(counter) = &self.counter {
            counter.fetch_add(came, Ordering::Relaxed);
        }
        if self.seen > self.limit {
            return Err(UpstreamError::TooLarge { url: redacted(&self.url), limit: self.limit });
        }
        Ok(())
    }

    /// The time begins anew where enough came.
    fn pace(&mut self, came: u64) {
        self.came = self.came.saturating_add(came);
        let waited = self.waiting_since.take().map_or(Duration::ZERO, |since| since.elapsed());
        if self.came >= self.enough {
            (self.came, self.left) = (0, self.idle);
        } else {
            self.left = self.left.saturating_sub(waited);
        }
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<UpstreamError> {
        if self.waiting_since.is_none() {
            let now = Instant::now();
            self.waiting_since = Some(now);
            self.timer.as_mut().reset(now + self.left);
        }
        self.timer.as_mut().poll(cx).map(|()| UpstreamError::Timeout {
            url: redacted(&self.url),
            what: if self.came == 0 { "the next part of the body" } else { "enough of the body" },
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
