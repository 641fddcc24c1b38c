//! Clients that look on: python-tuf, tuf-js and countersign's own, with what they remember and without.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::clients::TufClient;
use crate::support::process::run;
use crate::support::sidecar::binary;
use crate::support::{eventually, secs, tools};

/// Where a repository is, for its clients.
#[derive(Debug, Clone)]
pub struct Place {
    /// Version 1, which is all that they are given.
    pub root: PathBuf,
    pub origin: String,
}

/// Target paths with the hash that must be there; nothing where there must be no such target.
pub type Wanted = BTreeMap<String, Option<String>>;

impl Place {
    fn metadata(&self) -> String {
        format!("{}/tuf/metadata/", self.origin)
    }

    fn targets(&self) -> String {
        format!("{}/tuf/targets/", self.origin)
    }

    /// One of each kind, which knows nothing yet.
    pub fn clients(&self) -> [Client; 3] {
        let (metadata, targets) = (self.metadata(), self.targets());
        [
            Client::Foreign(TufClient::python(&self.root, &metadata, &targets)),
            Client::Foreign(TufClient::js(&self.root, &metadata, &targets).within(secs(300))),
            Client::Own(Own::new(self.clone())),
        ]
    }
}

/// A client with what it remembers.
pub enum Client {
    Foreign(TufClient),
    Own(Own),
}

impl Client {
    /// Refreshes without an error, and finds exactly this.
    pub fn finds(&self, wanted: &Wanted) {
        match self {
            Self::Foreign(client) => {
                let paths: Vec<_> = wanted.keys().map(String::as_str).collect();
                let result = client.fetch(&paths);
                for (path, sha256) in wanted {
                    assert_eq!(result.sha256(path), sha256.as_deref(), "{path}");
                }
            }
            Self::Own(client) => client.finds(wanted),
        }
    }
}

/// `countersign tuf`
pub struct Own {
    folder: TempDir,
    place: Place,
}

impl Own {
    fn new(place: Place) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("targets")).expect("a folder");
        let own = Self { folder, place };
        let output = run(own.command(&[]).arg("init").arg(&own.place.root), secs(120));
        assert!(output.status.success(), "{output:?}");
        own
    }

    fn command(&self, names: &[&str]) -> Command {
        let mut command = binary();
        command.arg("tuf").arg("--metadata-dir").arg(self.folder.path().join("metadata"));
        command.args(["--metadata-url", &self.place.metadata()]);
        command.args(["--target-base-url", &self.place.targets()]);
        command.arg("--target-dir").arg(self.folder.path().join("targets"));
        for name in names {
            command.args(["--target-name", name]);
        }
        command
    }

    fn finds(&self, wanted: &Wanted) {
        let there: Vec<_> = wanted.iter().filter(|(_, sha256)| sha256.is_some()).collect();
        let names: Vec<_> = there.iter().map(|(path, _)| path.as_str()).collect();
        let task = if names.is_empty() { "refresh" } else { "download" };
        let output = run(self.command(&names).arg(task), secs(120));
        assert!(output.status.success(), "{output:?}");
        for (path, sha256) in there {
            let file = self.folder.path().join("targets").join(path.replace('/', "%2F"));
            let found = hex::encode(Sha256::digest(fs::read(file).expect("a target")));
            assert_eq!(Some(&found), sha256.as_ref(), "{path}");
        }
        for (path, _) in wanted.iter().filter(|(_, sha256)| sha256.is_none()) {
            let output = run(self.command(&[path]).arg("download"), secs(120));
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("has no such target"), "{path}: {said}");
        }
    }
}

/// Two clients of python-tuf that refresh and load without a pause, from version 1 of root on; see `clients/loop.py`.
pub struct Loop {
    child: Child,
    folder: TempDir,
}

impl Loop {
    /// They load these, and what is [told](Self::tell) later.
    pub fn start(place: &Place, wanted: &Wanted) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/loop.py");
        tell(folder.path(), wanted);
        let said = File::create(folder.path().join("said")).expect("a file");
        let child = Command::new(tools::python("python"))
            .arg(script)
            .arg(folder.path())
            .arg(&place.root)
            .args([place.metadata(), place.targets()])
            // Whatever is not there any more was taken away too early.
            .args(["2", "3600"])
            .stdin(Stdio::null())
            .stdout(said)
            .spawn()
            .expect("python");
        Self { child, folder }
    }

    pub fn tell(&self, wanted: &Wanted) {
        tell(self.folder.path(), wanted);
    }

    /// Lets them end their turns; none may have met an error. Gives how often they refreshed.
    pub fn stop(mut self) -> u64 {
        File::create(self.folder.path().join("stop")).expect("a file");
        let status = eventually("the end of the clients", secs(180), || {
            self.child.try_wait().expect("a child")
        });
        assert!(status.success());
        let said = fs::read(self.folder.path().join("said")).expect("what they said");
        let said: Value = serde_json::from_slice(&said).expect("JSON");
        assert_eq!(said["errors"], serde_json::json!([]), "{said}");
        said["refreshes"].as_u64().expect("a number")
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The list is replaced as a whole, since it is read at any moment.
fn tell(folder: &Path, wanted: &Wanted) {
    let there = wanted.iter().filter_map(|(path, sha256)| Some((path, sha256.as_ref()?)));
    let lines: String = there.map(|(path, sha256)| format!("{sha256} {path}\n")).collect();
    fs::write(folder.join("next"), lines).expect("a file");
    fs::rename(folder.join("next"), folder.join("uploaded")).expect("a move");
}
