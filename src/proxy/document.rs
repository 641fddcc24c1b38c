//! Answers with documents: pages, lists and metadata, with validators and in the encoding that the client asked for.

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::errors::Problem;
use crate::repository::{Document, Encoding, Repository};
use crate::upstream::{Body, body};

/// Kept, but asked for again before each use: an upload or a withdrawal is seen at once, and costs a 304 otherwise.
pub(super) const REVALIDATE: &str = "no-cache";
/// What never changes under its name.
pub(super) const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// How a document is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// `Content-Type`
    pub content_type: &'static str,
    /// `Cache-Control`
    pub cache_control: &'static str,
    /// `Vary`
    pub vary: &'static str,
}

/// Answers with `document`, compressed only where `Accept-Encoding` names a coding; 304 where the client has it.
pub(super) async fn answer(
    repository: &Repository,
    request: &Parts,
    document: &Document,
    style: Style,
) -> Result<Response<Body>, Problem> {
    let encoding = accepted(&request.headers);
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
            repository.encoded(document, encoding).await?
        }
    };
    send(&mut response, &request.method, bytes);
    Ok(response)
}

/// Puts `bytes` into the answer; their length alone where it answers HEAD.
pub(super) fn send(response: &mut Response<Body>, method: &Method, bytes: Bytes) {
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

/// The coding that the client prefers; of several the one that we do; `None` is the document as it is.
fn accepted(headers: &HeaderMap) -> Option<Encoding> {
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
    for encoding in Encoding::ALL {
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
        accepted(&headers).map(Encoding::name)
    }

    #[test]
    fn never_compressed_unasked() {
        assert_eq!(accepted(&HeaderMap::new()), None);
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
