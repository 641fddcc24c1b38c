//! Child processes that end with their test.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::eventually;

/// A server that runs until it is dropped; what it prints goes into one log file.
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    pub fn spawn(command: &mut Command, log: &Path) -> Self {
        let out = File::options().create(true).append(true).open(log).expect("a log file");
        let err = out.try_clone().expect("a second handle");
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Self { child, log: log.to_owned() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it printed.
    pub fn log(&self) -> String {
        read_log(&self.log)
    }

    /// Waits until `ask` has an answer; fails at once, with the log, where the process ended.
    pub fn wait_for<T>(
        &mut self,
        what: &str,
        within: Duration,
        mut ask: impl FnMut(&str) -> Option<T>,
    ) -> T {
        let start = Instant::now();
        eventually(&format!("{what}, log in {}", self.log.display()), within * 2, || {
            let ended = self.child.try_wait().expect("a child");
            let answer = ask(&self.log());
            if answer.is_none() && (ended.is_some() || start.elapsed() > within) {
                panic!("{what}: not there ({ended:?}); it said:\n{}", self.log());
            }
            answer
        })
    }

    /// `kill -9`, at whatever instruction it is.
    pub fn kill(&mut self) {
        self.child.kill().expect("a signal");
        self.child.wait().expect("an end");
    }

    /// Asks it to end, and waits for that.
    pub fn terminate(&mut self, within: Duration) -> ExitStatus {
        self.signal("TERM");
        self.wait(within)
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.pid().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        eventually("the end of a process", within, || self.child.try_wait().expect("a child"))
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// The most memory that it ever held, bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}", self.log.display(), tail(&self.log()));
        }
    }
}

fn read_log(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// Runs a command to its end; kills it, and fails, after `within`.
pub fn run(command: &mut Command, within: Duration) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(File::create(&out).expect("a file"))
        .stderr(File::create(&err).expect("a file"))
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if start.elapsed() > within {
            let _ = child.kill();
            let _ = child.wait();
            panic!(
                "{command:?} ran for more than {within:?}:\n{}{}",
                read_log(&out),
                read_log(&err)
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    Output {
        status,
        stdout: fs::read(&out).expect("output"),
        stderr: fs::read(&err).expect("output"),
    }
}

/// A port that nobody listens on, below those that the kernel gives out, and never the same one twice.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 20_000 + (std::process::id() % 100) as u16 * 100;
    for _ in 0..10_000 {
        let port = 20_000 + (start - 20_000 + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if is_free(port).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

fn is_free(port: u16) -> io::Result<()> {
    TcpListener::bind(("127.0.0.1", port)).map(drop)
}
