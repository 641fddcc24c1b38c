//! Distribution files: verified whole before their first byte leaves, as far as they fit the spool.

use std::sync::atomic::Ordering;
use std::time::Instant;

use futures::future::ready;
use futures::stream::once;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Limited};
use url::Url;

use super::connection::Client;
use super::document::{IMMUTABLE, insert, matches_any};
use super::errors::Kind;
use super::range::{Bare, Selected, select};
use super::route::{Named, Part};
use super::source::{Listed, Pinned};
use super::{Answer, Problem, Proxy};
use crate::index::ProjectName;
use crate::spool::{SpoolError, SpooledFile};
use crate::telemetry::Refusal;
use crate::tuf::Digest;
use crate::upstream::{Body, BodyError, FileReply, Found, MirrorUrl, UpstreamError, body};

impl Proxy {
    /// A file by its target path, or what belongs to it.
    pub(super) async fn file_target(
        &self,
        request: &Parts,
        project: &ProjectName,
        named: &Named,
        pin: Option<Digest>,
    ) -> Answer {
        let listed = self.listed(project, &named.filename, pin).await?;
        if pin.is_some() && pin != listed.digest().ok() {
            return Err(listed.missing());
        }
        match named.part {
            Part::Whole => self.file(request, &listed, Bare::Given).await,
            Part::CoreMetadata => self.core_metadata(request, &listed).await,
            Part::Signature => self.signature(request, &listed).await,
            Part::Provenance => self.provenance(request, &listed).await,
        }
    }

    /// A file at a path of the mirror's own, or its core metadata; `None` where no signed page lists it.
    pub(super) async fn upstream_file(&self, request: &Parts, named: &Named) -> Option<Answer> {
        let listed = match self.listed_at(request, &named.filename).await {
            Ok(listed) => listed?,
            Err(problem) => return Some(Err(problem)),
        };
        Some(match named.part {
            // Before we came, the mirror itself may have answered here.
            Part::Whole => self.file(request, &listed, Bare::Ignored).await,
            _ => self.core_metadata(request, &listed).await,
        })
    }

    async fn file(&self, request: &Parts, listed: &Listed, bare: Bare) -> Answer {
        let pinned = self.pinned(listed).await?;
        if let Some(file) = self.spool.get(&pinned.key.digest).await {
            return self.verified(request, &pinned, &file, bare);
        }
        self.refuse_recent(&pinned)?;
        let url = self.source(&listed.project, &pinned.filename).await?.url;
        let length = match pinned.length {
            Some(length) => Some(length),
            // A mirror that cannot say is asked for the file.
            None => self.upstream.head(&url).await.ok().flatten(),
        };
        let limit = self.spool_limit();
        if length.is_some_and(|length| length > limit) {
            return self.stream(request, &pinned, &url, length).await;
        }
        match self.fetch_measured(&pinned, &url, limit).await {
            Ok(file) => self.verified(request, &pinned, &file, bare),
            Err(SpoolError::Upstream(UpstreamError::TooLarge { .. })) => {
                self.stream(request, &pinned, &url, None).await
            }
            Err(error) if is_the_spools(&error) => {
                tracing::error!(%error, "the spool failed; a file is streamed instead");
                self.0.streamed_small.store(true, Ordering::Relaxed);
                self.stream(request, &pinned, &url, length).await
            }
            Err(error) => Err(self.failed(&pinned, error)),
        }
    }

    /// As [`Proxy::fetch`]. A length that the mirror promised wrongly must not keep the right bytes away: the hash
    /// decides, and the signed length is corrected.
    async fn fetch_measured(
        &self,
        pinned: &Pinned,
        url: &Url,
        limit: u64,
    ) -> Result<SpooledFile, SpoolError> {
        let wrong_length = |error: &SpoolError| {
            matches!(error, SpoolError::Mismatch { found: Found::Length { .. }, .. })
        };
        let file = match self.fetch(pinned, url, limit).await {
            Err(error) if wrong_length(&error) => {
                let unmeasured = Pinned { length: None, ..pinned.clone() };
                self.fetch(&unmeasured, url, limit).await?
            }
            fetched => fetched?,
        };
        if pinned.length != Some(file.length) {
            let key = &pinned.key;
            self.watcher.measured(&key.project, &pinned.filename, key.digest, file.length);
        }
        Ok(file)
    }

    /// Fetches at most `limit` bytes into the spool; who asks for the same file shares one fetch.
    pub(super) async fn fetch(
        &self,
        pinned: &Pinned,
        url: &Url,
        limit: u64,
    ) -> Result<SpooledFile, SpoolError> {
        let (upstream, url, pinned) = (self.upstream.clone(), url.clone(), pinned.clone());
        let (digest, length) = (pinned.key.digest, pinned.length);
        let get = move || async move {
            let reply = upstream.file(&url).await?;
            bounded(reply, &pinned, &url, limit)
        };
        let file = self.spool.fetch(&digest, length, get).await?;
        self.metrics.spool_bytes.set(i64::try_from(self.spool.used()).unwrap_or(i64::MAX));
        Ok(file)
    }

    /// Refuses at once what was wrong a moment ago.
    pub(super) fn refuse_recent(&self, pinned: &Pinned) -> Result<(), Problem> {
        match self.0.recent.detail(&pinned.key, Instant::now()) {
            None => Ok(()),
            Some(detail) => {
                self.metrics.refusals.count(Refusal::RecentMismatch);
                Err(Problem::new(Kind::Mismatch, detail))
            }
        }
    }

    /// Sorts out why a file could not be fetched.
    pub(super) fn failed(&self, pinned: &Pinned, error: SpoolError) -> Problem {
        match error {
            SpoolError::Mismatch { found, .. } => self.mismatch(pinned, found),
            SpoolError::Upstream(error) => self.upstream_failed(pinned, error),
            other => other.into(),
        }
    }

    /// As [`Proxy::failed`], for the mirror's errors.
    pub(super) fn upstream_failed(&self, pinned: &Pinned, error: UpstreamError) -> Problem {
        let project = &pinned.key.project;
        match &error {
            // It may have moved.
            UpstreamError::Status { code: 404 | 410, .. } => {
                self.watcher.changed(Some(project.clone()))
            }
            UpstreamError::OriginRefused { .. } => {
                let detail = error.to_string();
                let (project, name) = (project.as_str(), &pinned.key.name);
                self.metrics.refusals.report(Refusal::Origin, project, name, &detail);
            }
            _ => {}
        }
        error.into()
    }

    /// Remembers and reports that the mirror has other bytes than the signed ones.
    pub(super) fn mismatch(&self, pinned: &Pinned, found: Found) -> Problem {
        let key = &pinned.key;
        let what = format!("expected SHA-256 {}, found {found}", key.digest);
        let detail = format!(
            "{} of {}: {what}. The mirror's file is not the one that was signed; ask its operator",
            key.name, key.project
        );
        if self.0.recent.remember(key.clone(), detail.clone(), Instant::now()) {
            let project = key.project.as_str();
            self.metrics.refusals.report(Refusal::Mismatch, project, &key.name, &what);
        } else {
            self.metrics.refusals.count(Refusal::RecentMismatch);
        }
        Problem::new(Kind::Mismatch, detail)
    }

    /// Answers with bytes that were verified whole: with validators, and with the range that is asked for.
    pub(super) fn verified(
        &self,
        request: &Parts,
        pinned: &Pinned,
        file: &SpooledFile,
        bare: Bare,
    ) -> Answer {
        let etag = format!("\"{}\"", pinned.key.digest);
        let streamed =
            file.length > self.spool_limit() || self.0.streamed_small.load(Ordering::Relaxed);
        let bare = if streamed { Bare::Ignored } else { bare };
        let mut response = Response::new(body::empty());
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(IMMUTABLE));
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        insert(headers, ETAG, etag.clone());
        if matches_any(&request.headers, IF_NONE_MATCH, &etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(response);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(OCTETS));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let (status, range) = match select(&request.headers, &etag, file.length, bare) {
            Selected::Whole => (StatusCode::OK, 0..file.length),
            Selected::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
            Selected::Nothing => (StatusCode::RANGE_NOT_SATISFIABLE, 0..0),
        };
        let place = match status {
            StatusCode::OK => None,
            StatusCode::PARTIAL_CONTENT => Some(format!(
                "bytes {}-{}/{}",
                range.start,
                range.end.saturating_sub(1),
                file.length
            )),
            _ => Some(format!("bytes */{}", file.length)),
        };
        if let Some(place) = place {
            insert(headers, CONTENT_RANGE, place);
        }
        headers.insert(CONTENT_LENGTH, (range.end - range.start).into());
        *response.status_mut() = status;
        if request.method != Method::HEAD {
            *response.body_mut() = guarded(request, file.range(range));
        }
        Ok(response)
    }

    /// The largest file that goes through the spool, bytes.
    pub(super) fn spool_limit(&self) -> u64 {
        self.config.cache.file_limit.min(self.spool.capacity())
    }
}

/// What files are sent as.
pub(super) const OCTETS: &str = "application/octet-stream";

/// `body`, upon whose failure the connection is reset. Over HTTP/2 the stream is, by hyper.
pub(super) fn guarded(request: &Parts, body: Body) -> Body {
    match request.extensions.get::<Client>() {
        Some(client) if request.version < Version::HTTP_2 => client.reset.guard(body),
        _ => body,
    }
}

/// Whether the disk failed, not the mirror.
fn is_the_spools(error: &SpoolError) -> bool {
    matches!(
        error,
        SpoolError::DiskFull { .. } | SpoolError::Disk { .. } | SpoolError::TooLarge { .. }
    )
}

/// `reply`, refused where it announces another length than the signed one, or more than `limit` bytes, and cut off
/// where more come.
fn bounded(
    reply: FileReply,
    pinned: &Pinned,
    url: &Url,
    limit: u64,
) -> Result<FileReply, UpstreamError> {
    let FileReply { length, body } = reply;
    if let (Some(expected), Some(found)) = (pinned.length, length)
        && expected != found
    {
        let found = Found::Length { expected, found };
        let wrong = BodyError::Mismatch { expected: pinned.key.digest, found };
        return Ok(FileReply { length: None, body: body::stream(once(ready(Err(wrong)))) });
    }
    let too_large =
        UpstreamError::TooLarge { url: MirrorUrl::from(url.clone()).to_string(), limit };
    if length.is_some_and(|length| length > limit) {
        return Err(too_large);
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let body = Limited::new(body, most).map_err(move |error| match error.downcast::<BodyError>() {
        Ok(error) => *error,
        Err(_) => too_large.clone().into(),
    });
    Ok(FileReply { length, body: body.boxed_unsync() })
}
