//! One run of a signer program, bounded in time and in what it prints.

use std::io::{self, ErrorKind, IsTerminal as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::super::SignerError;

/// Far more than a key or a signature needs, bytes.
const LARGEST: u64 = 64 * 1024;
/// How much of what it says on standard error is repeated, bytes.
const REPEATED: u64 = 300;
/// EX_TEMPFAIL of sysexits(3): try again.
const TRY_AGAIN: i32 = 75;

/// Why a run gave nothing.
pub(super) enum Failure {
    Temporary(String),
    Lasting(String),
}

impl Failure {
    pub(super) fn of(self, uri: &str) -> SignerError {
        let uri = uri.to_owned();
        match self {
            Self::Temporary(reason) => SignerError::Away { uri, reason },
            Self::Lasting(reason) => SignerError::Refused { uri, reason },
        }
    }
}

/// Runs `command`, gives it `input`, and takes what it prints.
pub(super) async fn run(
    mut command: Command,
    input: &[u8],
    timeout: Duration,
) -> Result<String, Failure> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // A program that asks at the terminal must stay in its foreground; elsewhere all that it starts ends with it.
    let group = !io::stdin().is_terminal();
    if group {
        command.process_group(0);
    }
    let child = command.spawn().map_err(not_started)?;
    let mut running = Running { pid: pid(&child).filter(|_| group), child };
    match tokio::time::timeout(timeout, running.converse(input)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::Temporary(format!("its program took longer than {timeout:?}"))),
    }
}

fn not_started(error: io::Error) -> Failure {
    let reason = format!("its program cannot be run: {error}");
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::InvalidInput => {
            Failure::Lasting(reason)
        }
        _ => Failure::Temporary(reason),
    }
}

fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| Pid::from_raw(id.cast_signed()))
}

/// A process that ends with this, together with what it started.
struct Running {
    child: Child,
    /// Its process group, until it has ended.
    pid: Option<Pid>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(pid) = self.pid {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Running {
    async fn converse(&mut self, input: &[u8]) -> Result<String, Failure> {
        let (stdin, stdout, stderr) =
            (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take());
        let give = async {
            if let Some(mut stdin) = stdin {
                // A program that has read enough closes its end.
                let _ = stdin.write_all(input).await;
                let _ = stdin.shutdown().await;
            }
        };
        let (out, err) = match (stdout, stderr) {
            (Some(stdout), Some(stderr)) => {
                let ((), out, err) = tokio::join!(give, answer(stdout), complaint(stderr));
                (out?, err)
            }
            _ => return Err(Failure::Temporary("its program has no standard output".into())),
        };
        let status = self.child.wait().await;
        // Its number may be another's from now on.
        self.pid = None;
        let status = status.map_err(|e| Failure::Temporary(e.to_string()))?;
        match status.success() {
            true => Ok(out),
            false => Err(failed(status, &err)),
        }
    }
}

fn failed(status: ExitStatus, complaint: &str) -> Failure {
    let said = complaint.lines().map(str::trim).find(|line| !line.is_empty());
    let reason = match said {
        Some(line) => format!("its program failed ({status}): {line}"),
        None => format!("its program failed ({status})"),
    };
    // One that was killed may have been the wrong one for want of memory.
    match status.code() == Some(TRY_AGAIN) || status.signal().is_some() {
        true => Failure::Temporary(reason),
        false => Failure::Lasting(reason),
    }
}

async fn answer(from: impl AsyncRead + Unpin) -> Result<String, Failure> {
    let mut text = String::new();
    match from.take(LARGEST + 1).read_to_string(&mut text).await {
        Ok(read) if read as u64 > LARGEST => {
            Err(Failure::Lasting(format!("its program printed more than {LARGEST} bytes")))
        }
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::Lasting(format!("what its program printed: {error}"))),
    }
}

/// The beginning of it; the rest is read too, so that the program is not held up.
async fn complaint(mut from: impl AsyncRead + Unpin) -> String {
    let mut bytes = Vec::new();
    let _ = (&mut from).take(REPEATED).read_to_end(&mut bytes).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&bytes).into_owned()
}
