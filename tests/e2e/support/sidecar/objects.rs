//! The objects of a repository, wherever they lie.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::seaweed::Bucket;

/// A folder, or a bucket.
#[derive(Clone)]
pub enum Objects {
    Folder(PathBuf),
    Bucket(Bucket),
}

impl Objects {
    /// Names below a folder, in order; nothing where there is no such folder.
    pub fn list(&self, folder: &str) -> Vec<String> {
        match self {
            Self::Bucket(bucket) => bucket.list(folder),
            Self::Folder(path) => {
                let entries = fs::read_dir(path.join(folder)).into_iter().flatten().flatten();
                // object_store writes aside, as `name#1`, and then links or moves.
                let mut names: Vec<_> = entries
                    .filter_map(|entry| entry.file_name().into_string().ok())
                    .filter(|name| !name.contains('#'))
                    .collect();
                names.sort();
                names
            }
        }
    }

    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        match self {
            Self::Bucket(bucket) => bucket.read(name),
            Self::Folder(path) => fs::read(path.join(name)).ok(),
        }
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        match self {
            Self::Bucket(bucket) => bucket.put(name, bytes),
            Self::Folder(path) => fs::write(path.join(name), bytes).expect("a write"),
        }
    }

    pub fn delete(&self, name: &str) {
        match self {
            Self::Bucket(bucket) => bucket.delete(name),
            Self::Folder(path) => fs::remove_file(path.join(name)).expect("a deletion"),
        }
    }

    pub fn json(&self, name: &str) -> Value {
        let bytes = self.read(name).unwrap_or_else(|| panic!("{name} is not there"));
        serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The folders that hold what is signed, with all names in them; not what is mere advice.
    pub fn signed(&self) -> Vec<String> {
        let folders = ["root", "journal", "metadata", "timestamps", "pages"];
        let names = |folder: &str| {
            let below = self.list(folder);
            below.into_iter().map(|name| format!("{folder}/{name}")).collect::<Vec<_>>()
        };
        folders.iter().flat_map(|folder| names(folder)).collect()
    }
}
