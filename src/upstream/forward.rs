//! Requests of others, passed through to the mirror and back unchanged.

use std::error::Error as StdError;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, sleep_until};

use super::guard::Guarded;
use super::redirect::{authority, late, sort};
use super::url_text::redacted;
use super::{Body, BodyError, Upstream, UpstreamError};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// Headers that concern one connection alone (RFC 9110 7.6.1), beside those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Whose request is passed on: what the `X-Forwarded-…` headers tell the mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedFor {
    /// The client's address, added to those that `X-Forwarded-For` has.
    pub addr: IpAddr,
    /// `http` or `https`: how the client came.
    pub proto: &'static str,
    /// The host that the client asked.
    pub host: Option<String>,
}

impl Upstream {
    /// Passes a request on, to the same path of the mirror, and its answer back: status, reason phrase, headers and
    /// body as the mirror gave them. Redirects are relayed; nothing is tried again.
    ///
    /// # Errors
    /// Where the mirror cannot be reached, falls silent, or the client breaks off. Later failures are in the body.
    pub async fn forward<B>(
        &self,
        request: Request<B>,
        client: ForwardedFor,
    ) -> Result<Response<Body>, UpstreamError>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let progress = Progress::start();
        let (head, body) = request.into_parts();
        let mut request = Request::new(Watched::new(body, progress.clone()).boxed_unsync());
        *request.uri_mut() = self.same_path(&head.method, head.uri.path_and_query())?;
        *request.method_mut() = head.method;
        *request.headers_mut() = head.headers;
        self.prepare(request.headers_mut(), &client);
        self.log_in_to_proxy(&mut request);
        let repeatable = matches!(*request.method(), Method::GET | Method::HEAD);
        let sender = if repeatable { &self.inner.client } else { &self.inner.unpooled };
        let limit = self.inner.config.response_timeout;
        let answer = tokio::select! {
            answer = sender.request(request) => answer.map_err(|error| sort(self.simple_url(), &error))?,
            () = progress.stalls(limit) => return Err(late(self.simple_url(), limit)),
        };
        if answer.status().is_informational() {
            let why = "it switches protocols, which nobody asked for".to_owned();
            return Err(UpstreamError::Malformed { url: redacted(self.simple_url()), why });
        }
        Ok(self.relay(answer))
    }

    /// The same path at the mirror.
    fn same_path(
        &self,
        method: &Method,
        path: Option<&PathAndQuery>,
    ) -> Result<Uri, UpstreamError> {
        let wrong = |why: &str| UpstreamError::Client {
            url: redacted(self.simple_url()),
            why: why.to_owned(),
        };
        if *method == Method::CONNECT {
            return Err(wrong("CONNECT is not for a mirror"));
        }
        let simple = self.simple_url();
        let path = path.cloned().unwrap_or(PathAndQuery::from_static("/"));
        Uri::builder()
            .scheme(simple.scheme())
            .authority(authority(simple).ok_or_else(|| wrong("the mirror has no host"))?)
            .path_and_query(path)
            .build()
            .map_err(|_| wrong("its path is none that HTTP allows"))
    }

    fn prepare(&self, headers: &mut HeaderMap, client: &ForwardedFor) {
        drop_hop_by_hop(headers);
        join(headers, COOKIE, "; ");
        // The client writes `Host` from the URL. What `Expect` asks for was granted to the client already.
        for name in [HOST, EXPECT, FORWARDED] {
            headers.remove(name);
        }
        forwarded_for(headers, client.addr);
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(client.proto));
        match client.host.as_deref().map(HeaderValue::from_str) {
            Some(Ok(host)) => headers.insert(FORWARDED_HOST, host),
            _ => headers.remove(FORWARDED_HOST),
        };
        if let Some(credentials) = self.inner.credentials.as_ref().filter(|_| self.inner.lend) {
            headers.entry(AUTHORIZATION).or_insert_with(|| credentials.header());
        }
    }

    fn relay(&self, answer: Response<hyper::body::Incoming>) -> Response<Body> {
        let url = Arc::new(self.simple_url().clone());
        let idle = self.inner.config.idle_timeout;
        let mut answer = answer.map(|body| Guarded::new(body, url, u64::MAX, idle).boxed_unsync());
        drop_hop_by_hop(answer.headers_mut());
        *answer.version_mut() = Version::HTTP_11;
        answer
    }
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn forwarded_for(headers: &mut HeaderMap, addr: IpAddr) {
    if let Ok(addr) = HeaderValue::from_str(&addr.to_string()) {
        headers.append(FORWARDED_FOR, addr);
    }
    join(headers, FORWARDED_FOR, ", ");
}

/// Makes one line of several: of cookies HTTP/1.1 allows no more than one (RFC 9113 8.2.3).
fn join(headers: &mut HeaderMap, name: HeaderName, with: &str) {
    let lines: Vec<&[u8]> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
    if lines.len() > 1
        && let Ok(one) = HeaderValue::from_bytes(&lines.join(with.as_bytes()))
    {
        headers.insert(name, one);
    }
}

/// When a request's body last moved: a long upload may take its time, a stuck one may not.
#[derive(Clone)]
struct Progress {
    start: Instant,
    /// Milliseconds after the start.
    last: Arc<AtomicU64>,
}

impl Progress {
    fn start() -> Self {
        Self { start: Instant::now(), last: Arc::default() }
    }

    fn note(&self) {
        let elapsed = self.start.elapsed().as_millis();
        self.last.store(u64::try_from(elapsed).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Returns when nothing has moved for `limit`.
    async fn stalls(&self, limit: Duration) {
        loop {
            let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
            let due = self.start + last + limit;
            if due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }
}

/// A client's body, whose every part is noted.
struct Watched<B> {
    inner: Pin<Box<B>>,
    progress: Progress,
}

impl<B> Watched<B> {
    fn new(inner: B, progress: Progress) -> Self {
        Self { inner: Box::pin(inner), progress }
    }
}

impl<B> HttpBody for Watched<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.inner.as_mut().poll_frame(cx);
        if polled.is_ready() {
            self.progress.note();
        }
        polled.map_err(|error| BodyError::client(error.into()))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
