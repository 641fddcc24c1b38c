//! Our own requests: project pages, the project list, files, core metadata.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use super::decode::{self, Encoding};
use super::guard::Guarded;
use super::redirect::{Place, Reached};
use super::retry::{retry_after, retrying};
use super::url_text::redacted;
use super::{Body, Upstream, UpstreamError};
use crate::index::ProjectName;

/// Prefers JSON (PEP 691); a mirror that knows neither type sends HTML (PEP 503).
const SIMPLE_TYPES: &str = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01";
const LAST_SERIAL: HeaderName = HeaderName::from_static("x-pypi-last-serial");

/// The answer to a request for a page or the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageReply {
    /// It is there.
    Fresh(Fetched),
    /// It is what the validators stand for.
    NotModified,
    /// It is not there.
    Gone(Gone),
}

/// The answer to a request for the list: as for a page.
pub type ListReply = PageReply;

/// A page or list, whole and decompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The body, not longer than the limit.
    pub body: Bytes,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// Where it lies, after redirects: what its relative links are relative to.
    pub url: Url,
    /// What to ask with next time.
    pub validators: Validators,
    /// `X-PyPI-Last-Serial`.
    pub serial: Option<u64>,
}

/// How a page is missing. A mirror may say so by mistake: see when a withdrawal is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// 404.
    NotFound,
    /// 410.
    Removed410,
    /// A redirect to the project's page on another index, which is not followed.
    Elsewhere(Url),
}

/// What makes a request conditional (RFC 9110 13.1); as the mirror gave them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Validators {
    /// `ETag`, with its quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// `Last-Modified`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

/// A file whose head has arrived.
#[derive(Debug)]
pub struct FileReply {
    /// Its announced length, bytes.
    pub length: Option<u64>,
    /// Its bytes: at most the limit, and never silent for longer than the idle timeout.
    pub body: FileBody,
}

/// The bytes of a file on their way from the mirror.
pub type FileBody = Body;

impl Upstream {
    /// The project's page. Redirects inside the simple index are followed; transient failures are tried again.
    ///
    /// # Errors
    /// Where the mirror cannot be reached, or answers with anything but the page, 304, 404, 410 or a redirect to
    /// another index.
    pub async fn page(
        &self,
        project: &ProjectName,
        validators: Option<&Validators>,
    ) -> Result<PageReply, UpstreamError> {
        let place = Place::Project(project);
        self.document(self.page_url(project), place, self.inner.limits.page, validators).await
    }

    /// The project list.
    ///
    /// # Errors
    /// As [`Upstream::page`].
    pub async fn list(&self, validators: Option<&Validators>) -> Result<ListReply, UpstreamError> {
        let limit = self.inner.limits.list;
        self.document(self.simple_url().clone(), Place::List, limit, validators).await
    }

    /// Opens a file: its head, and its body as a stream. The bytes are as they lie at the mirror, unverified.
    ///
    /// # Errors
    /// Where the URL or a redirect leads outside the allowed origins, the status is not 200, a content encoding is
    /// set, or the announced length passes the limit.
    pub async fn file(&self, url: &Url) -> Result<FileReply, UpstreamError> {
        let limit = self.inner.limits.file;
        retrying(url, self.inner.config.page_timeout, || async {
            let places = self.places(&[&self.inner.downloads, &self.inner.connections]).await;
            let (url, response) = self.raw(Method::GET, url).await?;
            let length = decode::content_length(response.headers());
            if length.is_some_and(|length| length > limit) {
                return Err(UpstreamError::TooLarge { url: redacted(&url), limit });
            }
            let body = self.guarded(Arc::new(url), response.into_body(), limit, places);
            Ok(FileReply { length, body: body.boxed_unsync() })
        })
        .await
    }

    /// The length of a file, bytes; `None` where the mirror does not say.
    ///
    /// # Errors
    /// As [`Upstream::file`].
    pub async fn head(&self, url: &Url) -> Result<Option<u64>, UpstreamError> {
        let answer = retrying(url, self.inner.config.page_timeout, || async {
            let _places = self.places(&[&self.inner.connections]).await;
            self.raw(Method::HEAD, url).await
        })
        .await;
        match answer {
            Ok((_, response)) => Ok(decode::content_length(response.headers())),
            // Some servers know no HEAD.
            Err(UpstreamError::Status { code: 405 | 501, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A small file whole, such as core metadata (PEP 658): at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Upstream::file`].
    pub async fn small(&self, url: &Url, limit: u64) -> Result<Bytes, UpstreamError> {
        retrying(url, self.inner.config.page_timeout, || async {
            let places = self.places(&[&self.inner.connections]).await;
            let (url, response) = self.raw(Method::GET, url).await?;
            self.whole(url, response, limit, places).await.map(|(_, _, body)| body)
        })
        .await
    }

    /// As [`Upstream::small`], compressed on its way where the server can: the bytes, and how many were sent for them.
    ///
    /// # Errors
    /// As [`Upstream::file`].
    pub async fn compressed(&self, url: &Url, limit: u64) -> Result<(Bytes, u64), UpstreamError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("zstd, gzip"));
        // Caches on the way are to ask the server.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=0"));
        retrying(url, self.inner.config.page_timeout, || async {
            let places = self.places(&[&self.inner.connections]).await;
            match self.follow(Method::GET, url, &headers, Place::File).await? {
                Reached::Elsewhere(url) => {
                    Err(UpstreamError::OriginRefused { url: redacted(&url) })
                }
                Reached::Answer(url, response) if response.status() != StatusCode::OK => {
                    Err(unusable(&url, &response))
                }
                Reached::Answer(url, response) => {
                    let (head, body) = response.into_parts();
                    let sent = Arc::new(AtomicU64::new(0));
                    let shared = Arc::new(url.clone());
                    let body = self.guarded(shared, body, limit, places).counting(sent.clone());
                    let bytes = decode::collect(&url, &head.headers, body, limit).await?;
                    Ok((bytes, sent.load(Ordering::Relaxed)))
                }
            }
        })
        .await
    }

    async fn document(
        &self,
        url: Url,
        place: Place<'_>,
        limit: u64,
        validators: Option<&Validators>,
    ) -> Result<PageReply, UpstreamError> {
        let headers = simple_headers(validators);
        retrying(&url, self.inner.config.page_timeout, || async {
            let places = self.places(&[&self.inner.connections]).await;
            match self.follow(Method::GET, &url, &headers, place).await? {
                Reached::Elsewhere(url) => Ok(PageReply::Gone(Gone::Elsewhere(url))),
                Reached::Answer(url, response) => match response.status() {
                    StatusCode::OK => {
                        let (url, headers, body) = self.whole(url, response, limit, places).await?;
                        Ok(PageReply::Fresh(fetched(url, &headers, body)))
                    }
                    StatusCode::NOT_MODIFIED if validators.is_some() => Ok(PageReply::NotModified),
                    StatusCode::NOT_FOUND => Ok(PageReply::Gone(Gone::NotFound)),
                    StatusCode::GONE => Ok(PageReply::Gone(Gone::Removed410)),
                    _ => Err(unusable(&url, &response)),
                },
            }
        })
        .await
    }

    /// A file's answer: 200, and as it lies at the mirror.
    async fn raw(
        &self,
        method: Method,
        url: &Url,
    ) -> Result<(Url, Response<Incoming>), UpstreamError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        match self.follow(method, url, &headers, Place::File).await? {
            // Cannot come: a file is wherever an allowed origin has it.
            Reached::Elsewhere(url) => Err(UpstreamError::OriginRefused { url: redacted(&url) }),
            Reached::Answer(url, response) if response.status() != StatusCode::OK => {
                Err(unusable(&url, &response))
            }
            Reached::Answer(url, response) => match decode::encoding(response.headers()) {
                Encoding::Identity => Ok((url, response)),
                Encoding::Gzip | Encoding::Zstd | Encoding::Other => Err(UpstreamError::Encoding {
                    url: redacted(&url),
                    why: "set, though the file was asked for as it is",
                }),
            },
        }
    }

    async fn whole(
        &self,
        url: Url,
        response: Response<Incoming>,
        limit: u64,
        places: Vec<OwnedSemaphorePermit>,
    ) -> Result<(Url, HeaderMap, Bytes), UpstreamError> {
        let (head, body) = response.into_parts();
        let shared = Arc::new(url.clone());
        let body = self.guarded(shared, body, limit, places);
        let bytes = decode::collect(&url, &head.headers, body, limit).await?;
        Ok((url, head.headers, bytes))
    }

    fn guarded(
        &self,
        url: Arc<Url>,
        body: Incoming,
        limit: u64,
        places: Vec<OwnedSemaphorePermit>,
    ) -> Guarded {
        Guarded::new(body, url, limit, self.inner.config.idle_timeout).paced().holding(places)
    }

    /// Waits for a place in each of `rooms`.
    async fn places(&self, rooms: &[&Arc<Semaphore>]) -> Vec<OwnedSemaphorePermit> {
        let mut places = Vec::with_capacity(rooms.len());
        for room in rooms {
            // Fails only when the semaphore is closed, which nobody does.
            places.extend(Arc::clone(room).acquire_owned().await.ok());
        }
        places
    }
}

fn simple_headers(validators: Option<&Validators>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(SIMPLE_TYPES));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    // Caches on the way are to ask the mirror.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=0"));
    if let Some(Validators { etag, last_modified }) = validators {
        for (name, value) in [(IF_NONE_MATCH, etag), (IF_MODIFIED_SINCE, last_modified)] {
            if let Some(Ok(value)) = value.as_deref().map(HeaderValue::from_str) {
                headers.insert(name, value);
            }
        }
    }
    headers
}

fn fetched(url: Url, headers: &HeaderMap, body: Bytes) -> Fetched {
    let text = |name| Some(headers.get(name)?.to_str().ok()?.to_owned());
    Fetched {
        body,
        url,
        content_type: text(CONTENT_TYPE),
        validators: Validators { etag: text(ETAG), last_modified: text(LAST_MODIFIED) },
        serial: text(LAST_SERIAL).and_then(|serial| serial.trim().parse().ok()),
    }
}

/// The error that an answer with another status than the expected ones stands for.
fn unusable<B>(url: &Url, response: &Response<B>) -> UpstreamError {
    let url = redacted(url);
    let code = response.status().as_u16();
    match (code, retry_after(response.headers())) {
        (401 | 403, _) => UpstreamError::LoginWanted { url, code },
        (429 | 503, Some(wait)) => UpstreamError::BusyUntil { url, code, wait },
        _ => UpstreamError::Status { url, code },
    }
}
