//! An OpenBao with a transit engine. Its data outlives the process.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::http::Request;
use super::process::{Daemon, free_port};
use super::tools::Tool;
use super::{eventually, secs};

/// The key of which the token can use: the policy of docs/signing.md.
pub const KEY: &str = "online";

pub struct OpenBao {
    folder: TempDir,
    /// Plain, for the tests themselves; and with TLS.
    ports: [u16; 2],
    server: Option<Daemon>,
    unseal: String,
    root: String,
}

impl OpenBao {
    /// With a key of this type, and a token that may read and use it.
    pub fn start(kind: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ports = [free_port(), free_port()];
        let mut bao =
            Self { folder, ports, server: None, unseal: String::new(), root: String::new() };
        bao.configure();
        bao.launch();
        let made = bao.ask("PUT", "sys/init", json!({ "secret_shares": 1, "secret_threshold": 1 }));
        bao.unseal = made["keys"][0].as_str().expect("a key").into();
        bao.root = made["root_token"].as_str().expect("a token").into();
        bao.open();
        bao.ask("POST", "sys/mounts/transit", json!({ "type": "transit" }));
        bao.make_key(KEY, kind);
        let policy = r#"path "transit/keys/online" { capabilities = ["read"] }
                        path "transit/sign/online" { capabilities = ["update"] }"#;
        bao.ask("PUT", "sys/policies/acl/countersign", json!({ "policy": policy }));
        let made = bao.ask("POST", "auth/token/create", json!({ "policies": ["countersign"] }));
        bao.write_secret("token", made["auth"]["client_token"].as_str().expect("a token"));
        bao
    }

    fn configure(&self) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("a pair");
        fs::write(self.path("ca.pem"), made.cert.pem()).expect("a file");
        fs::write(self.path("key.pem"), made.signing_key.serialize_pem()).expect("a file");
        fs::create_dir(self.path("data")).expect("a folder");
        let address = |port: u16| format!("127.0.0.1:{port}");
        let [plain, tls] = self.ports.map(address);
        let configuration = json!({
            "storage": { "raft": { "path": self.path("data"), "node_id": "one" } },
            "listener": [
                { "tcp": { "address": plain, "cluster_address": address(free_port()), "tls_disable": true } },
                { "tcp": {
                    "address": tls,
                    "cluster_address": address(free_port()),
                    "tls_cert_file": self.path("ca.pem"),
                    "tls_key_file": self.path("key.pem"),
                } },
            ],
            "api_addr": format!("http://{plain}"),
            "cluster_addr": format!("http://{}", address(free_port())),
        });
        fs::write(self.path("bao.json"), configuration.to_string()).expect("a file");
    }

    fn launch(&mut self) {
        let mut command = Command::new(Tool::OpenBao.path());
        command.args(["server", "-config=bao.json"]).current_dir(self.folder.path());
        let mut server = Daemon::spawn(&mut command, &self.path("log"));
        let url = self.url("sys/seal-status");
        server.wait_for("OpenBao", secs(180), |_| Request::new("GET", &url).try_send().ok());
        self.server = Some(server);
    }

    /// Unseals it, and waits until it answers for its keys.
    fn open(&self) {
        self.ask("PUT", "sys/unseal", json!({ "key": self.unseal }));
        let url = self.url("sys/health");
        eventually("OpenBao unsealed", secs(180), || {
            Request::new("GET", &url).try_send().ok().filter(|answer| answer.status == 200)
        });
    }

    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Started, and still sealed.
    pub fn start_again(&mut self) {
        self.launch();
    }

    pub fn unseal(&self) {
        self.open();
    }

    pub fn make_key(&self, name: &str, kind: &str) {
        self.ask("POST", &format!("transit/keys/{name}"), json!({ "type": kind }));
    }

    pub fn rotate(&self) {
        self.ask("POST", &format!("transit/keys/{KEY}/rotate"), json!({}));
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/v1/{path}", self.ports[0])
    }

    /// What the administrator does.
    fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let request = Request::new(method, &self.url(path)).header("X-Vault-Token", &self.root);
        let answer = request.body(body.to_string()).patience(secs(120)).send();
        assert!(answer.status < 300, "{path}: {} {}", answer.status, answer.text());
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    /// A place of the test's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file that only its owner can read.
    pub fn write_secret(&self, name: &str, secret: &str) {
        fs::write(self.path(name), format!("{secret}\n")).expect("a file");
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).expect("a mode");
    }

    /// The URI of a key, over TLS.
    pub fn uri(&self, key: &str) -> String {
        let (port, token, ca) = (self.ports[1], self.path("token"), self.path("ca.pem"));
        let (token, ca) = (token.display(), ca.display());
        format!("vault:https://localhost:{port}/transit/{key}?token-file={token}&ca-file={ca}")
    }

    /// The same without TLS.
    pub fn plain_uri(&self, key: &str) -> String {
        let token = self.path("token");
        let port = self.ports[0];
        format!("vault:http://127.0.0.1:{port}/transit/{key}?token-file={}", token.display())
    }
}
