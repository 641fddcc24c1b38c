//! How the binary is started.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::Sidecar;
use crate::support::http::Request;
use crate::support::mirror::Mirror;
use crate::support::process::{Daemon, free_port, run};
use crate::support::secs;

/// `countersign serve`, not started yet.
#[derive(Clone)]
pub struct Setup {
    pub(super) upstream: String,
    folder: Arc<TempDir>,
    settings: Vec<(String, Value)>,
    arguments: Vec<String>,
    listen: [String; 2],
    memory: Option<u64>,
}

/// The command with arguments, run to its end.
pub fn countersign<S: AsRef<str>>(arguments: &[S]) -> Output {
    let mut command = binary();
    run(command.args(arguments.iter().map(AsRef::as_ref)), secs(120))
}

/// Without the variables of whoever runs the tests.
fn binary() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_countersign")))
}

fn clean(mut command: Command) -> Command {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy().to_ascii_uppercase();
        if text.starts_with("COUNTERSIGN_") || text.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    command
}

impl Setup {
    /// Before a mirror, in a new folder; the mirror is looked at each second.
    pub fn before(mirror: &dyn Mirror) -> Self {
        Self::bare(&mirror.simple_url()).set("watch.interval", "1s")
    }

    /// With nothing but `--upstream` (and ports of its own, since tests run side by side).
    pub fn bare(upstream: &str) -> Self {
        Self {
            upstream: upstream.to_owned(),
            folder: Arc::new(tempfile::tempdir().expect("a folder")),
            settings: Vec::new(),
            arguments: Vec::new(),
            listen: ["127.0.0.1:0".into(), "127.0.0.1:0".into()],
            memory: None,
        }
    }

    /// A key of the configuration file.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.settings.retain(|(set, _)| set != key);
        self.settings.push((key.to_owned(), value.into()));
        self
    }

    /// A flag.
    pub fn flag(mut self, name: &str, value: &str) -> Self {
        self.arguments.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// The number of bins.
    pub fn bins(self, bins: u32) -> Self {
        self.flag("--bins", &bins.to_string())
    }

    /// Where it is found again after a restart, for clients with a state.
    pub fn at_fixed_ports(mut self) -> Self {
        self.listen = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        self
    }

    /// The kernel gives it no more data memory than this, bytes.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// The data folder: the default one, below the folder in which it runs.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("countersign-data")
    }

    /// The whole command line.
    pub fn command(&self) -> Command {
        let mut command = match self.memory {
            Some(bytes) => {
                let mut shell = clean(Command::new("sh"));
                shell.args(["-c", &format!("ulimit -d {}; exec \"$0\" \"$@\"", bytes / 1024)]);
                shell.arg(env!("CARGO_BIN_EXE_countersign"));
                // Address space that the allocator merely reserves would count too.
                shell.env("MIMALLOC_ARENA_EAGER_COMMIT", "0");
                shell
            }
            None => binary(),
        };
        command.args(["serve", "--upstream", &self.upstream]).args(&self.arguments);
        command.current_dir(self.folder.path());
        command
            .env("COUNTERSIGN_LISTEN", &self.listen[0])
            .env("COUNTERSIGN_ADMIN_LISTEN", &self.listen[1]);
        if !self.settings.is_empty() {
            command.args(["--config", "countersign.toml"]);
            fs::write(self.folder.path().join("countersign.toml"), self.toml())
                .expect("a configuration file");
        }
        command
    }

    /// Strings, numbers, booleans and lists of them are written alike in TOML and JSON.
    fn toml(&self) -> String {
        self.settings.iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
    }

    /// Starts, and waits until it is ready.
    pub fn start(self) -> Sidecar {
        let log = self.folder.path().join("countersign.log");
        let _ = fs::remove_file(&log);
        let mut daemon = Daemon::spawn(&mut self.command(), &log);
        let index = daemon.wait_for("the index listener", secs(120), |log| address(log, "index"));
        let admin = daemon.wait_for("the admin listener", secs(120), |log| address(log, "admin"));
        let ready = format!("{admin}/readyz");
        daemon.wait_for("readiness", secs(120), |_| {
            Request::new("GET", &ready).try_send().ok().filter(|answer| answer.status == 200)
        });
        Sidecar { daemon, setup: self, origin: index, admin }
    }

    /// `countersign check`, run in a folder.
    pub fn checking(upstream: &str, folder: &Path) -> Output {
        run(binary().args(["check", "--upstream", upstream]).current_dir(folder), secs(60))
    }

    /// Starts where it must refuse to, and tells how it ended.
    pub fn refused(&self) -> Output {
        run(&mut self.command(), secs(60))
    }
}

/// The origin in a log line `listening`.
fn address(log: &str, listener: &str) -> Option<String> {
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.find(|line| line["message"] == "listening" && line["listener"] == listener)?;
    Some(format!("http://{}", line["address"].as_str()?))
}
