//! Sends our own requests, and decides which redirects are followed.

use std::time::Duration;

use http::header::{AUTHORIZATION, LOCATION, PROXY_AUTHORIZATION, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use hyper::Response;
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use url::Url;

use super::url_text::{plain, redacted};
use super::{Upstream, UpstreamError, body};
use crate::index::ProjectName;

/// Redirects that are followed for one request, at the most.
const LONGEST_CHAIN: usize = 5;
const AGENT: &str = concat!("countersign/", env!("CARGO_PKG_VERSION"));

/// What is asked for; redirects may not lead away from it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// A project's page in the simple index.
    Project(&'a ProjectName),
    /// The simple index itself.
    List,
    /// Anything at an allowed origin.
    File,
}

/// Where a request arrived.
pub(super) enum Reached {
    /// An answer that is no redirect, from that URL.
    Answer(Url, Response<Incoming>),
    /// The project's page on another index.
    Elsewhere(Url),
}

/// What becomes of a redirect.
enum Verdict {
    Follow,
    Elsewhere,
    Refuse(&'static str),
}

impl Upstream {
    /// Asks for `url`, and follows redirects as far as they may be followed.
    pub(super) async fn follow(
        &self,
        method: Method,
        url: &Url,
        headers: &HeaderMap,
        place: Place<'_>,
    ) -> Result<Reached, UpstreamError> {
        let mut url = plain(url.clone());
        for _ in 0..=LONGEST_CHAIN {
            let response = self.send(method.clone(), &url, headers.clone()).await?;
            let Some(to) = location(&url, &response)? else {
                return Ok(Reached::Answer(url, response));
            };
            match self.judge(&to, place) {
                Verdict::Follow => url = to,
                Verdict::Elsewhere => return Ok(Reached::Elsewhere(to)),
                Verdict::Refuse(why) => return Err(refused(&url, redacted(&to), why)),
            }
        }
        Err(refused(&url, "yet another place".into(), "it is one of too many in a row"))
    }

    /// Whether a redirect to `to` leads to what was asked for.
    fn judge(&self, to: &Url, place: Place<'_>) -> Verdict {
        match place {
            Place::File => Verdict::Follow,
            Place::List if self.is_same_index(to) && self.below_index(to) == Some("") => {
                Verdict::Follow
            }
            Place::List => Verdict::Refuse("it leads away from the project list"),
            Place::Project(project) => {
                let first = self.below_index(to).and_then(|rest| rest.split('/').next());
                if self.is_same_index(to) && first.is_some_and(|name| names(name, project)) {
                    Verdict::Follow
                } else if last_segment(to).is_some_and(|name| names(name, project)) {
                    Verdict::Elsewhere
                } else {
                    Verdict::Refuse("it leads to no page of this project")
                }
            }
        }
    }

    /// What of the path lies below the simple index; the index itself may come without its slash.
    fn below_index<'u>(&self, url: &'u Url) -> Option<&'u str> {
        let path = url.path();
        let base = self.simple_path();
        if Some(path) == base.strip_suffix('/') { Some("") } else { path.strip_prefix(base) }
    }

    /// Whether `url` lies in the simple index: on its origin, or on the same host with TLS (which is followed only
    /// where that origin is allowed, and is never another index).
    fn is_same_index(&self, url: &Url) -> bool {
        let simple = self.simple_url();
        let upgraded = simple.scheme() == "http"
            && url.scheme() == "https"
            && (simple.port(), url.port()) == (None, None)
            && simple.host() == url.host();
        (self.is_own(url) || upgraded) && self.below_index(url).is_some()
    }

    pub(super) async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
    ) -> Result<Response<Incoming>, UpstreamError> {
        if !self.allows(url) {
            return Err(UpstreamError::OriginRefused { url: redacted(url) });
        }
        let mut request = Request::new(body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = uri(url)?;
        *request.headers_mut() = headers;
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(credentials) = self.inner.credentials.as_ref().filter(|_| self.is_own(url)) {
            request.headers_mut().insert(AUTHORIZATION, credentials.header());
        }
        self.log_in_to_proxy(&mut request);
        let limit = self.inner.config.response_timeout;
        match timeout(limit, self.inner.client.request(request)).await {
            Ok(answer) => answer.map_err(|error| sort(url, &error)),
            Err(_) => Err(late(url, limit)),
        }
    }

    /// Where a proxy reads the request (plain http), it reads our login from it too.
    pub(super) fn log_in_to_proxy<B>(&self, request: &mut Request<B>) {
        if request.uri().scheme() != Some(&Scheme::HTTP) {
            return;
        }
        let proxy = self.inner.proxies.intercept(request.uri());
        if let Some(login) = proxy.as_ref().and_then(|proxy| proxy.basic_auth()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, login.clone());
        }
    }
}

/// Sorts out what the HTTP client reports.
pub(super) fn sort(url: &Url, error: &hyper_util::client::legacy::Error) -> UpstreamError {
    UpstreamError::sort(url, error, error.is_connect())
}

pub(super) fn late(url: &Url, limit: Duration) -> UpstreamError {
    UpstreamError::Timeout { url: redacted(url), what: "the head of the answer", limit }
}

fn refused(url: &Url, to: String, why: &'static str) -> UpstreamError {
    UpstreamError::RedirectRefused { url: redacted(url), to, why }
}

/// Where a redirect leads; `None` where the answer is none.
fn location(url: &Url, response: &Response<Incoming>) -> Result<Option<Url>, UpstreamError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let value = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    match value.map(|value| url.join(value)) {
        Some(Ok(to)) => Ok(Some(plain(to))),
        _ => Err(refused(url, "nowhere".into(), "its Location is missing or no URL")),
    }
}

/// Whether a path segment is a name of the project, normalized or not.
fn names(segment: &str, project: &ProjectName) -> bool {
    let decoded = percent_decode_str(segment).decode_utf8_lossy();
    ProjectName::parse(&decoded).is_ok_and(|name| name == *project)
}

fn last_segment(url: &Url) -> Option<&str> {
    url.path_segments()?.rfind(|segment| !segment.is_empty())
}

/// `url` as hyper takes it, without credentials and fragment.
pub(super) fn uri(url: &Url) -> Result<Uri, UpstreamError> {
    build(url, url.query()).ok_or_else(|| UpstreamError::Malformed {
        url: redacted(url),
        why: "its URL cannot be sent over HTTP".into(),
    })
}

fn build(url: &Url, query: Option<&str>) -> Option<Uri> {
    let path = match query {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    Uri::builder()
        .scheme(url.scheme())
        .authority(authority(url)?)
        .path_and_query(PathAndQuery::try_from(path).ok()?)
        .build()
        .ok()
}

/// Host and port of `url`.
pub(super) fn authority(url: &Url) -> Option<Authority> {
    let host = url.host_str()?;
    match url.port() {
        Some(port) => format!("{host}:{port}").parse().ok(),
        None => host.parse().ok(),
    }
}
