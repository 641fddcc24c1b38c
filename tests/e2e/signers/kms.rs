//! Keys in AWS KMS, as moto plays it. moto_kms.py says what is mended there.
#![cfg(feature = "aws-kms")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{ceremony, command_in, complaint, founded, publish_and_wait, shown};
use crate::support::hostile::Hostile;
use crate::support::process::{Daemon, free_port, run};
use crate::support::secs;
use crate::support::tools::{Tool, need};

struct Moto {
    folder: TempDir,
    _server: Daemon,
    port: u16,
    /// Ids of keys, and who may use them.
    made: Value,
}

impl Moto {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/signers/moto_kms.py");
        let made = folder.path().join("made.json");
        let mut command = Command::new(Tool::Moto.path());
        command.arg(script).arg(port.to_string()).arg(&made).current_dir(folder.path());
        command.env_remove("HTTP_PROXY").env_remove("http_proxy");
        let mut server = Daemon::spawn(&mut command, &folder.path().join("log"));
        let made = server.wait_for("moto", secs(240), |_| {
            serde_json::from_slice(&std::fs::read(&made).ok()?).ok()
        });
        Self { folder, _server: server, port, made }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn text(&self, name: &str) -> &str {
        self.made[name].as_str().expect("a text")
    }

    fn uri(&self, key: &str) -> String {
        format!("awskms:{key}?region=eu-central-1&endpoint=http://127.0.0.1:{}", self.port)
    }

    fn env(&self) -> [(&str, &str); 2] {
        [("AWS_ACCESS_KEY_ID", self.text("id")), ("AWS_SECRET_ACCESS_KEY", self.text("secret"))]
    }

    fn show(&self, uri: &str, env: &[(&str, &str)]) -> std::process::Output {
        let mut command = command_in(&self.path(), &["key", "show", uri, "--json"]);
        run(command.envs(env.iter().copied()), secs(180))
    }
}

#[test]
fn a_key_is_named_by_id_arn_or_alias() {
    need!(Moto);
    let moto = Moto::start();
    let by = |name: &str| shown(&moto.show(&moto.uri(name), &moto.env()));
    let key = by(moto.text("p256"));
    assert_eq!(key["scheme"], "ecdsa-sha2-nistp256");
    assert_eq!(by(moto.text("arn")), key);
    assert_eq!(by("alias/online"), key);
}

#[test]
fn what_does_not_pass_is_refused_with_a_sentence() {
    need!(Moto);
    let moto = Moto::start();
    let said = |name: &str, env: &[(&str, &str)]| complaint(&moto.show(&moto.uri(name), env));
    assert!(said(moto.text("rsa"), &moto.env()).contains("RSA_2048"));
    assert!(said("alias/none", &moto.env()).contains("cannot be used:"));
    // moto checks the signature of a request as AWS does.
    let mut wrong = moto.env();
    wrong[1].1 = "not-the-secret";
    assert!(said(moto.text("p256"), &wrong).contains("ignature"));
}

#[test]
fn a_sidecar_signs_with_it() {
    need!(Moto, Python);
    let moto = Moto::start();
    let uri = moto.uri(moto.text("p256"));
    let upstream = Hostile::start();
    let signed = ceremony(&moto.path(), &uri, &moto.env());
    let sidecar = founded(&upstream, &signed, &uri, &moto.env()).start();
    publish_and_wait(&upstream, &sidecar, "qx-kms", 1);
    sidecar.python_tuf().fetch(&[]);
    assert!(sidecar.metric("countersign_signatures_total", &[("backend", "awskms")]) > 0.0);
    assert!(!sidecar.log().contains(moto.text("secret")), "the secret is in the log");
    sidecar.stop().fsck();
}
