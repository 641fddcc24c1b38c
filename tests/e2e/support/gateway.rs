//! The other end: `countersign gateway`.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::process::Daemon;
use super::secs;
use super::sidecar::binary;

/// A gateway that listens, with the folders of its user.
pub struct Gateway {
    daemon: Daemon,
    home: Arc<TempDir>,
    index: String,
    /// The index that it offers, as `--index-url` names it.
    pub simple_url: String,
}

impl Gateway {
    /// In front of an index, whose root is pinned; its user is new here.
    pub fn before(index: &str, root: &Path) -> Self {
        let home = Arc::new(tempfile::tempdir().expect("a folder"));
        Self::start(index, home, |command| command.arg("--root").arg(root))
    }

    /// The same user again, who need not say what to trust.
    pub fn again(mut self) -> Self {
        let status = self.daemon.terminate(secs(30));
        assert_eq!(status.code(), Some(0), "{}", self.log());
        Self::start(&self.index, self.home.clone(), |command| command)
    }

    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// It asks for news less often than any test takes, so that what it asks for can be counted.
    fn start(
        index: &str,
        home: Arc<TempDir>,
        trust: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        let log = home.path().join("gateway.log");
        let _ = std::fs::remove_file(&log);
        let mut command = binary();
        command.args(["gateway", "--index", index, "--listen", "127.0.0.1:0", "--refresh", "1h"]);
        command.current_dir(home.path()).env("HOME", home.path());
        command.env_remove("XDG_DATA_HOME").env_remove("XDG_CACHE_HOME");
        let mut daemon = Daemon::spawn(trust(&mut command), &log);
        let simple_url = daemon.wait_for("the gateway", secs(60), index_url);
        Self { daemon, home, index: index.to_owned(), simple_url }
    }
}

/// The index in the log line `listening`.
pub fn index_url(log: &str) -> Option<String> {
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.find(|line| line["message"] == "listening")?;
    Some(line["index_url"].as_str()?.to_owned())
}
