//! A sidecar that publishes one file after the other, and a client that follows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::clients::Installer;
use crate::support::clock::WrongClock;
use crate::support::eventually;
use crate::support::gateway::index_url;
use crate::support::http::{JSON, Request, Response};
use crate::support::mirror::{Bandersnatch, Mirror};
use crate::support::packages::{Package, wheel};
use crate::support::process::{Daemon, run};
use crate::support::secs;
use crate::support::sidecar::{SOON, Setup, Sidecar, binary, target_path};

pub struct Scene {
    pub folder: TempDir,
    pub mirror: Bandersnatch,
    pub sidecar: Sidecar,
    pub files: Vec<Package>,
    pub clock: Option<Arc<WrongClock>>,
    state: PathBuf,
}

/// Role to version; what a snapshot names is called by its file.
pub type Versions = BTreeMap<String, u64>;

impl Scene {
    /// One file is published, and known.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (mirror, first) = (Bandersnatch::start(), wheel("qx-state", "1.0"));
        mirror.add(&first);
        let sidecar = Setup::before(&mirror).bins(16).start();
        sidecar.wait_for(&first);
        fs::create_dir(folder.path().join("targets")).expect("a folder");
        let state = folder.path().join("metadata");
        let scene =
            Self { folder, mirror, sidecar, files: vec![first.clone()], clock: None, state };
        let root = scene.sidecar.root();
        let output = run(scene.tuf(&[]).arg("init").arg(root), secs(60));
        assert!(output.status.success(), "{output:?}");
        scene.fetches(&first);
        scene
    }

    /// The next file.
    pub fn publish(&mut self) -> Package {
        let file = wheel("qx-state", &format!("1.{}", self.files.len()));
        self.mirror.add(&file);
        self.sidecar.wait_for(&file);
        self.files.push(file.clone());
        file
    }

    pub fn state(&self) -> &Path {
        &self.state
    }

    /// All that is written to in the state: the folder, what is in it, and what is not finished yet.
    pub fn paths(&self) -> Vec<PathBuf> {
        let inside = fs::read_dir(&self.state).expect("a folder").flatten();
        let mut paths: Vec<_> = inside.map(|entry| entry.path()).collect();
        paths.extend([self.state.clone(), self.state.join(".new.part")]);
        paths
    }

    /// The state goes elsewhere.
    pub fn move_state(&mut self, below: &Path) {
        let there = below.join("metadata");
        fs::create_dir(&there).expect("a folder");
        for entry in fs::read_dir(&self.state).expect("a folder").flatten() {
            fs::copy(entry.path(), there.join(entry.file_name())).expect("a copy");
        }
        self.state = there;
    }

    fn tuf(&self, urls: &[&str]) -> Command {
        let mut command = binary();
        command.arg("tuf").arg("--metadata-dir").arg(&self.state).args(urls);
        if let Some(clock) = &self.clock {
            command.envs(clock.env());
        }
        command
    }

    pub fn refreshing(&self) -> Command {
        let mut command = self.tuf(&["--metadata-url", &self.sidecar.metadata_url()]);
        command.arg("refresh");
        command
    }

    pub fn downloading(&self, file: &Package) -> Command {
        let metadata = self.sidecar.metadata_url();
        let mut command = self.tuf(&["--metadata-url", &metadata]);
        command.args(["--target-base-url", &self.sidecar.targets_url()]).arg("--target-dir");
        command.arg(self.folder.path().join("targets"));
        command.args(["--target-name", &target_path(file), "download"]);
        command
    }

    pub fn fetches(&self, file: &Package) {
        let output = run(&mut self.downloading(file), secs(60));
        assert!(output.status.success(), "{output:?}");
        self.downloaded(file);
    }

    pub fn downloaded(&self, file: &Package) {
        let name = target_path(file).replace('/', "%2F");
        let bytes = fs::read(self.folder.path().join("targets").join(name)).expect("a target");
        assert_eq!(bytes, file.bytes);
    }

    /// What the files of the state stand for.
    pub fn versions(&self) -> Versions {
        let mut versions = Versions::new();
        for role in ["root", "timestamp", "snapshot", "targets"] {
            let bytes = fs::read(self.state.join(format!("{role}.json"))).expect("a trusted role");
            let signed =
                &serde_json::from_slice::<Value>(&bytes).expect("whole metadata")["signed"];
            versions.insert(role.into(), signed["version"].as_u64().expect("a version"));
            for (name, entry) in signed["meta"].as_object().into_iter().flatten() {
                versions.insert(format!("{role}: {name}"), entry["version"].as_u64().expect("one"));
            }
        }
        versions
    }

    pub fn has_not_gone_back(&self, before: &Versions) {
        let now = self.versions();
        for (name, version) in before {
            assert!(now[name] >= *version, "{name}: {} after {version}", now[name]);
        }
    }

    pub fn has_the_newest(&self) {
        let versions = self.versions();
        let [timestamp, snapshot, _] = self.sidecar.versions();
        assert_eq!([versions["timestamp"], versions["snapshot"]], [timestamp, snapshot]);
    }

    pub fn refreshes(&self) -> Output {
        let output = run(&mut self.refreshing(), secs(60));
        assert!(output.status.success(), "{output:?}");
        self.has_the_newest();
        output
    }

    /// Whether a process left what it had not finished.
    pub fn has_leftovers(&self) -> bool {
        let names = fs::read_dir(&self.state).expect("a folder").flatten();
        names.into_iter().any(|entry| entry.file_name().to_string_lossy().ends_with(".part"))
    }

    pub fn gateway_command(&self, home: &Path) -> Command {
        let mut command = binary();
        command.args(["gateway", "--index", &self.sidecar.simple_url(), "--root"]);
        command.arg(self.sidecar.root()).args(["--listen", "127.0.0.1:0", "--refresh", "100ms"]);
        command.current_dir(self.folder.path()).env("HOME", home);
        command.env_remove("XDG_DATA_HOME").env_remove("XDG_CACHE_HOME");
        if let Some(clock) = &self.clock {
            command.envs(clock.env());
        }
        command
    }

    pub fn gateway(&self) -> Gateway {
        self.gateway_at(self.folder.path())
    }

    pub fn gateway_at(&self, home: &Path) -> Gateway {
        let log = tempfile::tempdir().expect("a folder");
        let path = log.path().join("gateway.log");
        let mut daemon = Daemon::spawn(&mut self.gateway_command(home), &path);
        let simple_url = daemon.wait_for("the gateway", secs(60), index_url);
        Gateway { daemon, simple_url, _log: log }
    }
}

pub struct Gateway {
    pub daemon: Daemon,
    pub simple_url: String,
    _log: TempDir,
}

impl Gateway {
    pub fn page(&self) -> Response {
        let url = format!("{}qx-state/", self.simple_url);
        Request::new("GET", &url).header("Accept", JSON).send()
    }

    /// As soon as it has heard of it.
    pub fn installs(&self, scene: &Scene, file: &Package) {
        eventually("a page that lists the file", SOON, || {
            self.page().text().contains(&file.filename).then_some(())
        });
        for installer in Installer::CURRENT {
            installer.install(&self.simple_url, [file.requirement().as_str()]).expect(file);
        }
        assert_eq!(scene.sidecar.listed(file), Some(file.sha256()));
    }

    /// Without a sidecar.
    pub fn installs_what_it_has(&self, file: &Package) {
        eventually("a page", SOON, || (self.page().status == 200).then_some(()));
        for installer in Installer::CURRENT {
            installer.install(&self.simple_url, [file.requirement().as_str()]).expect(file);
        }
    }

    /// Soon, since a running process notices a turned clock a little later.
    pub fn refuses(&self) -> Response {
        let refused = || Some(self.page()).filter(|answer| answer.status == 403);
        eventually("a refusal", SOON, refused)
    }

    pub fn installs_nothing(&self, file: &Package) {
        for installer in Installer::CURRENT {
            let install = installer.install(&self.simple_url, [file.requirement().as_str()]);
            install.expect_refused(file);
        }
    }

    pub fn installs_nothing_wrong(&self, file: &Package) {
        for installer in Installer::CURRENT {
            let install = installer.install(&self.simple_url, [file.requirement().as_str()]);
            install.expect_refused_or(file);
        }
    }
}

/// The one sentence with which a command failed.
pub fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let last = said.lines().last().expect("a sentence").to_owned();
    assert!(last.starts_with("countersign: "), "{said}");
    last
}
