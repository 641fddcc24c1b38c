//! The operator's word to the running process: HTTP/1.1 with JSON over a Unix socket in the data folder.
//!
//! Who may open the socket may speak: it is made with mode 0600. Each message is one `POST /` with a
//! [`Request`]; the answer is a [`Reply`], or a sentence that says why not.

use std::io;
use std::path::PathBuf;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::index::ProjectName;
use crate::tuf::Digest;

mod client;
mod server;
mod socket;

pub use client::send;
pub use server::serve;

/// The socket's name inside the data folder.
pub const SOCKET: &str = "control.sock";

/// What an operator may ask of the running process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Let exactly these bytes take a name that was signed with others, once.
    Allow {
        /// The project.
        project: ProjectName,
        /// The file's name.
        filename: String,
        /// The hash that is allowed.
        sha256: Digest,
    },
    /// The withdrawals that wait because they are many are meant.
    AllowWithdrawals,
    /// Take a project, or one file of it, out of what is served and signed.
    Block {
        /// The project.
        project: ProjectName,
        /// The one file, or all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
    },
    /// Take a block back.
    Unblock {
        /// The project.
        project: ProjectName,
        /// The one file, or the whole project.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
    },
    /// Publish new versions of root, targets and bins, which people signed.
    PublishRoles {
        /// The next root.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        root: Option<Metadata>,
        /// The next targets.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        targets: Option<Metadata>,
        /// The next bins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bins: Option<Metadata>,
    },
}

/// The text of a metadata file, of up to 5 MB.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(pub String);

impl std::fmt::Debug for Metadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// One sentence for the operator.
    pub message: String,
    /// The commit that recorded it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<u64>,
}

/// Does what operators ask.
pub trait Handler: Send + Sync + 'static {
    /// Does it, and returns once it is done.
    ///
    /// The error is [`ControlError::Refused`] with one sentence.
    fn handle(&self, request: Request) -> BoxFuture<'_, Result<Reply, ControlError>>;
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The running process says why not, in one sentence.
    #[error("{0}")]
    Refused(String),
    /// Nobody listens.
    #[error("no countersign runs on {}: start `countersign serve` there, or name its folder with --data", .0.display())]
    NotRunning(PathBuf),
    /// Somebody listens already.
    #[error("another countersign listens on {}", .0.display())]
    InUse(PathBuf),
    /// Something else has the socket's name.
    #[error("{} is no socket: move it away", .0.display())]
    NotASocket(PathBuf),
    /// The socket cannot be made or opened.
    #[error("cannot {action} the control socket {}", .path.display())]
    Socket {
        /// "make", "open" …
        action: &'static str,
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The conversation failed.
    #[error("the running countersign did not answer on {}: {reason}", .path.display())]
    Conversation {
        /// The socket.
        path: PathBuf,
        /// How.
        reason: String,
    },
}

#[cfg(test)]
mod tests;
