//! A mirror to which one file after the other is added.

use serde_json::Value;

use super::audience::Wanted;
use crate::support::hostile::Hostile;
use crate::support::http::{JSON, Request};
use crate::support::packages::{Package, wheel};
use crate::support::sidecar::target_path;
use crate::support::{eventually, secs};

/// Each file is a project of its own.
pub struct Shop {
    pub mirror: Hostile,
    prefix: String,
    files: Vec<Package>,
}

impl Shop {
    pub fn open(prefix: &str) -> Self {
        let shop = Self { mirror: Hostile::start(), prefix: prefix.to_owned(), files: Vec::new() };
        shop.mirror.list(&[]);
        shop
    }

    /// Puts the next file in.
    pub fn add(&mut self) -> Package {
        let file = wheel(&format!("{}-{}", self.prefix, self.files.len()), "1.0");
        self.put(&file);
        file
    }

    pub fn put(&mut self, file: &Package) {
        self.mirror.publish(&[file]);
        self.files.push(file.clone());
        let projects: Vec<_> = self.files.iter().map(Package::normalized).collect();
        self.mirror.list(&projects.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// All that is there, by target path.
    pub fn wanted(&self) -> Wanted {
        self.files.iter().map(|file| (target_path(file), Some(file.sha256()))).collect()
    }

    pub fn files(&self) -> &[Package] {
        &self.files
    }
}

/// Waits until the sidecar there lists a file on its page.
pub fn wait_for(origin: &str, file: &Package) {
    let url = format!("{origin}/simple/{}/", file.normalized());
    eventually(&format!("{} on its page", file.filename), secs(120), || {
        let answer = Request::new("GET", &url).header("Accept", JSON).try_send().ok()?;
        let page: Value = serde_json::from_slice(&answer.body).ok()?;
        let mut files = page["files"].as_array()?.iter();
        files.find(|entry| entry["hashes"]["sha256"] == file.sha256().as_str()).map(drop)
    });
}
