//! One look at whatever the mirror answers: to find out what kind of mirror it is.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, ACCEPT_ENCODING};
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::BodyExt as _;
use tokio::time::timeout;
use url::Url;

use super::guard::Guarded;
use super::url_text::redacted;
use super::{BodyError, Upstream, UpstreamError};

/// What came back, whatever its status.
#[derive(Debug, Clone, Default)]
pub struct Probed {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The beginning of the body, as it came.
    pub body: Bytes,
}

impl Upstream {
    /// Asks once for `url`, follows no redirect, and reads some `most` bytes of the body; the rest is left unread.
    ///
    /// # Errors
    /// Where the origin is not allowed, the mirror cannot be reached, or breaks off.
    pub async fn probe(
        &self,
        url: &Url,
        accept: &'static str,
        most: usize,
    ) -> Result<Probed, UpstreamError> {
        let limit = self.inner.config.page_timeout;
        timeout(limit, self.ask(url, accept, most)).await.unwrap_or_else(|_| {
            Err(UpstreamError::Timeout { url: redacted(url), what: "the whole answer", limit })
        })
    }

    async fn ask(
        &self,
        url: &Url,
        accept: &'static str,
        most: usize,
    ) -> Result<Probed, UpstreamError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let (head, body) = self.send(Method::GET, url, headers).await?.into_parts();
        let idle = self.inner.config.idle_timeout;
        let mut body = Guarded::new(body, Arc::new(url.clone()), u64::MAX, idle);
        let mut read = BytesMut::new();
        while read.len() < most {
            match body.frame().await {
                Some(Ok(frame)) => read.extend(frame.into_data()),
                Some(Err(BodyError::Upstream(error))) => return Err(error),
                Some(Err(_)) | None => break,
            }
        }
        Ok(Probed { status: head.status.as_u16(), headers: head.headers, body: read.freeze() })
    }
}
