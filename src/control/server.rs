//! The running process's end of the socket.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{ControlError, Handler, Reply, Request, socket};
use crate::telemetry::server::{self as http_server, answer};

/// The longest request, bytes: a root, a targets and a bins of the most that clients take, as text within JSON.
const LONGEST: usize = 16 * 1024 * 1024;
/// Until a request's body must be there.
const BODY: Duration = Duration::from_secs(10);

type Refusal = (StatusCode, String);

/// Listens on `path` until `shutdown`, then removes the socket. Must be called within a runtime.
///
/// # Errors
/// [`ControlError`] when the socket is in use or cannot be made.
pub fn serve(
    path: &Path,
    handler: Arc<dyn Handler>,
    shutdown: CancellationToken,
) -> Result<JoinHandle<()>, ControlError> {
    let listener = socket::bind(path)?;
    let path = path.to_owned();
    Ok(tokio::spawn(async move {
        let respond = move |request| respond(request, Arc::clone(&handler));
        http_server::serve(listener, respond, shutdown).await;
        if let Err(error) = fs::remove_file(&path) {
            tracing::debug!(path = %path.display(), %error, "could not remove the control socket");
        }
    }))
}

async fn respond(
    request: http::Request<Incoming>,
    handler: Arc<dyn Handler>,
) -> Response<Full<Bytes>> {
    let (status, body) = match reply(request, handler).await {
        Ok(reply) => (StatusCode::OK, json!(reply)),
        Err((status, sentence)) => (status, json!({ "error": sentence })),
    };
    answer(status, "application/json", body.to_string())
}

async fn reply(
    request: http::Request<Incoming>,
    handler: Arc<dyn Handler>,
) -> Result<Reply, Refusal> {
    let request = read(request).await?;
    tracing::info!(?request, "an operator asks");
    // In a task of its own: what was begun is finished, also when the operator hangs up.
    let work = tokio::spawn(async move { handler.handle(request).await });
    match work.await {
        Ok(Ok(reply)) => {
            tracing::info!(message = reply.message, "the operator's word is done");
            Ok(reply)
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "the operator's word is refused");
            Err((StatusCode::CONFLICT, error.to_string()))
        }
        Err(error) => Err((StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

async fn read(request: http::Request<Incoming>) -> Result<Request, Refusal> {
    if request.method() != Method::POST {
        let sentence = "send a request by POST".to_owned();
        return Err((StatusCode::METHOD_NOT_ALLOWED, sentence));
    }
    let body = Limited::new(request.into_body(), LONGEST).collect();
    let bad = |why: String| (StatusCode::BAD_REQUEST, format!("the request cannot be read: {why}"));
    let body = match timeout(BODY, body).await {
        Ok(body) => body.map_err(|error| bad(error.to_string()))?.to_bytes(),
        Err(_) => return Err(bad("it did not arrive in time".into())),
    };
    serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))
}
