//! The binary under test.

mod metrics;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use self::metrics::Metrics;
use super::clients::TufClient;
use super::http::{JSON, Request, Response, get};
use super::mirror::Mirror;
use super::packages::Package;
use super::process::{Daemon, free_port, run};
use super::{eventually, secs};

/// How long a debug build may take for what is to be done at once, on a machine with much else to do.
pub const SOON: Duration = secs(30);

/// `countersign serve`, not started yet.
#[derive(Clone)]
pub struct Setup {
    upstream: String,
    folder: Arc<TempDir>,
    settings: Vec<(String, Value)>,
    arguments: Vec<String>,
    listen: [String; 2],
    memory: Option<u64>,
}

/// `countersign serve`, ready.
pub struct Sidecar {
    daemon: Daemon,
    setup: Setup,
    /// Where clients connect: `http://127.0.0.1:1234`.
    pub origin: String,
    /// The admin listener.
    pub admin: String,
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
            .env("COUNTERSIGN_LISTEN", "127.0.0.1:0")
            .env("COUNTERSIGN_ADMIN_LISTEN", "127.0.0.1:0");
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
    let line = entries(log).find(|line| {
        field(line, "message") == Some(&"listening".into())
            && field(line, "listener") == Some(&listener.into())
    })?;
    Some(format!("http://{}", field(&line, "address")?.as_str()?))
}

/// The JSON lines of a log.
fn entries(log: &str) -> impl Iterator<Item = Value> {
    log.lines().filter_map(|line| serde_json::from_str(line).ok())
}

/// A field of a log line.
pub fn field<'a>(line: &'a Value, name: &str) -> Option<&'a Value> {
    line.get(name).or_else(|| line.get("fields")?.get(name))
}

impl Sidecar {
    /// The simple index, as `--index-url` names it: the upstream's own path.
    pub fn simple_url(&self) -> String {
        let path = self.setup.upstream.splitn(4, '/').nth(3).expect("a path");
        format!("{}/{path}", self.origin)
    }

    pub fn page_url(&self, project: &str) -> String {
        format!("{}{project}/", self.simple_url())
    }

    pub fn file_url(&self, file: &Package) -> String {
        format!("{}{}", self.targets_url(), target_path(file))
    }

    pub fn metadata_url(&self) -> String {
        format!("{}/tuf/metadata/", self.origin)
    }

    pub fn targets_url(&self) -> String {
        format!("{}/tuf/targets/", self.origin)
    }

    pub fn data(&self) -> PathBuf {
        self.setup.data()
    }

    /// The root that clients are given.
    pub fn root(&self) -> PathBuf {
        self.data().join("repository/root/1.root.json")
    }

    /// python-tuf, knowing nothing yet.
    pub fn python_tuf(&self) -> TufClient {
        TufClient::python(&self.root(), &self.metadata_url(), &self.targets_url())
    }

    /// tuf-js, knowing nothing yet.
    pub fn tuf_js(&self) -> TufClient {
        TufClient::js(&self.root(), &self.metadata_url(), &self.targets_url())
    }

    /// A project's page as JSON.
    pub fn page(&self, project: &str) -> Response {
        Request::new("GET", &self.page_url(project)).header("Accept", JSON).send()
    }

    /// The SHA-256 that the page lists for a file.
    pub fn listed(&self, file: &Package) -> Option<String> {
        let page = self.page(&file.normalized());
        if page.status != 200 {
            return None;
        }
        let page = page.json();
        let entry = page["files"]
            .as_array()?
            .iter()
            .find(|entry| entry["filename"] == file.filename.as_str())?;
        entry["hashes"]["sha256"].as_str().map(str::to_owned)
    }

    /// Waits until the page lists a file with the hash of these bytes.
    pub fn wait_for(&self, file: &Package) {
        let what = format!("{} on its page", file.filename);
        eventually(&what, SOON, || self.listed(file).filter(|listed| *listed == file.sha256()));
    }

    /// Waits until the page does not list a file.
    pub fn wait_for_absence(&self, file: &Package) {
        let what = format!("{} gone from its page", file.filename);
        eventually(&what, SOON, || self.listed(file).is_none().then_some(()));
    }

    /// What `/metrics` says now.
    pub fn metrics(&self) -> Metrics {
        let response = get(&format!("{}/metrics", self.admin));
        assert_eq!(response.status, 200, "{}", response.text());
        Metrics::parse(&response.text())
    }

    /// The sum over a metric's series that carry these labels.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.metrics().sum(name, labels)
    }

    /// How many refusals were counted for a reason.
    pub fn refusals(&self, reason: &str) -> f64 {
        self.metric("countersign_refusals_total", &[("reason", reason)])
    }

    /// The version of an online role.
    pub fn version(&self, role: &str) -> u64 {
        self.metric("countersign_role_version", &[("role", role)]) as u64
    }

    /// Waits until so many refusals were counted for a reason.
    pub fn wait_for_refusals(&self, reason: &str, count: f64) {
        let what = format!("{count} refusals: {reason}");
        eventually(&what, SOON, || (self.refusals(reason) >= count).then_some(()));
    }

    /// Whether one line of the log has all of these in it.
    pub fn logged(&self, parts: &[&str]) -> bool {
        self.daemon.log().lines().any(|line| parts.iter().all(|part| line.contains(part)))
    }

    /// Fails unless one line of the log has all of these in it, soon.
    pub fn expect_logged(&self, parts: &[&str]) {
        eventually(&format!("a log line with {parts:?}"), SOON, || {
            self.logged(parts).then_some(())
        });
    }

    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// Says that a project changed, as a mirror's webhook does.
    pub fn webhook(&self, project: &str) {
        let url = format!("{}/hooks/changed?project={project}", self.admin);
        let answer = Request::new("POST", &url).send();
        assert_eq!(answer.status, 202, "{}", answer.text());
    }

    /// The versions of all online roles, the bins by their highest.
    pub fn versions(&self) -> [u64; 3] {
        ["timestamp", "snapshot", "bin"].map(|role| self.version(role))
    }

    /// A command to the running process, which must succeed.
    pub fn control(&self, arguments: &[&str]) {
        let output = self.try_control(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    /// A command to the running process.
    pub fn try_control(&self, arguments: &[&str]) -> Output {
        let data = self.data();
        let mut all = arguments.to_vec();
        all.extend(["--data", data.to_str().expect("a name")]);
        countersign(&all)
    }

    pub fn process(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// `kill -9`; the folder, and how it was started, are left.
    pub fn kill9(mut self) -> Setup {
        self.daemon.kill();
        self.setup.clone()
    }

    /// Ctrl-C's brother; it must end well.
    pub fn stop(mut self) -> Setup {
        let status = self.daemon.terminate(secs(60));
        assert_eq!(status.code(), Some(0), "{}", self.log());
        self.setup.clone()
    }

    /// How it was started.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }
}

/// `files/<project>/<filename>`
pub fn target_path(file: &Package) -> String {
    format!("files/{}/{}", file.normalized(), file.filename)
}

/// `simple/<project>/…json`
pub fn page_path(project: &str) -> String {
    format!("simple/{project}/vnd.pypi.simple.v1.json")
}

/// All files below a folder, with their bytes.
pub fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((path.clone(), fs::read(path).expect("a file")));
            }
        }
    }
    files.sort();
    files
}
