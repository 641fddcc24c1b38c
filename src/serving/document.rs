//! Answers with documents: pages, lists and metadata, with validators and in the encoding that the client asked for.

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, LOCATION, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::{Encoding, Problem};
use crate::tuf::Digest;
use crate::upstream::{Body, body};

/// Immutable bytes that are served: a metadata file or a signed page.
#[derive(Debug, Clone)]
pub struct Document {
    /// The bytes that are signed.
    pub bytes: Bytes,
    /// Their SHA-256.
    pub digest: Digest,
}

impl Document {
    /// A document of `bytes`.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { digest: Digest::of(&bytes), bytes }
    }
}

/// Who has the compressed forms of documents.
pub trait Compressed: Sync {
    /// The codings that are offered, the preferred one first.
    fn codings(&self) -> &'static [Encoding];

    /// The document under a coding that is offered.
    fn compressed(
        &self,
        document: &Document,
        encoding: Encoding,
    ) -> impl Future<Output = Result<Bytes, Problem>> + Send;
}

/// Kept, but asked for again before each use: an upload or a withdrawal is seen at once, and costs a 304 otherwise.
pub const REVALIDATE: &str = "no-cache";
/// What never changes under its name.
pub const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// How a document is sent.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// `Content-Type`
    pub content_type: &'static str,
    /// `Cache-Control`
    pub cache_control: &'static str,
    /// `Vary`
    pub vary: &'static str,
}

/// Answers with `document`, compressed only where `Accept-Encoding` names a coding; 304 where the client has it.
///
/// # Errors
/// Where it cannot be compressed.
pub async fn answer(
    compressed: &impl Compressed,
    request: &Parts,
    document: &Document,
    style: Style,
) -> Result<Response<Body>, Problem> {
    let encoding = accepted(&request.headers, compressed.codings());
    let etag = etag(document, encoding);
    let mut response = Response::new(body::empty());
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(style.cache_control));
    headers.insert(VARY, HeaderValue::from_static(style.vary));
    if matches_any(&request.headers, IF_NONE_MATCH, &etag) {
        insert(headers, ETAG, etag);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    insert(headers, ETAG, etag);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(style.content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let bytes = match encoding {
        None => document.bytes.clone(),
        Some(encoding) => {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
            compressed.compressed(document, encoding).await?
        }
    };
    send(&mut response, &request.method, bytes);
    Ok(response)
}

/// Redirects to the canonical path, relatively, so that it holds behind any prefix.
pub fn moved(to: &str, query: Option<&str>) -> Response<Body> {
    let location = match query {
        Some(query) => format!("{to}?{query}"),
        None => to.to_owned(),
    };
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let headers = response.headers_mut();
    // Both come from a path and a query that were valid.
    if let Ok(location) = HeaderValue::try_from(location) {
        headers.insert(LOCATION, location);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(REVALIDATE));
    response
}

/// Puts `bytes` into the answer; their length alone where it answers HEAD.
pub fn send(response: &mut Response<Body>, method: &Method, bytes: Bytes) {
    response.headers_mut().insert(CONTENT_LENGTH, bytes.len().into());
    if *method != Method::HEAD {
        *response.body_mut() = body::full(bytes);
    }
}

/// Strong, and another one for each encoding (RFC 9110, section 8.8.3).
fn etag(document: &Document, encoding: Option<Encoding>) -> String {
    match encoding {
        None => format!("\"{}\"", document.digest),
        Some(encoding) => format!("\"{}-{}\"", document.digest, encoding.name()),
    }
}

/// Adds a header whose value is made of digits and plain words.
pub(super) fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

/// Whether a list of entity tags has `etag`, by weak comparison (RFC 9110, section 13.1.2).
pub(super) fn matches_any(headers: &HeaderMap, name: HeaderName, etag: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag == etag
    })
}

/// Of the `offered` codings the one that the client prefers; of several the first; `None` is the document as it is.
fn accepted(headers: &HeaderMap, offered: &[Encoding]) -> Option<Encoding> {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let wishes: Vec<(&str, u16)> = values.flat_map(|v| v.split(',')).filter_map(wish).collect();
    let quality = |name: &str| {
        let of = |wanted: &str| {
            wishes.iter().find(|(coding, _)| coding.eq_ignore_ascii_case(wanted)).map(|(_, q)| *q)
        };
        of(name).or_else(|| of("*"))
    };
    // Unnamed, the document as it is comes last.
    let plain = quality("identity").unwrap_or(0);
    let mut best = None;
    let mut highest = plain.saturating_sub(1);
    for encoding in offered.iter().copied() {
        let quality = quality(encoding.name()).unwrap_or(0);
        if quality > highest {
            (best, highest) = (Some(encoding), quality);
        }
    }
    best
}

/// A coding and its quality in thousandths.
fn wish(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let coding = parts.next().filter(|coding| !coding.is_empty())?;
    let weight = parts.find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")));
    let quality: f32 = weight.map_or(Some(1.0), |q| q.trim().parse().ok())?;
    // The cast saturates, and takes NaN for 0.
    Some((coding, (quality.clamp(0.0, 1.0) * 1000.0).round() as u16))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coding(value: &'static str) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
        accepted(&headers, &Encoding::ALL).map(Encoding::name)
    }

    #[test]
    fn never_compressed_unasked() {
        assert_eq!(accepted(&HeaderMap::new(), &Encoding::ALL), None);
        for value in
            ["", "identity", "gzip;q=0", "compress", "*;q=0", "gzip;q=x", "identity, gzip;q=0.5"]
        {
            assert_eq!(coding(value), None, "{value}");
        }
    }

    #[test]
    fn the_wanted_coding_wins() {
        for (value, expected) in [
            ("gzip", "gzip"),
            ("gzip, deflate", "gzip"),
            ("gzip, deflate, zstd", "zstd"),
            ("gzip, deflate, br", "br"),
            ("br;q=0.5, gzip", "gzip"),
            ("GZIP;Q=0.3, zstd;q=0.2", "gzip"),
            ("*", "zstd"),
            ("zstd;q=0, *", "br"),
            ("identity;q=0.5, gzip", "gzip"),
            ("gzip, identity", "gzip"),
        ] {
            assert_eq!(coding(value), Some(expected), "{value}");
        }
    }

    #[test]
    fn tags_are_compared_weakly() {
        let has = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static(value));
            matches_any(&headers, IF_NONE_MATCH, "\"a\"")
        };
        assert!(has("\"a\"") && has("W/\"a\"") && has("\"b\", \"a\"") && has("*"));
        assert!(!has("\"b\"") && !has("a") && !has(""));
    }
}
