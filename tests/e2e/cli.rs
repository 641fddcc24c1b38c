//! The command line: what it makes, what it refuses, and with which words.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::hostile::{Answer, Hostile, link};
use crate::support::http::get;
use crate::support::packages::wheel;
use crate::support::sidecar::{Setup, countersign, tree};

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// One sentence on one line, that has all of these in it, and this exit code.
fn complains(output: &Output, code: i32, parts: &[&str]) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    let sentences: Vec<_> = said.lines().filter(|line| line.starts_with("countersign: ")).collect();
    assert_eq!(sentences.len(), 1, "{said}");
    for part in parts {
        assert!(sentences[0].contains(part), "{part} in: {said}");
    }
}

#[test]
fn what_is_wrong_is_named_in_one_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("countersign.toml");
    fs::write(&file, "watch.intervall = \"1s\"\n").expect("a file");
    let file = file.to_str().expect("a name");
    complains(&countersign(&["serve", "--upstraem", "x"]), 2, &["--upstraem"]);
    complains(&countersign(&["serve"]), 2, &["--upstream"]);
    complains(&countersign(&["serve", "--upstream", "nonsense"]), 2, &["nonsense"]);
    complains(
        &countersign(&["serve", "--upstream", "ftp://mirror.example/simple/"]),
        2,
        &["ftp://"],
    );
    complains(
        &countersign(&["serve", "--bins", "17", "--upstream", "http://127.0.0.1:9/simple/"]),
        2,
        &["--bins 17"],
    );
    complains(&countersign(&["serve", "--config", file]), 2, &["watch.intervall"]);
    complains(
        &countersign(&["serve", "--config", "/nowhere/countersign.toml"]),
        2,
        &["/nowhere/countersign.toml"],
    );
}

#[test]
fn credentials_are_not_repeated() {
    let output =
        countersign(&["serve", "--upstream", "http://somebody:s3cret@127.0.0.1:9/simple/"]);
    complains(&output, 2, &["upstream"]);
    assert!(!stderr(&output).contains("s3cret"), "{}", stderr(&output));
}

#[test]
fn init_makes_a_repository_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let arguments = ["init", "--data", data.to_str().expect("a name"), "--bins", "16"];
    let output = countersign(&arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    let root = fs::read(data.join("repository/root/1.root.json")).expect("a root");
    let said = stdout(&output) + &stderr(&output);
    assert!(said.contains(&hex::encode(Sha256::digest(&root))), "{said}");
    assert!(said.contains("offline-keys"), "{said}");
    for role in ["root", "targets", "bins"] {
        let key = data.join("offline-keys").join(format!("{role}.pem"));
        assert!(
            fs::read_to_string(&key).expect("a key").starts_with("-----BEGIN PRIVATE KEY-----")
        );
        assert_eq!(fs::metadata(&key).expect("a key").permissions().mode() & 0o777, 0o600);
    }

    let before = tree(&data);
    let output = countersign(&arguments);
    complains(&output, 1, &["repository", "already"]);
    assert_eq!(tree(&data), before, "nothing was touched");
}

#[test]
fn inspect_tells_the_same_of_a_folder_and_of_a_url() {
    let upstream = Hostile::start();
    let file = wheel("qx-inspected", "1.0");
    upstream.list(&["qx-inspected"]);
    upstream.publish(&[&file]);
    let sidecar = Setup::bare(&upstream.simple_url()).bins(16).start();
    sidecar.wait_for(&file);
    let data = sidecar.data();
    let repository = format!("{}/tuf/", sidecar.origin);
    let by_folder = inspect(&["--data", data.to_str().expect("a name")]);
    let by_url = inspect(&["--url", &repository]);
    for seen in [&by_folder, &by_url] {
        assert_eq!(seen["bins"]["count"], 16, "{seen}");
        assert_eq!(role(seen, "root")["version"], 1, "{seen}");
        assert_eq!(role(seen, "snapshot")["version"], sidecar.version("snapshot"), "{seen}");
        for name in ["root", "targets", "bins", "snapshot", "timestamp"] {
            let role = role(seen, name);
            assert!(role["expires"].as_str().is_some_and(|date| date.ends_with('Z')), "{role}");
            assert_eq!(role["keyids"][0].as_str().map(str::len), Some(64), "{role}");
        }
    }
    // Two pages, JSON and HTML, and one file.
    assert_eq!(by_folder["targets"]["total"], 3, "{by_folder}");
    assert_eq!(by_url["targets"]["total"], 3, "{by_url}");
    let plain = countersign(&["inspect", "--url", &repository]);
    assert!(plain.status.success() && stdout(&plain).contains("snapshot"), "{}", stderr(&plain));
    let nothing = tempfile::tempdir().expect("a folder");
    let nothing = nothing.path().to_str().expect("a name");
    complains(&countersign(&["inspect", "--data", nothing]), 1, &[nothing]);
}

fn role(seen: &Value, name: &str) -> Value {
    let roles = seen["roles"].as_array().expect("roles");
    roles.iter().find(|role| role["name"] == name).cloned().unwrap_or_default()
}

fn inspect(place: &[&str]) -> Value {
    let output = countersign(&[&["inspect", "--json"], place].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn without_a_repository_no_init_stops() {
    let upstream = Hostile::start();
    let setup = Setup::bare(&upstream.simple_url()).set("no-init", true);
    let output = setup.refused();
    complains(&output, 1, &["countersign-data", "init"]);
    assert!(!setup.data().join("repository/root/1.root.json").exists());
}

#[test]
fn the_first_start_says_where_the_keys_lie() {
    let upstream = Hostile::start();
    let sidecar = Setup::bare(&upstream.simple_url()).start();
    let root = fs::read(sidecar.root()).expect("a root");
    sidecar.expect_logged(&["offline-keys"]);
    sidecar.expect_logged(&[&hex::encode(Sha256::digest(&root))]);
    assert_eq!(get(&format!("{}1.root.json", sidecar.metadata_url())).body, root);
    sidecar.stop();
}

#[test]
fn a_mirror_that_wants_a_login_is_not_opened() {
    let upstream = Hostile::start();
    upstream.answer("/simple/", Answer::status(401));
    let setup = Setup::bare(&upstream.simple_url());
    let output = setup.refused();
    complains(&output, 1, &["login", "upstream.credentials", "access"]);
}

#[test]
fn commands_need_a_running_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("a name");
    complains(&countersign(&["block", "qx-any", "--data", data]), 1, &[data]);
}

#[test]
fn check_reports_and_signs_nothing() {
    let upstream = Hostile::start();
    let good = wheel("qx-checked", "1.0");
    let mut odd = link(&wheel("qx-odd", "1.0"));
    odd["filename"] = ".qx_odd-1.0.tar.gz".into();
    upstream.list(&["qx-checked", "qx-odd"]);
    upstream.publish(&[&good]);
    upstream.page("qx-odd", &[odd]);
    let folder = tempfile::tempdir().expect("a folder");
    let output = Setup::checking(&upstream.simple_url(), folder.path());
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{said}{}", stderr(&output));
    assert!(said.contains(".qx_odd-1.0.tar.gz"), "{said}");
    assert_eq!(tree(folder.path()), []);
}
