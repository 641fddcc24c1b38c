//! The command line's end of the socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::time::timeout;

use super::{ControlError, Reply, Request, SOCKET, socket};

/// Until the answer must be there: a publication on a slow disk, with much else under way, fits in.
const PATIENCE: Duration = Duration::from_secs(120);
/// The same, where all bins may have to be written anew.
const LONG_PATIENCE: Duration = Duration::from_secs(2 * 60 * 60);
/// The longest answer, bytes.
const LONGEST: usize = 1024 * 1024;

/// Asks the process that serves the data folder `data`.
///
/// # Errors
/// [`ControlError`]: nobody runs there, it refuses, or it does not answer in time.
pub async fn send(data: &Path, request: &Request) -> Result<Reply, ControlError> {
    let path = data.join(SOCKET);
    let patience = match request {
        Request::PublishRoles { .. } => LONG_PATIENCE,
        _ => PATIENCE,
    };
    let stream = socket::connect(&path).await?;
    let failed = Failure { path };
    let asked = async {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|e| failed.because(e))?;
        let connection = tokio::spawn(connection);
        let body = serde_json::to_vec(request).map_err(|e| failed.because(e))?;
        let request = http::Request::post("/")
            .header("host", "countersign")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| failed.because(e))?;
        let answer = sender.send_request(request).await.map_err(|e| failed.because(e))?;
        let done = answer.status().is_success();
        let body = Limited::new(answer.into_body(), LONGEST).collect().await;
        connection.abort();
        let body = body.map_err(|e| failed.because(e))?.to_bytes();
        understand(done, &body).map_err(|e| failed.because(e))?
    };
    match timeout(patience, asked).await {
        Ok(answer) => answer,
        Err(_) => {
            let minutes = patience.as_secs() / 60;
            Err(failed.because(format!("it took longer than {minutes} minutes")))
        }
    }
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

type Answer = Result<Reply, ControlError>;

fn understand(done: bool, body: &[u8]) -> Result<Answer, serde_json::Error> {
    if done {
        return serde_json::from_slice(body).map(Ok);
    }
    serde_json::from_slice(body).map(|Refusal { error }| Err(ControlError::Refused(error)))
}

struct Failure {
    path: PathBuf,
}

impl Failure {
    fn because(&self, reason: impl ToString) -> ControlError {
        ControlError::Conversation { path: self.path.clone(), reason: reason.to_string() }
    }
}
