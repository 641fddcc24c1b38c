//! pypiserver: a folder of files, no hashes stored, pages made at each request.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::Mirror;
use crate::support::http::Request;
use crate::support::packages::Package;
use crate::support::process::{Daemon, free_port};
use crate::support::{secs, tools};

pub struct Pypiserver {
    daemon: Daemon,
    folder: TempDir,
    port: u16,
}

impl Pypiserver {
    /// With the web server that comes with it, and uploads open to all.
    pub fn start() -> Self {
        Self::with(&["--server", "wsgiref"])
    }

    /// Uploads may replace files.
    pub fn overwriting() -> Self {
        Self::with(&["--overwrite"])
    }

    pub fn with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let packages = folder.path().join("packages");
        fs::create_dir(&packages).expect("a folder");
        let mut command = Command::new(tools::python("pypi-server"));
        command.args([
            "run",
            "-i",
            "127.0.0.1",
            "-P",
            ".",
            "-a",
            ".",
            "-v",
            "-p",
            &port.to_string(),
        ]);
        if !options.contains(&"--fallback-url") {
            command.arg("--disable-fallback");
        }
        command.args(options).arg(&packages);
        let mut daemon = Daemon::spawn(&mut command, &folder.path().join("log"));
        let url = format!("http://127.0.0.1:{port}/simple/");
        daemon.wait_for("pypiserver", secs(30), |_| Request::new("GET", &url).try_send().ok());
        Self { daemon, folder, port }
    }

    fn path(&self, file: &Package) -> PathBuf {
        self.folder.path().join("packages").join(&file.filename)
    }
}

impl Mirror for Pypiserver {
    fn simple_url(&self) -> String {
        format!("http://127.0.0.1:{}/simple/", self.port)
    }

    fn add(&self, file: &Package) {
        // Written aside and moved, so that no page lists half a file.
        let aside = self.folder.path().join(&file.filename);
        fs::write(&aside, &file.bytes).expect("a file");
        fs::rename(&aside, self.path(file)).expect("a move");
    }

    fn delete(&self, file: &Package) {
        fs::remove_file(self.path(file)).expect("a file to delete");
    }

    fn tamper(&self, file: &Package, bytes: &[u8]) {
        fs::write(self.path(file), bytes).expect("a file to change");
    }

    /// Its lines: `<LocalRequest: GET http://host/path>`, and the status in the next one.
    fn requests(&self) -> Vec<String> {
        let log = self.daemon.log();
        log.lines()
            .filter_map(|line| line.split_once("<LocalRequest: ")?.1.strip_suffix('>'))
            .filter_map(|request| {
                let (method, url) = request.split_once(' ')?;
                let path = url.splitn(4, '/').nth(3)?;
                Some(format!("{method} /{path}"))
            })
            .collect()
    }
}
