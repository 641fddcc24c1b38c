//! TUF clients that were written by others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;

use super::plain;
use crate::support::process::run;
use crate::support::{secs, tools};

/// A client with its state.
pub struct TufClient {
    kind: Kind,
    folder: TempDir,
    root: PathBuf,
    metadata_url: String,
    targets_url: String,
    within: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    PythonTuf,
    TufJs,
}

/// What it has to say.
#[derive(Debug, Deserialize)]
pub struct TufResult {
    /// By role.
    #[serde(default)]
    pub versions: BTreeMap<String, u64>,
    #[serde(default)]
    pub targets: BTreeMap<String, Target>,
    pub error: Option<String>,
}

/// One target path.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Target {
    /// Whether the signed metadata lists it.
    pub found: bool,
    pub sha256: Option<String>,
    pub length: Option<u64>,
}

impl TufClient {
    /// python-tuf's ngclient.
    pub fn python(root: &Path, metadata_url: &str, targets_url: &str) -> Self {
        Self::new(Kind::PythonTuf, root, metadata_url, targets_url)
    }

    /// tuf-js.
    pub fn js(root: &Path, metadata_url: &str, targets_url: &str) -> Self {
        Self::new(Kind::TufJs, root, metadata_url, targets_url)
    }

    fn new(kind: Kind, root: &Path, metadata_url: &str, targets_url: &str) -> Self {
        Self {
            kind,
            folder: tempfile::tempdir().expect("a folder"),
            root: root.to_owned(),
            metadata_url: metadata_url.to_owned(),
            targets_url: targets_url.to_owned(),
            within: secs(120),
        }
    }

    /// Gives it another time than two minutes.
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = limit;
        self
    }

    /// It finds the repository elsewhere now, and remembers what it trusts.
    pub fn moved_to(self, metadata_url: &str, targets_url: &str) -> Self {
        Self { metadata_url: metadata_url.into(), targets_url: targets_url.into(), ..self }
    }

    /// The folder of its trusted metadata.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("metadata")
    }

    /// Refreshes, and downloads these target paths; an error of the client is in the result.
    pub fn try_fetch(&self, target_paths: &[&str]) -> TufResult {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients");
        let mut command = match self.kind {
            Kind::PythonTuf => {
                let mut command = plain(tools::python("python"), self.folder.path());
                command.arg(scripts.join("ngclient.py"));
                command
            }
            Kind::TufJs => {
                let mut command = plain(tools::python("node"), self.folder.path());
                command.env("NODE_PACKAGES", tools::node_packages()).arg(scripts.join("tufjs.mjs"));
                command
            }
        };
        command
            .arg(self.folder.path())
            .arg(&self.root)
            .args([&self.metadata_url, &self.targets_url]);
        let output = run(command.args(target_paths), self.within);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{:?}: {error}: {}", self.kind, String::from_utf8_lossy(&output.stderr))
        })
    }

    /// The same, where the client must have nothing to complain of.
    pub fn fetch(&self, target_paths: &[&str]) -> TufResult {
        let result = self.try_fetch(target_paths);
        assert_eq!(result.error, None, "{:?} on {target_paths:?}", self.kind);
        result
    }
}

impl TufResult {
    /// The verified SHA-256 of a target; nothing where the metadata does not list it.
    pub fn sha256(&self, target_path: &str) -> Option<&str> {
        self.targets.get(target_path)?.sha256.as_deref()
    }
}
