//! Answers with bytes that were verified whole: with validators, and with the range that is asked for.

use std::ops::Range;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};

use super::connection::guarded;
use super::document::{IMMUTABLE, insert, matches_any};
use super::range::{Bare, Selected, select};
use crate::spool::SpooledFile;
use crate::tuf::Digest;
use crate::upstream::{Body, body};

/// What files are sent as.
pub(super) const OCTETS: &str = "application/octet-stream";

/// Answers with `file`, whose SHA-256 is `digest`.
pub(super) fn answer(
    request: &Parts,
    digest: Digest,
    file: &SpooledFile,
    bare: Bare,
) -> Response<Body> {
    let etag = format!("\"{digest}\"");
    let mut response = Response::new(body::empty());
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(IMMUTABLE));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    insert(headers, ETAG, etag.clone());
    if matches_any(&request.headers, IF_NONE_MATCH, &etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(OCTETS));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let selected = select(&request.headers, &etag, file.length, bare);
    if let Some(place) = place(&selected, file.length) {
        insert(headers, CONTENT_RANGE, place);
    }
    let (status, range) = part(selected, file.length);
    headers.insert(CONTENT_LENGTH, (range.end - range.start).into());
    *response.status_mut() = status;
    if request.method != Method::HEAD {
        *response.body_mut() = guarded(request, file.range(range));
    }
    response
}

fn part(selected: Selected, length: u64) -> (StatusCode, Range<u64>) {
    match selected {
        Selected::Whole => (StatusCode::OK, 0..length),
        Selected::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Selected::Nothing => (StatusCode::RANGE_NOT_SATISFIABLE, 0..0),
    }
}

/// `Content-Range` (RFC 9110, section 14.4)
fn place(selected: &Selected, length: u64) -> Option<String> {
    match selected {
        Selected::Whole => None,
        Selected::Part(range) => {
            Some(format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1)))
        }
        Selected::Nothing => Some(format!("bytes */{length}")),
    }
}
