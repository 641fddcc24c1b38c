//! Keys in files, in tokens and behind programs, through the built binary and as the sidecar uses them.

mod command;
mod files;
mod sidecar;
mod tokens;

use std::future::Future;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;

use countersign::signer::{self, Opening, Signer, SignerError};
use serde_json::Value;

use crate::support::secs;

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
fn command_in(folder: &std::path::Path, arguments: &[&str]) -> Command {
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
