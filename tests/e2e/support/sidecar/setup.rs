//! How the binary is started.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::{Objects, Sidecar};
use crate::support::clock::WrongClock;
use crate::support::http::Request;
use crate::support::mirror::Mirror;
use crate::support::process::{Daemon, free_port, run};
use crate::support::seaweed::Bucket;
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
    environment: Vec<(String, String)>,
    data: Option<PathBuf>,
    bucket: Option<Bucket>,
}

/// The command with arguments, run to its end.
pub fn countersign<S: AsRef<str>>(arguments: &[S]) -> Output {
    let mut command = binary();
    run(command.args(arguments.iter().map(AsRef::as_ref)), secs(120))
}

/// `countersign init` into a bucket; what people keep of it goes into the bucket's ceremony folder.
pub fn init(bucket: &Bucket, bins: u32) -> Output {
    let mut command = binary();
    command.args(["init", "--store", &bucket.url(), "--bins", &bins.to_string(), "--out"]);
    command.arg(bucket.ceremony.path()).envs(bucket.env());
    run(&mut command, secs(120))
}

/// A new bucket in which `init` has been, with 16 bins.
pub fn initialized() -> Bucket {
    let bucket = Bucket::new();
    let output = init(&bucket, 16);
    assert!(output.status.success(), "init: {output:?}");
    bucket
}

/// The binary, without the variables of whoever runs the tests.
pub fn binary() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_countersign")))
}

fn clean(mut command: Command) -> Command {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy().to_ascii_uppercase();
        let ours = text.starts_with("COUNTERSIGN_") || text == "FAILPOINTS";
        if ours || text.starts_with("AWS_") || text.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    command
}

/// The two kinds of store; most of what must hold must hold on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A local one.
    Folder,
    /// SeaweedFS.
    Bucket,
}

impl Setup {
    /// Before a mirror, with 16 bins on a store of this kind, where `init` has been.
    pub fn on(kind: Kind, mirror: &dyn Mirror) -> Self {
        match kind {
            Kind::Folder => Self::before(mirror).bins(16),
            Kind::Bucket => Self::before(mirror).store(&initialized()),
        }
    }

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
            environment: Vec::new(),
            data: None,
            bucket: None,
        }
    }

    /// The same again in a folder of its own: another replica.
    pub fn another(&self) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        Self { folder, ..self.clone() }
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

    /// A variable of its environment; an empty value takes it away again.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(set, _)| set != name);
        if !value.is_empty() {
            self.environment.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The time of day as this clock has it.
    pub fn clock(self, clock: &WrongClock) -> Self {
        clock.env().iter().fold(self, |setup, (name, value)| setup.env(name, value))
    }

    /// The data folder elsewhere than below the folder in which it runs.
    pub fn data_in(mut self, folder: &Path) -> Self {
        self.data = Some(folder.to_owned());
        self
    }

    /// The repository in a bucket, in which `init` made it.
    pub fn store(mut self, bucket: &Bucket) -> Self {
        self.bucket = Some(bucket.clone());
        self
    }

    /// The data folder: the default one, below the folder in which it runs, or the one that was named.
    pub fn data(&self) -> PathBuf {
        let default = || self.folder.path().join("countersign-data");
        self.data.clone().unwrap_or_else(default)
    }

    /// The root that clients are given.
    pub fn root(&self) -> PathBuf {
        match &self.bucket {
            Some(bucket) => bucket.ceremony.path().join("1.root.json"),
            None => self.data().join("repository/root/1.root.json"),
        }
    }

    /// Where the objects of the repository lie.
    pub fn objects(&self) -> Objects {
        match &self.bucket {
            Some(bucket) => Objects::Bucket(bucket.clone()),
            None => Objects::Folder(self.data().join("repository")),
        }
    }

    /// A command on this repository, beside whatever is running: `fsck`, `log`, `export` …
    pub fn tool(&self, arguments: &[&str]) -> Output {
        self.command_on(arguments, &[])
    }

    /// The same with the configuration file.
    pub fn tool_configured(&self, arguments: &[&str]) -> Output {
        fs::write(self.folder.path().join("countersign.toml"), self.toml()).expect("a file");
        self.command_on(arguments, &["--config", "countersign.toml"])
    }

    fn command_on(&self, arguments: &[&str], more: &[&str]) -> Output {
        let mut command = binary();
        command.args(arguments).args(more);
        command.current_dir(self.folder.path()).envs(self.environment.clone());
        match &self.bucket {
            Some(bucket) => command.args(["--store", &bucket.url()]).envs(bucket.env()),
            None => command.arg("--data").arg(self.data()),
        };
        run(&mut command, secs(120))
    }

    /// Fails unless `countersign fsck` has nothing to say against the repository.
    pub fn fsck(&self) {
        let output = self.tool(&["fsck"]);
        assert!(output.status.success(), "fsck: {output:?}");
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
        command.current_dir(self.folder.path()).envs(self.environment.clone());
        if let Some(data) = &self.data {
            command.arg("--data").arg(data);
        }
        if let Some(bucket) = &self.bucket {
            command.args(["--store", &bucket.url()]).envs(bucket.env());
            self.take_online_key(bucket);
        }
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

    /// Each replica is given the one key; nothing else is carried over.
    fn take_online_key(&self, bucket: &Bucket) {
        let data = self.data();
        if !data.join("online.pem").exists() && bucket.online_key().exists() {
            fs::create_dir_all(&data).expect("a folder");
            fs::copy(bucket.online_key(), data.join("online.pem")).expect("a copy of the key");
        }
    }

    /// Strings, numbers, booleans and lists of them are written alike in TOML and JSON.
    fn toml(&self) -> String {
        self.settings.iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
    }

    /// Starts, and waits for nothing: where it may end at any moment.
    pub fn launch(&self) -> Daemon {
        let log = self.folder.path().join("countersign.log");
        let _ = fs::remove_file(&log);
        Daemon::spawn(&mut self.command(), &log)
    }

    /// Starts, and waits until it is ready.
    pub fn start(self) -> Sidecar {
        let mut daemon = self.launch();
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
