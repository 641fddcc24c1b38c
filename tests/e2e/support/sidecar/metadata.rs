//! A look at the metadata without any client: no signature is checked here.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Sidecar;
use crate::support::http::get;

impl Sidecar {
    /// The SHA-256 that the newest metadata has for a target path; nothing where it does not list it.
    pub fn signed(&self, target_path: &str) -> Option<String> {
        let timestamp = self.metadata("timestamp.json");
        let version = &timestamp["signed"]["meta"]["snapshot.json"]["version"];
        let snapshot = self.metadata(&format!("{version}.snapshot.json"));
        let meta = snapshot["signed"]["meta"].as_object()?;
        let name = bin(meta.keys().filter(|name| name.starts_with("bins-")).count(), target_path);
        let bin = self.metadata(&format!("{}.{name}", meta[&name]["version"]));
        let hash = &bin["signed"]["targets"][target_path]["hashes"]["sha256"];
        hash.as_str().map(str::to_owned)
    }

    /// The SHA-256 of every target in the newest metadata, by target path.
    pub fn all_signed(&self) -> BTreeMap<String, String> {
        let timestamp = self.metadata("timestamp.json");
        let version = &timestamp["signed"]["meta"]["snapshot.json"]["version"];
        let snapshot = self.metadata(&format!("{version}.snapshot.json"));
        let meta = snapshot["signed"]["meta"].as_object().expect("roles").clone();
        let bins = meta.iter().filter(|(name, _)| name.starts_with("bins-"));
        bins.flat_map(|(name, entry)| {
            let bin = self.metadata(&format!("{}.{name}", entry["version"]));
            let targets = bin["signed"]["targets"].as_object().cloned().unwrap_or_default();
            targets.into_iter().map(|(path, target)| {
                let hash = target["hashes"]["sha256"].as_str().expect("a hash");
                (path, hash.to_owned())
            })
        })
        .collect()
    }

    fn metadata(&self, name: &str) -> Value {
        let response = get(&format!("{}{name}", self.metadata_url()));
        assert_eq!(response.status, 200, "{name}");
        response.json()
    }
}

/// The file name of the bin, among so many, that a target path belongs to (TAP 15).
fn bin(count: usize, target_path: &str) -> String {
    let digest = Sha256::digest(target_path);
    let first = u64::from(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]));
    let index = (first * count as u64) >> 32;
    let width = format!("{:x}", count - 1).len();
    format!("bins-{index:0width$x}.json")
}
