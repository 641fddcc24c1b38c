//! `countersign tuf`, with its folders.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::process::run;
use crate::support::secs;

/// A client with one trusted root.
pub struct Client {
    folder: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    code: Option<i32>,
    said: String,
}

impl Client {
    pub fn new(root: &Path) -> Self {
        let client = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir(client.targets()).expect("a folder");
        client.tuf(&["init", root.to_str().expect("a name")]).succeeded("init");
        client
    }

    /// Another one that trusts the same, and has fetched nothing.
    pub fn copy(&self) -> Self {
        let copy = Self { folder: tempfile::tempdir().expect("a folder") };
        for folder in [copy.metadata(), copy.targets()] {
            fs::create_dir(folder).expect("a folder");
        }
        for file in fs::read_dir(self.metadata()).expect("a folder").flatten() {
            fs::copy(file.path(), copy.metadata().join(file.file_name())).expect("a file");
        }
        copy
    }

    /// The folder of the trusted metadata.
    pub fn metadata(&self) -> PathBuf {
        self.folder.path().join("metadata")
    }

    /// The metadata of a role, if it is trusted.
    pub fn trusts(&self, role: &str) -> Option<Vec<u8>> {
        fs::read(self.metadata().join(format!("{role}.json"))).ok()
    }

    fn targets(&self) -> PathBuf {
        self.folder.path().join("targets")
    }

    pub fn refresh(&self, metadata: &str) -> Ended {
        self.tuf(&["--metadata-url", metadata, "refresh"])
    }

    pub fn download(&self, metadata: &str, targets: &str, paths: &[&str]) -> Ended {
        let into = self.targets();
        let into = into.to_str().expect("a name");
        let mut args = vec!["--metadata-url", metadata, "--target-base-url", targets];
        args.extend(["--target-dir", into]);
        args.extend(paths.iter().flat_map(|path| ["--target-name", path]));
        args.push("download");
        self.tuf(&args)
    }

    fn tuf(&self, args: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.env_clear().arg("tuf").arg("--metadata-dir").arg(self.metadata()).args(args);
        let output = run(&mut command, secs(60));
        Ended {
            code: output.status.code(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// SHA-256 by target path; nothing else lies there.
    pub fn downloaded(&self) -> BTreeMap<String, String> {
        let files = fs::read_dir(self.targets()).expect("a folder").map(|entry| {
            let entry = entry.expect("a file");
            let name = entry.file_name().into_string().expect("a name");
            let path = percent_decode_str(&name).decode_utf8().expect("UTF-8").into_owned();
            let bytes = fs::read(entry.path()).expect("a file");
            (path, hex::encode(Sha256::digest(bytes)))
        });
        files.collect()
    }
}

impl Ended {
    pub fn succeeded(&self, what: &str) {
        assert_eq!(self.code, Some(0), "{what}: {}", self.said);
    }

    /// Of what it says that something is wrong with it.
    pub fn blames(&self, what: &str, blamed: &str) {
        assert!(
            self.said.starts_with(&format!("countersign: {blamed}: ")),
            "{what}: {}",
            self.said
        );
    }

    /// Exit code 1, and one line that has all of these in it.
    pub fn refused(&self, what: &str, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{what}: {}", self.said);
        assert_eq!(self.said.trim_end().lines().count(), 1, "{what}: {}", self.said);
        for word in words {
            assert!(self.said.contains(word), "{what}: {word} in: {}", self.said);
        }
    }
}
