//! An index for the tools on this machine: what they get from it was verified.
//!
//! ```text
//! current  the newest verified view of the repository, refreshed once an interval
//! seek     pages and files in that view; what is absent is asked for once at the index
//! pages    project pages from verified targets, in memory
//! files    files and core metadata as the verified pages pin them
//! refusal  what went wrong, as answers
//! ```
//!
//! It serves at the paths of the index itself, so that the verified JSON page is handed out byte for byte, its relative
//! links hold, and lock files differ in scheme, host and port alone.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::request::Parts;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::bundle::Offline;
use super::session::Session;
use super::{ClientError, Remote, Tally, Updater};
use crate::index::{Format, ProjectName, requested};
use crate::serving::document::{self, REVALIDATE, Style, moved};
use crate::serving::route::{Resource, Routes, file_anywhere};
use crate::serving::{
    self, Answer, Compressed, Document, Encoding, Files, Kind, Lengths, Problem, header,
};
use crate::spool::Spool;
use crate::time::Clock;
use crate::tuf::Expiry;
use crate::upstream::{Body, Upstream};

mod current;
mod files;
mod pages;
mod refusal;
mod seek;
#[cfg(test)]
mod tests;

use current::{Current, Standing};
use files::LocalDesk;
use pages::Pages;
use seek::{ASKED, Absent};

const MIB: u64 = 1024 * 1024;
/// pip waits for 15 seconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much is taken and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// A project page, bytes.
    pub page: u64,
    /// The largest file that is fetched and verified whole before its first byte leaves; larger ones are streamed. Bytes.
    pub whole: u64,
    /// Parsed pages in memory, bytes.
    pub memory: u64,
    /// How long a request waits for a refresh, where it can be answered from what was verified before.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { page: 64 * MIB, whole: 256 * MIB, memory: 64 * MIB, patience: PATIENCE }
    }
}

/// What a gateway is made from.
pub struct GatewayParts {
    /// Verifies the repository's metadata.
    pub updater: Updater,
    /// Where the repository's targets come from.
    pub remote: Arc<dyn Remote>,
    /// The index itself, which is asked for projects that the repository does not have; `None` where there is none to ask.
    pub upstream: Option<Upstream>,
    /// Verified pages and files.
    pub spool: Spool,
    /// The path of the simple index, percent-encoded, with a slash at both ends.
    pub simple_path: String,
    /// The path of the repository.
    pub tuf_prefix: String,
    /// How long what was verified is gone by, before the repository is asked again.
    pub interval: Duration,
    /// How much is taken and kept.
    pub limits: Limits,
    /// What was verified, and what it cost.
    pub tally: Arc<Tally>,
    /// What decides on expiry; the updater's.
    pub clock: Clock,
}

impl GatewayParts {
    /// In front of the index of `session`, with the usual limits.
    pub fn of(session: &Session, spool: Spool, interval: Duration) -> Self {
        Self {
            updater: session.updater.clone(),
            remote: session.remote.clone(),
            upstream: Some(session.upstream.clone()),
            spool,
            simple_path: session.index.path().to_owned(),
            tuf_prefix: session.tuf.path().to_owned(),
            interval,
            limits: Limits::default(),
            tally: session.tally.clone(),
            clock: Clock::System,
        }
    }

    /// In front of what is in a bundle, with the usual limits.
    pub fn offline(offline: &Offline, spool: Spool, interval: Duration) -> Self {
        let Offline { bundle, updater, clock, .. } = offline;
        Self {
            updater: updater.clone(),
            remote: Arc::new(bundle.clone()),
            upstream: None,
            spool,
            simple_path: bundle.manifest().simple_path().to_owned(),
            tuf_prefix: bundle.manifest().tuf.clone(),
            interval,
            limits: Limits::default(),
            tally: Arc::default(),
            clock: clock.clone(),
        }
    }
}

/// What is handed out from now on.
#[derive(Debug)]
pub struct Refreshed {
    /// When it expires.
    pub until: Expiry,
    /// Why it is not new.
    pub stale: Option<ClientError>,
}

/// Answers the tools. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    remote: Arc<dyn Remote>,
    upstream: Option<Upstream>,
    routes: Routes,
    current: Current,
    pages: Pages,
    absent: Absent,
    asking: Semaphore,
    files: Files,
    tally: Arc<Tally>,
}

/// Serves `gateway` on `listener` until `stop`; then lets what is under way finish, for 30 seconds at the most.
pub async fn serve(listener: TcpListener, gateway: Gateway, stop: CancellationToken) {
    let handler = move |request: Request<Incoming>| {
        let gateway = gateway.clone();
        async move { gateway.handle(&request.into_parts().0).await }
    };
    serving::serve(listener, None, handler, stop).await;
}

impl Gateway {
    /// A gateway to what `parts` name. It asks nobody before it is asked.
    pub fn new(parts: GatewayParts) -> Self {
        let GatewayParts { updater, remote, upstream, spool, limits, tally, .. } = parts;
        let desk = Arc::new(LocalDesk { tally: tally.clone() });
        Self(Arc::new(Inner {
            routes: Routes::new(&parts.simple_path, &parts.tuf_prefix),
            current: Current::new(updater, parts.interval, limits.patience, parts.clock),
            pages: Pages::new(remote.clone(), spool.clone(), &limits, tally.clone()),
            absent: Absent::default(),
            asking: Semaphore::new(ASKED),
            files: Files::new(spool, limits.whole, Lengths::Binding, desk),
            remote,
            upstream,
            tally,
        }))
    }

    /// Refreshes the metadata where that is due, without being asked for anything. The log says what came of it.
    ///
    /// # Errors
    /// Where nothing can be handed out now.
    pub async fn refresh(&self) -> Result<Refreshed, ClientError> {
        let Standing { view, stale } = self.0.current.view().await?;
        Ok(Refreshed { until: view.expires(), stale })
    }

    /// Answers one request; its body is of no interest.
    pub async fn handle(&self, request: &Parts) -> Response<Body> {
        match self.answer(request).await {
            Ok(response) => response,
            Err(problem) => {
                self.tell(request, &problem);
                problem.answer(&request.method)
            }
        }
    }

    async fn answer(&self, request: &Parts) -> Answer {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return Err(read_only());
        }
        let path = request.uri.path();
        let resource = self.0.routes.resource(&request.method, path);
        match file_anywhere(path).unwrap_or(resource) {
            Resource::Page(project) => self.page(request, &project).await,
            Resource::Moved(to) => Ok(moved(&to, request.uri.query())),
            Resource::FileTarget { project, file, pin } => {
                let answer = self.file(request, &project, &file, pin).await?;
                Ok(self.counted(request, answer))
            }
            Resource::List => {
                Err(unsigned("The project list is not signed. Ask for a project by its name"))
            }
            Resource::Timestamp | Resource::Metadata { .. } | Resource::PageTarget { .. } => {
                Err(unsigned(
                    "This gateway verifies metadata, and does not hand it on. Ask the repository itself",
                ))
            }
            Resource::UpstreamFile(_) => Err(unsigned(
                "Files are where the signed pages say, and nowhere else. Ask for the project's page",
            )),
            Resource::Foreign => Err(unsigned("This gateway stands in front of another index")),
            _ => Err(Problem::not_found(format!(
                "There is no {path} here: project pages and their files are all"
            ))),
        }
    }

    /// The verified page of `project`, in the format that the client prefers.
    async fn page(&self, request: &Parts, project: &ProjectName) -> Answer {
        let accept = header(request, ACCEPT);
        let format = requested(request.uri.query(), accept, true).ok_or_else(not_acceptable)?;
        let page = self.page_of(project).await?;
        let document = match format {
            Format::Json => page.json(),
            Format::Html => page.html(),
        };
        let style = Style {
            content_type: format.content_type(),
            cache_control: REVALIDATE,
            vary: "Accept",
        };
        let answer = document::answer(&AsItIs, request, document, style).await?;
        if request.method == Method::GET && answer.status().is_success() {
            self.0.tally.bytes.add(document.bytes.len() as u64);
        }
        Ok(answer)
    }

    /// Says in the log what is refused.
    fn tell(&self, request: &Parts, problem: &Problem) {
        // The query is left out: it may hold credentials.
        let (path, detail) = (request.uri.path(), problem.detail());
        match problem.kind() {
            Kind::Distrust => {
                self.0.tally.refused.add(1);
                tracing::error!(path, detail, "refused: a check failed");
            }
            // The index itself refuses it: perhaps its own hash was wrong.
            Kind::Blocked => {
                self.0.tally.refused.add(1);
                tracing::warn!(path, "not answered: {detail}");
            }
            Kind::Unsigned | Kind::Upstream | Kind::Unavailable | Kind::Origin => {
                tracing::warn!(path, detail, "not answered");
            }
            // Wrong files were told when they were found.
            _ => tracing::debug!(path, detail, "not answered"),
        }
    }
}

/// Documents go to this machine, where compressing them costs more than it saves.
struct AsItIs;

impl Compressed for AsItIs {
    fn codings(&self) -> &'static [Encoding] {
        &[]
    }

    async fn compressed(&self, document: &Document, _: Encoding) -> Result<Bytes, Problem> {
        Ok(document.bytes.clone())
    }
}

fn unsigned(detail: &'static str) -> Problem {
    Problem::new(Kind::Unsigned, detail)
}

fn read_only() -> Problem {
    let detail =
        "This gateway hands out what it verified, and takes nothing: upload to the index itself";
    Problem::new(Kind::NotAllowed, detail)
}

fn not_acceptable() -> Problem {
    let json = Format::Json.content_type();
    Problem::new(Kind::NotAcceptable, format!("Accept {json} or text/html"))
}
