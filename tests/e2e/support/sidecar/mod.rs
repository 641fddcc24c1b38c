//! The binary under test.

mod metadata;
mod metrics;
mod objects;
mod setup;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

pub use self::objects::Objects;
pub use self::setup::{Kind, Setup, binary, countersign, init, initialized};

use self::metrics::Metrics;
use super::clients::TufClient;
use super::http::{JSON, Request, Response, get};
use super::packages::Package;
use super::process::Daemon;
use super::{eventually, secs};

/// How long a debug build may take for what is to be done at once, on a machine with much else to do.
pub const SOON: Duration = secs(30);

/// `countersign serve`, ready.
pub struct Sidecar {
    daemon: Daemon,
    setup: Setup,
    /// Where clients connect: `http://127.0.0.1:1234`.
    pub origin: String,
    /// The admin listener.
    pub admin: String,
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
        self.setup.root()
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

    /// Waits until the page lists a file with the hash of these bytes, and the file is a target: where the
    /// mirror gives no length, a little later.
    pub fn wait_for(&self, file: &Package) {
        let hash = file.sha256();
        let what = format!("{} on its page", file.filename);
        eventually(&what, SOON, || self.listed(file).filter(|listed| *listed == hash));
        let what = format!("{} among the targets", file.filename);
        eventually(&what, SOON, || {
            self.signed(&target_path(file)).filter(|signed| *signed == hash)
        });
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
        // A process that has just started reads its bins first.
        let read = || Some(self.version("bin")).filter(|version| *version > 0);
        eventually("the bins are read", SOON, read);
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

    /// Frozen (`SIGSTOP`), as by a scheduler that has forgotten it.
    pub fn freeze(&self) {
        self.daemon.signal("STOP");
    }

    /// Goes on from where it was frozen.
    pub fn thaw(&self) {
        self.daemon.signal("CONT");
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

/// What a repository has signed, as it lies in the data folder; not what is mere advice.
pub fn signed_tree(data: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let folders = ["root", "journal", "metadata", "timestamps", "pages"];
    folders.iter().flat_map(|name| tree(&data.join("repository").join(name))).collect()
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
