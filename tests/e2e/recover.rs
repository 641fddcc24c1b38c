//! Back to the last good state after somebody else published with the online key.

use std::process::Output;

use serde_json::Value;

use crate::support::http::get;
use crate::support::mirror::{Bandersnatch, Mirror};
use crate::support::packages::{Wheel, wheel};
use crate::support::sidecar::{Setup, page_path, target_path};
use crate::support::tools::need;

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn recover(setup: &Setup, to: u64, more: &[&str]) -> Output {
    let to = to.to_string();
    let mut arguments = vec!["recover", "--to", &to];
    arguments.extend(more);
    setup.tool(&arguments)
}

/// Somebody with the online key publishes what a mirror of theirs has.
#[test]
fn what_a_thief_published_goes_and_what_the_mirror_has_comes() {
    need!(Python, Nginx);
    let (mirror, theirs) = (Bandersnatch::start(), Bandersnatch::start());
    let good = wheel("qx-good", "1.0");
    mirror.add(&good);
    let sidecar = Setup::before(&mirror).bins(16).start();
    sidecar.wait_for(&good);
    let client = sidecar.python_tuf();
    client.fetch(&[&target_path(&good)]);
    let last = sidecar.version("snapshot");
    // Its folder is the repository's, until the end.
    let first = sidecar.stop();
    let data = first.data();

    let turned = Wheel::new("qx-good", "2.0").mark("evil").build();
    let evil = wheel("qx-evil", "1.0");
    for file in [&good, &turned, &evil] {
        theirs.add(file);
    }
    let thief = Setup::before(&theirs).data_in(&data).start();
    for file in [&turned, &evil] {
        thief.wait_for(file);
    }
    let client = client.moved_to(&thief.metadata_url(), &thief.targets_url());
    let got = client.fetch(&[&target_path(&turned), &target_path(&evil)]);
    assert_eq!(got.sha256(&target_path(&evil)), Some(evil.sha256().as_str()));
    let in_use = recover(thief.setup(), last, &["--keep"]);
    assert!(!in_use.status.success(), "{in_use:?}");
    let setup = thief.stop();

    // Without a word nothing is changed.
    let told = recover(&setup, last, &[]);
    assert_eq!(told.status.code(), Some(2), "{told:?}");
    for part in ["qx-evil", "qx_good-2.0-py3-none-any.whl", "2 projects differ"] {
        assert!(stdout(&told).contains(part), "{part}: {told:?}");
    }
    let kept = recover(&setup, last, &["--keep", "--json"]);
    assert!(kept.status.success(), "{kept:?}");
    let thief = setup.start();
    let client = client.moved_to(&thief.metadata_url(), &thief.targets_url());
    let kept = client.fetch(&[&target_path(&evil)]);
    assert!(kept.versions["snapshot"] > got.versions["snapshot"], "{kept:?}");
    assert!(kept.targets[&target_path(&evil)].found);
    let setup = thief.stop();

    let restored = recover(&setup, last, &["--restore", "--json", "--yes"]);
    assert!(restored.status.success(), "{restored:?}");
    let text = stdout(&restored);
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[0]["project"], "qx-evil", "{text}");
    assert_eq!(lines[lines.len() - 2]["summary"]["good"], last, "{text}");
    assert_eq!(lines[lines.len() - 1]["recovered"]["bins"], 16, "{text}");
    setup.fsck();
    let log = stdout(&setup.tool(&["log", "-n", "1"]));
    assert!(log.contains(&format!("recover --to {last} --restore")), "{log}");
    assert!(log.contains("qx-evil  removed  qx_evil-1.0-py3-none-any.whl"), "{log}");

    // The honest mirror has got a file of that name meanwhile: nothing that the thief signed binds it.
    let honest = wheel("qx-good", "2.0");
    assert_ne!(honest.sha256(), turned.sha256());
    mirror.add(&honest);
    let sidecar = Setup::before(&mirror).data_in(&data).start();
    sidecar.wait_for(&honest);
    let client = client.moved_to(&sidecar.metadata_url(), &sidecar.targets_url());
    let paths = [&good, &honest, &evil].map(target_path);
    let page = page_path("qx-evil");
    let got = client.fetch(&[&paths[0], &paths[1], &paths[2], &page]);
    assert_eq!(got.sha256(&paths[0]), Some(good.sha256().as_str()));
    assert_eq!(got.sha256(&paths[1]), Some(honest.sha256().as_str()));
    assert!(!got.targets[&paths[2]].found && !got.targets[&page].found, "{got:?}");
    assert!(got.versions["snapshot"] > kept.versions["snapshot"]);
    assert_eq!(get(&sidecar.file_url(&evil)).status, 404);
    assert_eq!(sidecar.refusals("changed-hash"), 0.0, "{}", sidecar.log());
    sidecar.stop().fsck();
}
