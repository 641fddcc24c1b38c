//! What went wrong, as an answer: `application/problem+json` (RFC 9457).
//!
//! 404 only for what is not there (uv then asks the next index), 403 for policy, 502 and 503 for failure.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Response, StatusCode};
use hyper::ext::ReasonPhrase;
use serde_json::json;

use super::document::send;
use crate::spool::SpoolError;
use crate::upstream::{Body, UpstreamError, body};

/// Why a request is not answered with what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    kind: Kind,
    title: Cow<'static, str>,
    /// One or two sentences: what failed, on what, what to do. uv shows it to its user.
    detail: String,
    retry_after: Option<Duration>,
}

/// The kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is no such thing.
    NotFound,
    /// The request itself is wrong.
    BadRequest,
    /// The method does not work here.
    NotAllowed,
    /// None of the offered formats is accepted.
    NotAcceptable,
    /// The bytes are not those that are signed.
    Mismatch,
    /// Nothing signed vouches for it.
    Unsigned,
    /// What a repository sent failed a check.
    Distrust,
    /// The operator withdrew it.
    Blocked,
    /// It lies at an origin that is not allowed.
    Origin,
    /// The mirror failed.
    Upstream,
    /// Something fails for now.
    Unavailable,
}

impl Kind {
    fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::NotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::Mismatch | Self::Unsigned | Self::Distrust | Self::Blocked | Self::Origin => {
                StatusCode::FORBIDDEN
            }
            Self::Upstream => StatusCode::BAD_GATEWAY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The problem's `type`, without its prefix.
    fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::BadRequest => "bad-request",
            Self::NotAllowed => "method-not-allowed",
            Self::NotAcceptable => "not-acceptable",
            Self::Mismatch => "mismatch",
            Self::Unsigned => "unsigned",
            Self::Distrust => "distrust",
            Self::Blocked => "blocked",
            Self::Origin => "origin",
            Self::Upstream => "upstream",
            Self::Unavailable => "unavailable",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::BadRequest => "Bad request",
            Self::NotAllowed => "Method not allowed",
            Self::NotAcceptable => "Not acceptable",
            Self::Mismatch => "Blocked by countersign: bytes differ from the signed hash",
            Self::Unsigned => "Blocked by countersign: nothing signed vouches for this",
            Self::Distrust => "Blocked by countersign: a check failed",
            Self::Blocked => "Blocked by countersign: withdrawn by the operator",
            Self::Origin => "Blocked by countersign: outside the allowed origins",
            Self::Upstream => "The mirror failed",
            Self::Unavailable => "Not available for now",
        }
    }
}

impl Problem {
    /// A problem of that kind.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, title: kind.title().into(), detail: detail.into(), retry_after: None }
    }

    /// What is asked for is not there.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, detail)
    }

    /// The mirror failed.
    pub fn upstream(detail: impl Into<String>) -> Self {
        Self::new(Kind::Upstream, detail)
    }

    /// It fails for now; ask again after `wait`.
    pub fn unavailable(detail: impl Into<String>, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..Self::new(Kind::Unavailable, detail) }
    }

    /// The same, under a title that says more. pip shows it, and nothing else.
    pub fn titled(self, title: impl Into<Cow<'static, str>>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// What kind of problem it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What failed, on what, and what to do.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        self.kind == Kind::NotFound
    }

    /// The answer to a request with `method`.
    pub fn answer(&self, method: &Method) -> Response<Body> {
        let (mut response, body) = self.response();
        send(&mut response, method, body);
        response
    }

    /// What stands in the status line in place of the usual words, where they say too little.
    fn reason_phrase(&self) -> Option<ReasonPhrase> {
        let refused = self.kind.status() == StatusCode::FORBIDDEN;
        let says_more = refused || self.title != self.kind.title();
        says_more.then(|| ReasonPhrase::try_from(self.title.as_bytes().to_vec()).ok()).flatten()
    }

    /// The answer, and its body apart.
    fn response(&self) -> (Response<Body>, Bytes) {
        let Self { kind, title, detail, retry_after } = self;
        let status = kind.status();
        let problem = json!({
            "type": format!("urn:countersign:problem:{}", kind.name()),
            "title": title,
            "status": status.as_u16(),
            "detail": detail,
        });
        let mut response = Response::new(body::empty());
        *response.status_mut() = status;
        if let Some(phrase) = self.reason_phrase() {
            response.extensions_mut().insert(phrase);
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(wait) = retry_after {
            headers.insert(RETRY_AFTER, wait.as_secs().max(1).into());
        }
        if *kind == Kind::NotAllowed {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        (response, problem.to_string().into())
    }
}

/// Tools wait as long as they are told: a mirror may say a day, and is passed on with so much.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// When a failure that ends by itself is worth another try.
pub const SOON: Duration = Duration::from_secs(5);

impl From<UpstreamError> for Problem {
    fn from(error: UpstreamError) -> Self {
        let detail = error.to_string();
        match error {
            UpstreamError::Status { code: 404 | 410, .. } => Self::not_found(detail),
            UpstreamError::Client { .. } => Self::new(Kind::BadRequest, detail),
            UpstreamError::OriginRefused { .. } => Self::new(Kind::Origin, detail),
            UpstreamError::BusyUntil { wait, .. } => {
                Self::unavailable(detail, wait.min(LONGEST_WAIT))
            }
            UpstreamError::Timeout { .. } => Self::unavailable(detail, SOON),
            _ => Self::upstream(detail),
        }
    }
}

impl From<SpoolError> for Problem {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::Upstream(error) => error.into(),
            SpoolError::Mismatch { .. } => Self::new(Kind::Mismatch, error.to_string()),
            other => {
                tracing::error!(error = %other, "the spool failed");
                Self::unavailable(
                    "the spool of verified files failed; countersign's log says why",
                    SOON,
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_it_to_pip_and_to_uv() {
        let (response, body) =
            Problem::new(Kind::Mismatch, "demo-1.whl: \"expected\" a, found b").response();
        assert_eq!(response.status(), 403);
        let phrase = response.extensions().get::<ReasonPhrase>().unwrap().as_bytes().to_vec();
        assert_eq!(phrase, Kind::Mismatch.title().as_bytes());
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["status"], 403);
        assert_eq!(problem["title"], Kind::Mismatch.title());
        assert_eq!(problem["detail"], "demo-1.whl: \"expected\" a, found b");
        assert!(problem["type"].as_str().unwrap().starts_with("urn:"));
    }

    #[test]
    fn only_what_is_not_there_is_404() {
        let url = || "https://m.example/a.whl".to_owned();
        for (error, status) in [
            (UpstreamError::Status { url: url(), code: 404 }, 404),
            (UpstreamError::Status { url: url(), code: 500 }, 502),
            (UpstreamError::LoginWanted { url: url(), code: 403 }, 502),
            (UpstreamError::OriginRefused { url: url() }, 403),
            (UpstreamError::Truncated { url: url() }, 502),
            (UpstreamError::BusyUntil { url: url(), code: 429, wait: Duration::from_secs(7) }, 503),
        ] {
            assert_eq!(Problem::from(error).response().0.status(), status);
        }
    }

    #[test]
    fn a_busy_mirror_says_when_to_ask_again() {
        let problem = Problem::unavailable("later", Duration::from_secs(7));
        assert_eq!(problem.response().0.headers()[RETRY_AFTER], "7");
        assert!(problem.response().0.extensions().get::<ReasonPhrase>().is_none());
    }
}
