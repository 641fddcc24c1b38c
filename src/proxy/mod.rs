//! What clients reach: signed pages, metadata and files, and whatever else of the mirror passes through.
//!
//! ```text
//! page  list  metadata     documents: signed pages, the list, TUF metadata
//! file  beside             files; their core metadata, signatures and provenance
//! source                   which bytes a file name stands for, and where they lie upstream
//! desk                     what becomes of files: counts, reports
//! passthrough  upload      what goes on to the mirror
//! errors                   the one place where errors become answers
//! observe                  metrics
//! ```
//!
//! How all of that is sent is in [`serving`]. It reads what is published and asks the watcher to look at projects; it sees no key and no store that can be written.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use http_body::Body as HttpBody;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Passthrough};
use crate::index::Links;
use crate::repository::Repository;
use crate::serving::document::moved;
use crate::serving::route::{Part, Resource, Routes};
use crate::serving::{
    self, Answer, Compressed, Document, Encoding, Files, Kind, Lengths, Problem, header,
};
use crate::spool::Spool;
use crate::telemetry::{Metrics, Refusal};
use crate::upstream::{Body, Upstream};
use crate::watch::Watcher;

mod beside;
mod desk;
mod errors;
mod file;
mod list;
mod metadata;
mod observe;
mod page;
mod passthrough;
mod source;
#[cfg(test)]
pub(crate) mod tests;
mod upload;

use desk::MirrorDesk;
use list::Lists;
use observe::Observed;

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
    /// The repository's URL, relative to a page's, and to the list's.
    tuf: Option<HeaderValue>,
    tuf_of_list: Option<HeaderValue>,
    files: Files,
    lists: Lists,
}

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
        let tuf =
            |from: &str| HeaderValue::try_from(Links::from_page_path(from, tuf_prefix).tuf).ok();
        let desk = MirrorDesk {
            metrics: parts.metrics.clone(),
            spool: parts.spool.clone(),
            watcher: parts.watcher.clone(),
        };
        let largest = parts.config.cache.file_limit;
        Self(Arc::new(Inner {
            routes: Routes::new(simple, tuf_prefix),
            tuf: tuf(&format!("{simple}project/")),
            tuf_of_list: tuf(simple),
            files: Files::new(parts.spool.clone(), largest, Lengths::Promised, Arc::new(desk)),
            lists: Lists::default(),
            parts,
        }))
    }

    /// Answers one request; [`Client`](serving::Client) is among its extensions where it came over a connection.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let resource = self.0.routes.resource(request.method(), request.uri().path());
        let observed = Observed::start(&self.metrics, resource.label());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = self.answer(resource, request).await;
        let response = answer.unwrap_or_else(|problem| problem.answer(&method));
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
            Resource::Moved(to) => Ok(moved(&to, request.uri.query())),
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

/// Serves clients of `proxy` on `listener`, over TLS where `tls` is given, until `shutdown`; then lets what is under way
/// finish, for 30 seconds at the most.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    proxy: Proxy,
    shutdown: CancellationToken,
) {
    let handler = move |request| {
        let proxy = proxy.clone();
        async move { proxy.handle(request).await }
    };
    serving::serve(listener, tls, handler, shutdown).await;
}

impl Compressed for Repository {
    fn codings(&self) -> &'static [Encoding] {
        &Encoding::ALL
    }

    async fn compressed(&self, document: &Document, encoding: Encoding) -> Result<Bytes, Problem> {
        Ok(self.encoded(document, encoding).await?)
    }
}
