//! Repositories that python-tuf made: sound ones of every shape, and unsound ones.

mod client;
mod faults;
mod unsound;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use crate::support::clients::TufClient;
use crate::support::hostile::{Answer, Hostile};
use crate::support::process::run;
use crate::support::secs;
use crate::support::tools::{need, python};
use client::Client;

/// What one repository holds.
#[derive(Deserialize)]
struct Held {
    /// SHA-256 by target path.
    present: BTreeMap<String, String>,
    absent: Vec<String>,
}

/// Repositories by name, on loopback.
struct Site {
    folder: TempDir,
    server: Hostile,
}

impl Site {
    /// What `script` writes, and what it says of it.
    fn made_by<T: DeserializeOwned>(script: &str) -> (Self, T) {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/foreign").join(script);
        let mut command = std::process::Command::new(python("python"));
        // Nothing is left beside the scripts.
        let output = run(command.arg("-B").arg(place).arg(folder.path()), secs(120));
        let said = String::from_utf8_lossy(&output.stderr);
        let made = serde_json::from_slice(&output.stdout);
        let made = made.unwrap_or_else(|error| panic!("{script}: {error}: {said}"));
        let server = Hostile::start();
        serve(&server, folder.path(), "");
        (Self { folder, server }, made)
    }

    fn root(&self, repository: &str) -> std::path::PathBuf {
        self.folder.path().join(repository).join("metadata/1.root.json")
    }

    /// All that a repository has under the name of a role.
    fn served(&self, repository: &str, role: &str) -> Vec<Vec<u8>> {
        let folder = self.folder.path().join(repository).join("metadata");
        let files = fs::read_dir(folder).expect("a folder").flatten();
        let named = |name: &str| {
            name.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                == format!("{role}.json")
        };
        files
            .filter(|file| named(&file.file_name().to_string_lossy()))
            .map(|file| fs::read(file.path()).expect("a file"))
            .collect()
    }

    fn metadata_url(&self, repository: &str) -> String {
        format!("{}/{repository}/metadata/", self.server.origin())
    }

    fn targets_url(&self, repository: &str) -> String {
        format!("{}/{repository}/targets/", self.server.origin())
    }
}

/// Answers with each file below `folder`, under its path.
fn serve(server: &Hostile, folder: &Path, prefix: &str) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = format!("{prefix}/{}", entry.file_name().to_str().expect("a name"));
        if entry.path().is_dir() {
            serve(server, &entry.path(), &path);
        } else if let Some(path) = path.strip_suffix(".endless") {
            let content_type = "application/json".into();
            server.answer(path, Answer::Endless { content_type, bytes: 64 << 20 });
        } else {
            server.answer(&path, Answer::file(fs::read(entry.path()).expect("a file")));
        }
    }
}

/// What python-tuf finds in its own repositories is found, with the right bytes, and what it does not find is not.
#[test]
fn sound_repositories_verify() {
    need!(Python);
    let (site, held) = Site::made_by::<BTreeMap<String, Held>>("repositories.py");
    assert_eq!(held.len(), 20);
    for (name, held) in &held {
        python_tuf_agrees(&site, name, held);
        let client = Client::new(&site.root(name));
        client.refresh(&site.metadata_url(name)).succeeded(name);
        let (metadata, targets) = (site.metadata_url(name), site.targets_url(name));
        let all: Vec<_> = held.present.keys().map(String::as_str).collect();
        client.download(&metadata, &targets, &all).succeeded(name);
        assert_eq!(client.downloaded(), held.present, "{name}");
        for path in &held.absent {
            let ended = client.download(&metadata, &targets, &[path]);
            ended.refused(name, &[path, "no such target"]);
        }
        assert_eq!(client.downloaded(), held.present, "{name}: nothing more");
    }
}

fn python_tuf_agrees(site: &Site, name: &str, held: &Held) {
    let (metadata, targets) = (site.metadata_url(name), site.targets_url(name));
    let client = TufClient::python(&site.root(name), &metadata, &targets);
    let all: Vec<_> = held.present.keys().chain(&held.absent).map(String::as_str).collect();
    let result = client.fetch(&all);
    for (path, sha256) in &held.present {
        assert_eq!(result.sha256(path), Some(sha256.as_str()), "{name} {path}");
    }
    for path in &held.absent {
        assert!(!result.targets[path].found, "{name} {path}");
    }
}
