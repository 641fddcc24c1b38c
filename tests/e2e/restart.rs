//! It restarts: what was published stays, whenever it ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use crate::support::mirror::{Bandersnatch, Mirror, Pypiserver};
use crate::support::packages::{Wheel, wheel};
use crate::support::sidecar::{Setup, page_path, signed_tree, target_path};
use crate::support::tools::need;
use crate::support::{eventually, secs};

#[test]
fn a_kill_changes_nothing_that_is_signed() {
    need!(Python, TufJs);
    let mirror = Pypiserver::start();
    let file = wheel("qx-stays", "1.0");
    mirror.add(&file);
    let sidecar = Setup::before(&mirror).at_fixed_ports().start();
    sidecar.wait_for(&file);
    let (python, js) = (sidecar.python_tuf(), sidecar.tuf_js());
    let paths = [page_path("qx-stays"), target_path(&file)];
    let paths = [paths[0].as_str(), paths[1].as_str()];
    let before = python.fetch(&paths);
    js.fetch(&paths);
    let versions = sidecar.versions();
    let data = sidecar.data();
    let stored = signed_tree(&data);

    let setup = sidecar.kill9();
    assert_eq!(signed_tree(&data), stored);
    let sidecar = setup.start();
    let after = python.fetch(&paths);
    js.fetch(&paths);
    assert_eq!(before.versions, after.versions);
    assert_eq!(before.targets, after.targets);

    // It looked at the mirror again, and found nothing to sign.
    let asked = mirror.asked_for("/qx-stays/");
    eventually("more polls", secs(60), || {
        (mirror.asked_for("/qx-stays/") >= asked + 3).then_some(())
    });
    assert_eq!(sidecar.versions(), versions);
    assert_eq!(signed_tree(&data), stored);
}

/// Killed at whatever it is doing, again and again: clients with a state never see anything go back.
#[test]
fn kills_amid_publications_lose_nothing() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    let first = wheel("qx-busy", "1.0");
    mirror.add(&first);
    let mut sidecar =
        Setup::before(&mirror).set("watch.interval", "100ms").at_fixed_ports().start();
    sidecar.wait_for(&first);
    let client = sidecar.python_tuf();
    let mut versions = client.fetch(&[]).versions;
    for round in 1_u64..=8 {
        let file = wheel("qx-busy", &format!("1.{round}"));
        mirror.add(&file);
        // Not a wait for anything: another instant each time.
        sleep(Duration::from_millis(round * 37));
        sidecar = sidecar.kill9().start();
        let now = client.fetch(&[&page_path("qx-busy")]).versions;
        for role in ["timestamp", "snapshot", "targets", "root"] {
            assert!(now[role] >= versions[role], "{role} went back: {versions:?} to {now:?}");
        }
        versions = now;
        sidecar.wait_for(&file);
    }
    let result = client.fetch(&[&target_path(&first)]);
    assert_eq!(result.sha256(&target_path(&first)), Some(first.sha256().as_str()));
}

#[test]
fn a_second_process_on_the_folder_is_refused() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    let file = wheel("qx-one", "1.0");
    mirror.add(&file);
    let mut sidecar = Setup::before(&mirror).start();
    sidecar.wait_for(&file);
    let output = sidecar.setup().refused();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    let sentence = said.lines().find(|line| line.starts_with("countersign: ")).expect("a sentence");
    assert!(sentence.contains("countersign-data"), "it names the folder: {sentence}");
    assert!(sidecar.process().is_running());
    assert_eq!(sidecar.listed(&file), Some(file.sha256()));
}

#[test]
fn a_shutdown_lets_a_download_finish() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    let file = Wheel::new("qx-slow", "1.0").padding(32 * 1024 * 1024).build();
    mirror.add(&file);
    let mut sidecar = Setup::before(&mirror).set("cache.file-limit", "1 MiB").start();
    sidecar.wait_for(&file);

    let authority = sidecar.origin.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&authority).expect("a connection");
    let request =
        format!("GET /tuf/targets/{} HTTP/1.1\r\nHost: {authority}\r\n\r\n", target_path(&file));
    stream.write_all(request.as_bytes()).expect("a request");
    let mut first = [0; 1];
    stream.read_exact(&mut first).expect("an answer that begins");
    sidecar.process().signal("TERM");
    eventually("no new connections", secs(30), || {
        TcpStream::connect(&authority).is_err().then_some(())
    });
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the whole answer");
    assert!(answer.ends_with(&file.bytes), "{} bytes came", answer.len());
    let status = sidecar.process().wait(secs(60));
    assert_eq!(status.code(), Some(0));
}

#[test]
fn after_a_shutdown_it_starts_where_it_was() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    let file = wheel("qx-again", "1.0");
    mirror.add(&file);
    let sidecar = Setup::before(&mirror).start();
    sidecar.wait_for(&file);
    let versions = sidecar.versions();
    let sidecar = sidecar.stop().start();
    assert_eq!(sidecar.versions(), versions);
    assert_eq!(sidecar.listed(&file), Some(file.sha256()));
}
