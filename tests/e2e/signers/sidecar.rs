//! A sidecar whose online key lies in a token, as does the key of the one who holds root, targets and bins.

use std::path::Path;

use super::{command_in, said};
use crate::support::hostile::Hostile;
use crate::support::http::get;
use crate::support::packages::{Package, wheel};
use crate::support::process::run;
use crate::support::sidecar::{Setup, Sidecar};
use crate::support::token::Token;
use crate::support::tools::need;
use crate::support::{eventually, secs};

/// Projects that change all the while.
const PROJECTS: usize = 6;

#[test]
fn ed25519_in_a_token_that_goes_away_under_load() {
    need!(SoftHsm, Python);
    goes_away_under_load("ed25519", "qx-token-ed");
}

#[test]
fn p256_in_a_token_that_goes_away_under_load() {
    need!(SoftHsm, Python);
    goes_away_under_load("ecdsa-p256", "qx-token-ec");
}

/// What `countersign` says, called among the files of the token.
fn tool(token: &Token, arguments: &[&str]) -> String {
    let mut command = command_in(&token.path(""), arguments);
    said(&run(command.envs([token.env()]), secs(180)))
}

/// Roles that a holder in the token signed, over an online key in the token.
fn ceremony(token: &Token, kind: &str) {
    for name in ["red", "online"] {
        let uri = token.uri(name);
        tool(token, &["key", "generate", "--pkcs11", &uri, "--out", name, "--type", kind]);
    }
    let red = ["--holder", "red=red.pub.json"];
    let online = ["--online", "online.pub.json"];
    std::fs::create_dir(token.path("signed")).expect("a folder");
    let draft = |role: &str, more: &[&str]| {
        let out = format!("signed/{role}.json");
        tool(token, &[&[role, "draft", "--first", "--out", &out], more].concat());
        tool(token, &[role, "sign", &out, "--key", &token.uri("red"), "--yes"]);
    };
    draft("root", &[&red[..], &["--targets-holder", "red=red.pub.json"], &online].concat());
    draft("targets", &red);
    draft("bins", &[&online[..], &["--bins", "16"]].concat());
}

/// The next version of each project.
fn publish(upstream: &Hostile, name: &str, versions: u32) -> Vec<Package> {
    let project = |number: usize| {
        let files: Vec<_> = (1..=versions)
            .map(|version| wheel(&format!("{name}-{number}"), &format!("{version}.0")))
            .collect();
        upstream.publish(&files.iter().collect::<Vec<_>>());
        files.into_iter().last().expect("a file")
    };
    (0..PROJECTS).map(project).collect()
}

/// Waits as long as a pause between two tries may be, and longer.
fn wait_for(sidecar: &Sidecar, files: &[Package]) {
    for file in files {
        eventually(&format!("{} listed", file.filename), secs(240), || {
            sidecar.listed(file).filter(|listed| *listed == file.sha256())
        });
    }
}

fn move_away(files: &Path, away: &Path) {
    std::fs::rename(files, away).expect("a move");
    std::fs::create_dir(files).expect("a folder");
}

fn bring_back(files: &Path, away: &Path) {
    std::fs::remove_dir(files).expect("nothing was put there");
    std::fs::rename(away, files).expect("a move");
}

fn goes_away_under_load(kind: &str, name: &str) {
    let token = Token::new();
    ceremony(&token, kind);
    let upstream = Hostile::start();
    let projects: Vec<_> = (0..PROJECTS).map(|number| format!("{name}-{number}")).collect();
    upstream.list(&projects.iter().map(String::as_str).collect::<Vec<_>>());
    let mut files = publish(&upstream, name, 1);
    let (variable, configuration) = token.env();
    let setup = Setup::bare(&upstream.simple_url())
        .env(&variable, &configuration)
        .set("watch.interval", "1s")
        .set("signing.online", vec![token.uri("online")])
        .set("signing.reload", "500ms")
        .set("signing.timeout", "60s");
    let signed = token.path("signed").display().to_string();
    let made = setup.tool_configured(&["init", "--signed", &signed]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let sidecar = setup.start();
    wait_for(&sidecar, &files);
    let client = sidecar.python_tuf();
    client.fetch(&[]);
    for version in 2..5 {
        files = publish(&upstream, name, version);
        wait_for(&sidecar, &files);
    }
    let by_token = || sidecar.metric("countersign_signatures_total", &[("backend", "pkcs11")]);
    assert!(by_token() > 0.0);

    for version in [5, 7] {
        move_away(&token.files(), &token.path("away"));
        let waiting = publish(&upstream, name, version);
        eventually("publications that wait for the key", secs(240), || {
            (sidecar.metric("countersign_signing_waits", &[]) == 1.0).then_some(())
        });
        // What was signed is served all the while.
        for file in &files {
            assert_eq!(sidecar.listed(file), Some(file.sha256()));
        }
        let ready = get(&format!("{}/readyz", sidecar.admin));
        assert_eq!(ready.status, 200, "{}", ready.text());
        assert!(ready.text().contains("online"), "it names the key: {}", ready.text());
        client.fetch(&[]);
        bring_back(&token.files(), &token.path("away"));
        wait_for(&sidecar, &waiting);
        files = publish(&upstream, name, version + 1);
        wait_for(&sidecar, &files);
    }
    client.fetch(&[]);
    assert!(sidecar.metric("countersign_signing_failures_total", &[("backend", "pkcs11")]) > 0.0);
    sidecar.stop().fsck();
}
