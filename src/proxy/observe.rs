//! Counts requests, from their head to the end of their answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;

use crate::telemetry::{CodeClass, Metrics, Route};
use crate::upstream::{Body, BodyError};

/// One request under way. Dropped before its answer is out whole, it counts as aborted.
pub(super) struct Observed {
    metrics: Arc<Metrics>,
    route: Route,
    start: Instant,
    class: CodeClass,
}

impl Observed {
    /// A request has come.
    pub fn start(metrics: &Arc<Metrics>, route: Route) -> Self {
        metrics.http_requests_in_flight.inc();
        let (metrics, start) = (metrics.clone(), Instant::now());
        Self { metrics, route, start, class: CodeClass::Aborted }
    }

    /// It is answered; what remains is the body.
    pub fn answered(mut self, response: Response<Body>) -> Response<Body> {
        let elapsed = self.start.elapsed().as_secs_f64();
        self.metrics.http_request_duration.of(self.route).observe(elapsed);
        let class = CodeClass::of(response.status());
        let (head, inner) = response.into_parts();
        if inner.is_end_stream() {
            self.class = class;
            return Response::from_parts(head, inner);
        }
        Response::from_parts(head, Counted { inner, class, observed: self }.boxed_unsync())
    }

    fn sent(&self, bytes: usize) {
        self.metrics.http_response_bytes.of(self.route).inc_by(bytes as u64);
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.metrics.http_requests_in_flight.dec();
        self.metrics.http_requests.of((self.route, self.class)).inc();
    }
}

/// A body whose bytes and whose end are counted.
struct Counted {
    inner: Body,
    class: CodeClass,
    observed: Observed,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.observed.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        let whole = frame.is_none() || self.inner.is_end_stream();
        if whole && !matches!(frame, Some(Err(_))) {
            self.observed.class = self.class;
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
