//! What clients reach: signed pages, metadata and files, and whatever else of the mirror passes through.
//!
//! ```text
//! serve                    the listener: TLS, HTTP/1.1 and 2, shutdown
//! connection               a connection that is reset when an answer breaks off
//! tls                      certificate and key
//! route  path              what a request is for
//! page  list  metadata     documents: signed pages, the list, TUF metadata
//! document                 how they are sent: validators, encodings
//! file  stream  beside     files: from the spool, streamed; core metadata, signatures
//! source                   which bytes a file name stands for, and where they lie upstream
//! range                    parts of verified files
//! recent                   files that were wrong a moment ago
//! passthrough  upload      what goes on to the mirror
//! errors                   the one place where errors become answers
//! observe                  metrics
//! ```
//!
//! It reads what is published and asks the watcher to look at projects; it sees no key and no store that can be written.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use http_body::Body as HttpBody;

use crate::config::{Config, Passthrough};
use crate::index::Links;
use crate::repository::Repository;
use crate::spool::Spool;
use crate::telemetry::{Metrics, Refusal};
use crate::upstream::{Body, Upstream};
use crate::watch::Watcher;

mod beside;
pub mod connection;
mod document;
pub mod errors;
mod file;
mod list;
mod metadata;
mod observe;
mod page;
mod passthrough;
mod path;
mod range;
mod recent;
pub mod route;
#[cfg(test)]
mod route_tests;
mod serve;
mod source;
mod stream;
#[cfg(test)]
mod tests;
pub mod tls;
mod upload;

pub use connection::Client;
pub use errors::Problem;
pub use serve::serve;

use document::send;
use errors::Kind;
use list::Lists;
use observe::Observed;
use recent::Recent;
use route::{Part, Resource, Routes};

/// What a proxy is made from.
pub struct ProxyParts {
    /// What is published.
    pub repository: Repository,
    /// The mirror.
    pub upstream: Upstream,
    /// Verified files.
    pub spool: Spool,
    /// Looks at projects that are asked for.
    pub watcher: Watcher,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// All of the configuration.
    pub config: Arc<Config>,
}

/// Answers clients. Cheap to clone.
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

struct Inner {
    parts: ProxyParts,
    routes: Routes,
    /// The repository's URL, relative to a page's.
    tuf: Option<HeaderValue>,
    recent: Recent,
    lists: Lists,
    /// Whether a file that fits the spool had to be streamed, unverified, because the spool failed.
    streamed_small: AtomicBool,
}

type Answer = Result<Response<Body>, Problem>;

impl std::ops::Deref for Proxy {
    type Target = ProxyParts;
    fn deref(&self) -> &ProxyParts {
        &self.0.parts
    }
}

impl Proxy {
    /// A proxy in front of what `parts` name.
    pub fn new(parts: ProxyParts) -> Self {
        let simple = parts.upstream.simple_path();
        let tuf_prefix = &parts.config.tuf_prefix;
        let page = format!("{simple}project/");
        let tuf = Links::from_page_path(&page, tuf_prefix).tuf;
        Self(Arc::new(Inner {
            routes: Routes::new(simple, tuf_prefix),
            tuf: HeaderValue::try_from(tuf).ok(),
            recent: Recent::default(),
            lists: Lists::default(),
            streamed_small: AtomicBool::new(false),
            parts,
        }))
    }

    /// Answers one request; [`Client`] is among its extensions where it came over a connection.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let resource = self.0.routes.resource(request.method(), request.uri().path());
        let observed = Observed::start(&self.metrics, resource.label());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = self.answer(resource, request).await;
        let response = answer.unwrap_or_else(|problem| refused(&problem, &method));
        // The query is left out: it may hold credentials.
        tracing::debug!(%method, path, status = response.status().as_u16(), "answered");
        observed.answered(response)
    }

    async fn answer<B>(&self, resource: Resource, request: Request<B>) -> Answer
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let closed = self.config.passthrough == Passthrough::Closed;
        match resource {
            Resource::Upload => self.upload(request).await,
            Resource::Other => self.pass_through(request).await,
            Resource::Foreign if !closed => self.pass_through(request).await,
            Resource::UpstreamFile(named)
                if matches!(named.part, Part::Signature | Part::Provenance) =>
            {
                self.pass_through(request).await
            }
            Resource::UpstreamFile(named) => {
                let (parts, body) = request.into_parts();
                match self.upstream_file(&parts, &named).await {
                    Some(answer) => answer,
                    None if closed => Err(self.unsigned(&named.filename)),
                    None => self.pass_through(Request::from_parts(parts, body)).await,
                }
            }
            own => self.own(&request.into_parts().0, own).await,
        }
    }

    /// What needs nothing but the request's head.
    async fn own(&self, request: &Parts, resource: Resource) -> Answer {
        match resource {
            Resource::List => self.list(request).await,
            Resource::Page(project) => self.page(request, &project).await,
            Resource::Moved(to) => Ok(page::moved(&to, request.uri.query())),
            Resource::Timestamp => self.timestamp(request).await,
            Resource::Metadata { version, role } => self.metadata(request, version, &role).await,
            Resource::PageTarget { project, format, pin } => {
                self.page_target(request, &project, format, pin).await
            }
            Resource::FileTarget { project, file, pin } => {
                self.file_target(request, &project, &file, pin).await
            }
            Resource::NotAllowed => {
                Err(Problem::new(Kind::NotAllowed, "The repository is read only"))
            }
            Resource::Foreign => Err(self.unsigned(request.uri.path())),
            _ => Err(Problem::not_found(format!("There is no {}", request.uri.path()))),
        }
    }

    /// Refuses what nothing signed vouches for. Counted only: clients can cause it at will.
    fn unsigned(&self, what: &str) -> Problem {
        self.metrics.refusals.count(Refusal::Unsigned);
        let what: String = what.chars().take(300).collect();
        let detail = format!(
            "no signed page lists {what}; only what is signed is served (passthrough = \"open\" lets the rest through)"
        );
        Problem::new(Kind::Unsigned, detail)
    }
}

fn refused(problem: &Problem, method: &Method) -> Response<Body> {
    let (mut response, body) = problem.response();
    send(&mut response, method, body);
    response
}

/// The value of a header, where it is text.
fn header(request: &Parts, name: http::HeaderName) -> Option<&str> {
    request.headers.get(name)?.to_str().ok()
}
