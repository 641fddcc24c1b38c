//! The second listener: metrics, probes, webhooks and the status page; never the index.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::ALLOW;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;

use super::label::{CodeClass, Route};
use super::metrics::Metrics;
use super::readiness::Readiness;
use super::server::{self, answer};
use super::status;
use crate::index::ProjectName;

/// Called when a webhook says that a project changed, or, without a name, that the list did. Must not block.
pub type Changed = Box<dyn Fn(Option<ProjectName>) + Send + Sync>;

/// What the second listener shows and does.
pub struct AdminState {
    /// For `/metrics` and the status page.
    pub metrics: Arc<Metrics>,
    /// For `/readyz`.
    pub readiness: Arc<Readiness>,
    /// For `/hooks/changed`.
    pub changed: Changed,
}

type Answer = Response<Full<Bytes>>;

const TEXT: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";

/// Serves until `shutdown`.
pub async fn serve(listener: TcpListener, state: AdminState, shutdown: CancellationToken) {
    let state = Arc::new(state);
    let handler = move |request| {
        let state = Arc::clone(&state);
        async move { state.measured(&request) }
    };
    server::serve(listener, handler, shutdown).await;
}

impl AdminState {
    fn measured(&self, request: &Request<Incoming>) -> Answer {
        let start = Instant::now();
        let answer = self.answer(request.method(), request.uri());
        let class = CodeClass::of(answer.status());
        self.metrics.http_requests.of((Route::Admin, class)).inc();
        self.metrics.http_request_duration.of(Route::Admin).observe(start.elapsed().as_secs_f64());
        answer
    }

    fn answer(&self, method: &Method, uri: &http::Uri) -> Answer {
        let reads: fn(&Self) -> Answer = match uri.path() {
            "/hooks/changed" if method == Method::POST => return self.hook(uri.query()),
            "/hooks/changed" => return wrong_method("POST"),
            "/" => Self::status,
            "/metrics" => Self::scrape,
            "/livez" => |_| answer(StatusCode::OK, TEXT, "alive\n"),
            "/readyz" => Self::ready,
            _ => return answer(StatusCode::NOT_FOUND, TEXT, "There is no such page here.\n"),
        };
        match *method {
            Method::GET | Method::HEAD => reads(self),
            _ => wrong_method("GET, HEAD"),
        }
    }

    fn status(&self) -> Answer {
        answer(StatusCode::OK, TEXT, status::page(&self.metrics, &self.readiness))
    }

    fn scrape(&self) -> Answer {
        match self.metrics.encode() {
            Ok(text) => answer(StatusCode::OK, PROMETHEUS, text),
            Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
        }
    }

    fn ready(&self) -> Answer {
        let checks = self.readiness.checks();
        let ready = checks.iter().all(|check| check.ready);
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        answer(status, JSON, json!({ "ready": ready, "checks": checks }).to_string())
    }

    fn hook(&self, query: Option<&str>) -> Answer {
        let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let name =
            pairs.find(|(key, _)| key == "project").map(|(_, name)| ProjectName::parse(&name));
        match name.transpose() {
            Ok(project) => {
                (self.changed)(project);
                answer(StatusCode::ACCEPTED, TEXT, "It will be looked at now.\n")
            }
            Err(error) => answer(StatusCode::BAD_REQUEST, TEXT, format!("{error}\n")),
        }
    }
}

fn wrong_method(allowed: &'static str) -> Answer {
    let body = format!("Only {allowed} is possible here.\n");
    let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, body);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}
