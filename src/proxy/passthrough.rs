//! What is not ours goes on to the mirror and comes back unchanged, unless it turns out to be what must be signed.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, HOST, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Request, Response};
use http_body::Body as HttpBody;
use percent_encoding::percent_decode_str;

use super::upload::is_form;
use super::{Answer, Proxy};
use crate::config::Passthrough;
use crate::index::is_distribution;
use crate::serving::route::Resource;
use crate::serving::{Client, guarded};
use crate::upstream::{Body, ForwardedFor};

const SIMPLE: &str = "application/vnd.pypi.simple";

/// What distributions are sent as, where a server knows them.
const ARCHIVES: [&str; 16] = [
    "application/zip",
    "application/x-zip-compressed",
    "application/x-wheel+zip",
    "application/gzip",
    "application/x-gzip",
    "application/x-tar",
    "application/x-gtar",
    "application/x-compressed-tar",
    "application/x-tgz",
    "application/x-bzip2",
    "application/x-xz",
    "application/zstd",
    "application/x-msi",
    "application/vnd.debian.binary-package",
    "application/x-rpm",
    // Several ranges hide what they are parts of.
    "multipart/byteranges",
];

impl Proxy {
    /// Passes a request on. An answer that turns out to be a distribution or a simple page is refused, unless
    /// `passthrough = "open"`.
    pub(super) async fn pass_through<B>(&self, request: Request<B>) -> Answer
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, sent) = request.into_parts();
        let head = Request::from_parts(parts.clone(), ()).into_parts().0;
        let response =
            self.upstream.forward(Request::from_parts(parts, sent), whose(&head)).await?;
        self.passed(&head, response)
    }

    /// What the mirror answered, unless it must be signed.
    pub(super) fn passed(&self, head: &Parts, response: Response<Body>) -> Answer {
        let answered = response.status().is_success() || response.status().is_redirection();
        let closed = self.config.passthrough == Passthrough::Closed;
        if closed && answered && self.unsigned_answer(head, &response) {
            return Err(self.unsigned(head.uri.path()));
        }
        Ok(response.map(|body| guarded(head, body)))
    }

    fn unsigned_answer(&self, head: &Parts, response: &Response<Body>) -> bool {
        let headers = response.headers();
        if matches!(head.method, Method::GET | Method::HEAD) {
            let to = text(headers, LOCATION).and_then(|to| to.split(['?', '#']).next());
            return must_be_signed(headers, asks_for_index(&head.headers))
                || to.and_then(|path| path.rsplit('/').next()).is_some_and(is_one);
        }
        // Some mirrors mind no method: they answer PUT or OPTIONS with the file or the page.
        match self.0.routes.readable(head.uri.path()) {
            Resource::UpstreamFile(_) => !response.body().is_end_stream() && !is_message(headers),
            Resource::Page(_) | Resource::Moved(_) | Resource::Foreign => {
                must_be_signed(headers, !is_form(head))
            }
            _ => must_be_signed(headers, false),
        }
    }
}

/// Whose request it is, as far as the connection tells.
pub(super) fn whose(head: &Parts) -> ForwardedFor {
    let client = head.extensions.get::<Client>();
    let asked = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = asked.or(head.uri.authority().map(|authority| authority.as_str()));
    ForwardedFor {
        addr: client.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |client| client.addr.ip()),
        proto: if client.is_some_and(|client| client.tls) { "https" } else { "http" },
        host: host.map(str::to_owned),
    }
}

/// Whether an installer asks for a page that lists files.
fn asks_for_index(headers: &HeaderMap) -> bool {
    text(headers, ACCEPT).is_some_and(|accept| accept.contains(SIMPLE))
}

/// Whether an answer is words about what was done, as uploads and deletions get.
fn is_message(headers: &HeaderMap) -> bool {
    let kind = kind(headers);
    !kind.starts_with(SIMPLE)
        && (kind.starts_with("text/") || kind.ends_with("json") || kind.ends_with("xml"))
}

/// `Content-Type` without its parameters, in lower case.
fn kind(headers: &HeaderMap) -> String {
    let kind = text(headers, CONTENT_TYPE).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether an answer is a distribution or a simple page.
fn must_be_signed(headers: &HeaderMap, asks_for_index: bool) -> bool {
    let kind = kind(headers);
    let page = kind.starts_with(SIMPLE) || (asks_for_index && kind == "text/html");
    let disposition = text(headers, CONTENT_DISPOSITION).unwrap_or_default();
    page || ARCHIVES.contains(&kind.as_str()) || disposition.split(';').any(names_distribution)
}

/// Whether a parameter of `Content-Disposition` (RFC 6266) is the name of a distribution.
fn names_distribution(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let name = name.trim().to_ascii_lowercase();
    matches!(name.as_str(), "filename" | "filename*") && is_one(value.trim().trim_matches('"'))
}

fn is_one(name: &str) -> bool {
    is_distribution(&percent_decode_str(name).decode_utf8_lossy())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn judged(name: HeaderName, value: &'static str, asks_for_index: bool) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        must_be_signed(&headers, asks_for_index)
    }

    #[test]
    fn distributions_are_known_by_their_headers() {
        for (name, value) in [
            (CONTENT_TYPE, "application/zip"),
            (CONTENT_TYPE, "Application/X-Tar; charset=binary"),
            (CONTENT_TYPE, "application/vnd.pypi.simple.v1+json"),
            (CONTENT_DISPOSITION, "attachment; filename=demo-1.0-py3-none-any.whl"),
            (CONTENT_DISPOSITION, "attachment; filename=\"demo-1.0.tar.gz\""),
            (CONTENT_DISPOSITION, "attachment; FileName*=UTF-8''demo-1.0%2Ewhl"),
            (CONTENT_TYPE, "multipart/byteranges; boundary=b"),
        ] {
            assert!(judged(name.clone(), value, false), "{name}: {value}");
        }
    }

    #[test]
    fn all_else_passes() {
        for (name, value) in [
            (CONTENT_TYPE, "text/html"),
            (CONTENT_TYPE, "application/json"),
            (CONTENT_DISPOSITION, "attachment; filename=report.pdf"),
        ] {
            assert!(!judged(name.clone(), value, false), "{name}: {value}");
        }
        assert!(judged(CONTENT_TYPE, "text/html; charset=utf-8", true));
        assert!(!judged(CONTENT_TYPE, "application/json", true));
    }
}
