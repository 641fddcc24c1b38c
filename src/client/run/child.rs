//! The command itself: its signals, its end.

use std::fs;
use std::io;
use std::process::{Command, ExitStatus};

use futures::future::select_all;
use rustix::process::{Pid, Signal, getpgrp, kill_process};
use rustix::termios::tcgetpgrp;
use tokio::process::Child;
use tokio::signal::unix::{self, SignalKind};

/// What ends a process, and is meant for the command.
const ENDING: [Signal; 4] = [Signal::INT, Signal::QUIT, Signal::TERM, Signal::HUP];

/// Runs `command` to its end. Signals that would end this process go to the command instead, so that the gateway outlives
/// it.
///
/// # Errors
/// Where it cannot be started.
pub(super) async fn run(command: Command) -> io::Result<ExitStatus> {
    let mut signals = Signals::catch()?;
    let mut child = tokio::process::Command::from(command).spawn()?;
    loop {
        tokio::select! {
            ended = child.wait() => return ended,
            signal = signals.next() => forward(signal, &child),
        }
    }
}

/// The exit code that a shell gives for it: the command's own, or 128 and the number of the signal that ended it.
pub(super) fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|number| 128 + number));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

fn forward(signal: Signal, child: &Child) {
    // A terminal sends these to all that run in its foreground, the command among them.
    if matches!(signal, Signal::INT | Signal::QUIT) && in_foreground() {
        return;
    }
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    if let Some(Err(error)) = pid.map(|pid| kill_process(pid, signal)) {
        tracing::debug!(?signal, %error, "a signal was not handed on");
    }
}

/// Whether this process runs in the foreground of its terminal.
fn in_foreground() -> bool {
    let foreground = fs::File::open("/dev/tty").map(tcgetpgrp);
    matches!(foreground, Ok(Ok(group)) if group == getpgrp())
}

/// The signals that are caught.
struct Signals(Vec<(Signal, unix::Signal)>);

impl Signals {
    fn catch() -> io::Result<Self> {
        let ignored = ignored();
        // What is ignored stays so, also for the command (nohup, background jobs of a script).
        let caught = ENDING.into_iter().filter(|signal| ignored & bit(*signal) == 0);
        let listen =
            |signal: Signal| Ok((signal, unix::signal(SignalKind::from_raw(signal.as_raw()))?));
        caught.map(listen).collect::<io::Result<_>>().map(Self)
    }

    /// The next one; never, where none is caught.
    async fn next(&mut self) -> Signal {
        let waiting = self.0.iter_mut().map(|(signal, stream)| {
            let signal = *signal;
            Box::pin(async move {
                match stream.recv().await {
                    Some(()) => signal,
                    None => std::future::pending().await,
                }
            })
        });
        let waiting: Vec<_> = waiting.collect();
        if waiting.is_empty() {
            return std::future::pending().await;
        }
        select_all(waiting).await.0
    }
}

fn bit(signal: Signal) -> u64 {
    1 << (signal.as_raw() - 1)
}

/// The signals that this process was started to ignore; none where the system does not say.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ended(script: &str) -> u8 {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        code(run(command).await.unwrap())
    }

    #[tokio::test]
    async fn codes_are_those_of_a_shell() {
        assert_eq!(ended("exit 0").await, 0);
        assert_eq!(ended("exit 7").await, 7);
        assert_eq!(ended("kill -TERM $$").await, 143);
        assert_eq!(ended("kill -KILL $$").await, 137);
    }

    #[tokio::test]
    async fn what_is_not_there_is_said() {
        let error = run(Command::new("/nowhere/pip")).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
