//! Keys in files, in tokens, in services and behind programs, through the built binary and as the sidecar uses them.

mod command;
mod files;
mod kms;
mod sidecar;
mod tokens;
mod vault;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use countersign::signer::{self, Opening, Signer, SignerError};
use serde_json::Value;

use crate::support::hostile::Hostile;
use crate::support::packages::wheel;
use crate::support::process::run;
use crate::support::sidecar::{Setup, Sidecar};
use crate::support::{eventually, secs};

/// What it printed, where it succeeded.
fn said(output: &Output) -> String {
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{err}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The one sentence with which it failed.
fn complaint(output: &Output) -> String {
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "it did not fail");
    assert_eq!(err.lines().count(), 1, "{err}");
    err
}

/// What `key show --json` says of one key.
fn shown(output: &Output) -> Value {
    serde_json::from_str(&said(output)).expect("one line of JSON")
}

/// `countersign`, called in a folder.
fn command_in(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = crate::support::sidecar::binary();
    command.current_dir(folder).args(arguments);
    command
}

fn wait_for<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(future)
}

/// Opens the one key of a URI, as a process that serves does.
async fn open(uri: &str) -> Result<Arc<dyn Signer>, SignerError> {
    let how = Opening { base: PathBuf::new(), timeout: secs(60) };
    let signers = signer::open(&uri.parse()?, &how).await?;
    Ok(signers.first().expect("a key").clone())
}

/// Roles that a holder with a key file signed, over an online key that lies elsewhere; the folder that has them.
fn ceremony(folder: &Path, online: &str, env: &[(&str, &str)]) -> PathBuf {
    let tool = |arguments: &[&str]| {
        let mut command = command_in(folder, arguments);
        said(&run(command.envs(env.iter().copied()), secs(180)))
    };
    tool(&["key", "generate", "--out", "red.pem"]);
    tool(&["key", "show", online, "--out", "online.pub.json"]);
    std::fs::create_dir(folder.join("signed")).expect("a folder");
    let draft = |role: &str, more: &[&str]| {
        let out = format!("signed/{role}.json");
        tool(&[&[role, "draft", "--first", "--out", &out], more].concat());
        tool(&[role, "sign", &out, "--key", "red.pem", "--yes"]);
    };
    let holder = ["--holder", "red=red.pub.json"];
    let keys = ["--targets-holder", "red=red.pub.json", "--online", "online.pub.json"];
    draft("root", &[holder, [keys[0], keys[1]], [keys[2], keys[3]]].concat());
    draft("targets", &holder);
    draft("bins", &["--online", "online.pub.json", "--bins", "16"]);
    folder.join("signed")
}

/// A sidecar on those roles, not started yet.
fn founded(upstream: &Hostile, signed: &Path, online: &str, env: &[(&str, &str)]) -> Setup {
    let setup = Setup::bare(&upstream.simple_url())
        .set("watch.interval", "1s")
        .set("signing.online", vec![online.to_owned()])
        .set("signing.reload", "500ms")
        .set("signing.timeout", "60s");
    let setup = env.iter().fold(setup, |setup, (name, value)| setup.env(name, value));
    let made = setup.tool_configured(&["init", "--signed", &signed.display().to_string()]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    setup
}

/// Publishes the first so many versions of a project, and waits until the last is listed.
fn publish_and_wait(upstream: &Hostile, sidecar: &Sidecar, project: &str, versions: u32) {
    let files: Vec<_> =
        (1..=versions).map(|version| wheel(project, &format!("{version}.0"))).collect();
    upstream.list(&[project]);
    upstream.publish(&files.iter().collect::<Vec<_>>());
    let last = files.last().expect("a file");
    eventually(&format!("{} listed", last.filename), secs(240), || {
        sidecar.listed(last).filter(|listed| *listed == last.sha256())
    });
}
