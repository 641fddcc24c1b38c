//! devpi-server with one hosted index, `user/prod`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Mirror;
use crate::support::http::{JSON, Request, Response};
use crate::support::packages::{Package, form};
use crate::support::process::{Daemon, free_port, run};
use crate::support::{secs, tools};

pub struct Devpi {
    daemon: Daemon,
    folder: TempDir,
    port: u16,
}

impl Devpi {
    /// The one user.
    pub const USER: &str = "user";
    /// Its password.
    pub const PASSWORD: &str = "a password";
    /// Where twine uploads to, below countersign or the mirror itself.
    pub const UPLOAD_PATH: &str = "/user/prod/";

    /// Files may be replaced and deleted where it is volatile.
    pub fn start(volatile: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        initialize(&data);
        let port = free_port();
        let mut command = Command::new(tools::python("devpi-server"));
        command.arg("--serverdir").arg(&data);
        command.args(["--host", "127.0.0.1", "--threads", "8", "--port", &port.to_string()]);
        // Its secret is stretched at start, for seconds with the defaults.
        command.args([
            "--argon2-memory-cost",
            "8",
            "--argon2-time-cost",
            "1",
            "--argon2-parallelism",
            "1",
        ]);
        let mut daemon = Daemon::spawn(&mut command, &folder.path().join("log"));
        let url = format!("http://127.0.0.1:{port}/+api");
        daemon.wait_for("devpi-server", secs(60), |_| Request::new("GET", &url).try_send().ok());
        let devpi = Self { daemon, folder, port };
        devpi.put("/user", &json!({ "password": Self::PASSWORD }));
        devpi.put("/user/prod", &json!({ "type": "stage", "volatile": volatile, "bases": [] }));
        devpi
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn request(&self, method: &str, path: &str) -> Request {
        let login = STANDARD.encode(format!("{}:{}", Self::USER, Self::PASSWORD));
        Request::new(method, &self.url(path))
            .header("Accept", "application/json")
            .header("Authorization", &format!("Basic {login}"))
            .header("X-Devpi-Auth", &STANDARD.encode(format!("{}:{}", Self::USER, self.token())))
    }

    /// What a login gives; empty before there is a user.
    fn token(&self) -> String {
        let login = json!({ "user": Self::USER, "password": Self::PASSWORD });
        let response = Request::new("POST", &self.url("/+login"))
            .header("Content-Type", "application/json")
            .body(login.to_string())
            .send();
        let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        answer["result"]["password"].as_str().unwrap_or_default().to_owned()
    }

    fn put(&self, path: &str, body: &Value) {
        let request = self.request("PUT", path).header("Content-Type", "application/json");
        succeeded(&request.body(body.to_string()).send());
    }

    /// Where its page says that a file lies.
    pub fn file_path(&self, file: &Package) -> Option<String> {
        let page = format!("{}{}/", self.simple_url(), file.normalized());
        let page = Request::new("GET", &page).header("Accept", JSON).send();
        let files = page.json()["files"].as_array()?.clone();
        let entry = files.iter().find(|entry| entry["filename"] == file.filename.as_str())?;
        let link = entry["url"].as_str()?.trim_start_matches("../../");
        Some(format!("/user/prod/{}", link.split('#').next()?))
    }
}

impl Mirror for Devpi {
    fn simple_url(&self) -> String {
        self.url("/user/prod/+simple/")
    }

    fn add(&self, file: &Package) {
        let (content_type, body) = form(file);
        let request = self.request("POST", Self::UPLOAD_PATH).header("Content-Type", &content_type);
        succeeded(&request.body(body).send());
    }

    fn delete(&self, file: &Package) {
        let path = self.file_path(file).expect("a file to delete");
        succeeded(&self.request("DELETE", &path).send());
    }

    fn tamper(&self, file: &Package, bytes: &[u8]) {
        let stored =
            find(&self.folder.path().join("data"), &file.filename).expect("a file to change");
        fs::write(stored, bytes).expect("a write");
    }

    /// Its lines: `… [req12] GET /path`.
    fn requests(&self) -> Vec<String> {
        const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "PUT", "DELETE"];
        let log = self.daemon.log();
        log.lines()
            .filter_map(|line| line.split_once("[req")?.1.split_once("] "))
            .map(|(_, request)| request.to_owned())
            .filter(|request| {
                METHODS.iter().any(|method| request.starts_with(&format!("{method} /")))
            })
            .collect()
    }
}

fn initialize(data: &Path) {
    let mut command = Command::new(tools::python("devpi-init"));
    command.arg("--serverdir").arg(data).args(["--no-root-pypi", "--root-passwd", Devpi::PASSWORD]);
    let output = run(&mut command, secs(60));
    assert!(output.status.success(), "devpi-init: {}", String::from_utf8_lossy(&output.stderr));
}

fn succeeded(response: &Response) {
    assert!(
        (200..300).contains(&response.status),
        "{} {}: {}",
        response.status,
        response.reason,
        response.text()
    );
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if let Some(found) = find(&path, name) {
                return Some(found);
            }
        } else if entry.file_name() == name {
            return Some(path);
        }
    }
    None
}
