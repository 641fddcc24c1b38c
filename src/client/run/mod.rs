//! One command behind a gateway that lives as long as it does.
//!
//! ```text
//! tool         which tool the command is
//! environment  its variables
//! arguments    what its arguments say of other sources
//! config       what its configuration files say of other sources
//! lines        the lines of a requirement file
//! locks        what it writes down for good
//! bypass       a way past the gateway
//! scene        all of that together
//! child        the command: its signals, its end
//! ```

use std::ffi::OsString;
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bytesize::ByteSize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::cache::FileCache;
use super::gateway::{self, Gateway, GatewayParts, Refreshed};
use super::session::{Session, SessionError, SessionOptions};
use super::{ClientError, Tally};
use crate::spool::SpoolError;

mod arguments;
mod bypass;
mod child;
mod config;
pub mod environment;
mod lines;
mod locks;
mod scene;
mod tool;

pub use bypass::{Bypass, What};
pub use tool::Tool;

use environment::Plan;
use locks::Locks;
use scene::Scene;

/// How long answers that are under way may take when the command has ended: nobody waits for them.
const LAST_MOMENTS: Duration = Duration::from_secs(1);

/// What is to be run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The index that is verified.
    pub session: SessionOptions,
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// The folder of verified files.
    pub cache: Option<PathBuf>,
    /// How many bytes of them are kept.
    pub files: u64,
    /// How often the repository is asked for news, at the most.
    pub refresh: Duration,
}

/// What became of it.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The command's exit code, or 128 and the number of the signal that ended it.
    pub code: u8,
    /// One line: what was verified, and what it cost.
    pub summary: String,
}

/// Why the command was not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no program to start.
    #[error("the command is empty: name a program after `--`")]
    Nameless,
    /// It cannot be led to the gateway.
    #[error(
        "poetry takes its index from pyproject.toml alone, so `countersign run` cannot lead it to what is verified: start `countersign \
gateway`, and name that as its source (docs/client.md, Poetry)"
    )]
    Poetry,
    /// The index.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The repository does not verify, or cannot be had.
    #[error("the command was not started, since nothing can be verified: {0}")]
    Unverified(#[from] ClientError),
    /// No port.
    #[error("cannot listen on 127.0.0.1: {0}")]
    Port(io::Error),
    /// No room for verified files.
    #[error("there is no room for verified files: {0}")]
    Cache(#[from] SpoolError),
    /// The command itself.
    #[error("cannot start {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        source: io::Error,
    },
}

/// Runs a command, and gives to it what the index was verified to have. `warn` is told what leads past that.
///
/// # Errors
/// [`RunError`]: the command was not started.
pub async fn run(options: RunOptions, warn: &dyn Fn(&str)) -> Result<Ended, RunError> {
    let words: Vec<_> =
        options.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    if words.first().is_none_or(String::is_empty) {
        return Err(RunError::Nameless);
    }
    let tool = Tool::of(&words);
    if tool == Tool::Poetry {
        return Err(RunError::Poetry);
    }
    let session = Session::open(&options.session).await?;
    let listener = listen(session.pin.port, tool.may_lock(&words), warn).await?;
    let index = local(&session.index, &listener).map_err(RunError::Port)?;
    let cache = FileCache::open(options.cache.as_deref(), options.files)?;
    let parts = GatewayParts::of(&session, cache.spool().clone(), options.refresh);
    let gateway = verified(parts, warn).await?;

    let scene = Scene::here(tool, words, index);
    let plan = scene.plan(warn);
    let locks = Locks::look(&scene.folder());
    let stop = CancellationToken::new();
    let served = tokio::spawn(gateway::serve(listener, gateway, stop.clone()));
    let ended = child::run(command(&options.command, &plan)).await;
    stop.cancel();
    if tokio::time::timeout(LAST_MOMENTS, served).await.is_err() {
        tracing::debug!("answers were under way when the command ended");
    }
    let status = ended.map_err(|source| {
        let program = scene.words.first().cloned().unwrap_or_default();
        RunError::Start { program, source }
    })?;
    for path in locks.naming(&scene.index) {
        warn(&format!(
            "{} names the gateway's address, http://127.0.0.1:{}: it holds behind `countersign run` alone (docs/client.md, Lock files)",
            path.display(),
            scene.index.port().unwrap_or_default(),
        ));
    }
    let summary = summary(&session.tally, &session.index);
    Ok(Ended { code: child::code(status), summary })
}

/// The gateway, when there is something to hand out.
async fn verified(parts: GatewayParts, warn: &dyn Fn(&str)) -> Result<Gateway, ClientError> {
    let gateway = Gateway::new(parts);
    let Refreshed { until, stale } = gateway.refresh().await?;
    if let Some(error) = stale {
        warn(&format!(
            "there is no news from the repository, and what was verified before counts until {until}: {error}"
        ));
    }
    Ok(gateway)
}

/// The index's own port; where that is taken, another.
async fn listen(port: u16, may_lock: bool, warn: &dyn Fn(&str)) -> Result<TcpListener, RunError> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    match bind(port).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let listener = bind(0).await.map_err(RunError::Port)?;
            if may_lock {
                let other = listener.local_addr().map_err(RunError::Port)?.port();
                warn(&format!(
                    "port {port}, which belongs to this index, is in use (by another `countersign run`?): lock files written now will name \
port {other}, and not hold next time"
                ));
            }
            Ok(listener)
        }
        bound => bound.map_err(RunError::Port),
    }
}

/// The index as the gateway has it.
fn local(index: &Url, listener: &TcpListener) -> io::Result<Url> {
    let address = format!("http://{}{}", listener.local_addr()?, index.path());
    Url::parse(&address).map_err(io::Error::other)
}

fn command(words: &[OsString], plan: &Plan) -> Command {
    let (program, arguments) =
        words.split_first().map_or((None, [].as_slice()), |(p, a)| (Some(p), a));
    let mut command = Command::new(program.cloned().unwrap_or_default());
    command.args(arguments).envs(&plan.set);
    for name in &plan.removed {
        command.env_remove(name);
    }
    command
}

fn summary(tally: &Tally, index: &Url) -> String {
    let Tally { metadata, pages, files, bytes, refused } = tally;
    let mut line = format!(
        "verified {} and {} ({}) from {index}; metadata cost {}",
        counted(pages.get(), "page"),
        counted(files.get(), "file"),
        ByteSize(bytes.get()),
        ByteSize(metadata.get()),
    );
    match refused.get() {
        0 => line.push_str("; nothing was refused"),
        refused => line.push_str(&format!("; REFUSED: {}", counted(refused, "request"))),
    }
    line
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_has_a_name() {
        for command in [vec![], vec![OsString::new(), "six".into()]] {
            let session = SessionOptions {
                index: "https://m.example/simple/".into(),
                root: None,
                root_sha256: None,
                tuf: None,
                ca_file: None,
                credentials: None,
                timeout: None,
                data: PathBuf::from("/nowhere"),
            };
            let refresh = Duration::from_secs(30);
            let options = RunOptions { session, command, cache: None, files: 0, refresh };
            let error = run(options, &|_| {}).await.unwrap_err();
            assert!(matches!(error, RunError::Nameless), "{error}");
        }
    }
}
