//! The mirrors and clients alone, without countersign between them: what the other tests stand on.

use std::fs;

use crate::support::clients::{Installer, TufClient, upload};
use crate::support::hostile::{Answer, Hostile};
use crate::support::http::{End, Request, get};
use crate::support::mirror::{Bandersnatch, Devpi, Mirror, Pypiserver};
use crate::support::packages::{Wheel, sdist, wheel};
use crate::support::process::run;
use crate::support::tools::need;
use crate::support::{packages, secs, tools};

/// Files go in and out, installers take them, and the mirror's log tells.
fn works(mirror: &dyn Mirror) {
    let base = wheel("qx-base", "1.0");
    let top = Wheel::new("qx-top", "2.0").requires("qx-base").build();
    let source = sdist("qx-source", "0.1");
    for file in [&base, &top, &source] {
        mirror.add(file);
    }
    let index = mirror.simple_url();
    for installer in Installer::ALL {
        let install = installer.install(&index, ["qx-top", "qx-source"]);
        install.expect(&top).expect(&base).expect(&source);
    }
    Installer::Uv.install_hashed(&index, &[&base, &top]).expect(&top);
    Installer::Pip.install_hashed(&index, &[&base, &top]).expect(&top);
    assert!(mirror.asked_for("/qx-top/") >= 3, "{:?}", mirror.requests());

    let other = Wheel::new("qx-base", "1.0").mark("other").build();
    mirror.tamper(&base, &other.bytes);
    Installer::OldPip.install(&index, ["qx-source"]).expect(&source);
    mirror.delete(&base);
    Installer::Pip.install(&index, ["qx-base"]).expect_refused(&base);
}

#[test]
fn pypiserver_alone() {
    need!(Python, OldPip);
    works(&Pypiserver::start());
}

#[test]
fn devpi_alone() {
    need!(Python, OldPip);
    works(&Devpi::start(true));
}

#[test]
fn bandersnatch_alone() {
    need!(Python, OldPip, Nginx);
    let mirror = Bandersnatch::start();
    works(&mirror);

    // Its page says what it said before the bytes were changed: clients that check hashes refuse.
    let file = wheel("qx-kept", "1.0");
    mirror.add(&file);
    mirror.tamper(&file, &Wheel::new("qx-kept", "1.0").mark("other").build().bytes);
    Installer::Pip.install(&mirror.simple_url(), ["qx-kept"]).expect_refused(&file);
}

#[test]
fn twine_uploads() {
    need!(Python);
    let file = wheel("qx-uploaded", "1.0");
    let mirror = Pypiserver::start();
    let output = upload(mirror.simple_url().trim_end_matches("simple/"), "any", "any", &file);
    assert!(output.status.success(), "{output:?}");
    Installer::Uv.install(&mirror.simple_url(), ["qx-uploaded"]).expect(&file);
}

#[test]
fn tuf_clients_start() {
    need!(Python, TufJs);
    let upstream = Hostile::start();
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("1.root.json");
    fs::write(&root, "{}").expect("a file");
    for client in [
        TufClient::python(&root, &upstream.origin(), &upstream.origin()),
        TufClient::js(&root, &upstream.origin(), &upstream.origin()),
    ] {
        let result = client.try_fetch(&["files/qx/qx-1.0.tar.gz"]);
        assert!(result.error.is_some(), "an empty root is none: {result:?}");
    }
}

#[test]
fn packages_are_the_same_each_time() {
    let file = Wheel::new("qx-same", "1.0").padding(100_000).build();
    assert_eq!(file, Wheel::new("qx-same", "1.0").padding(100_000).build());
    assert_ne!(
        file.sha256(),
        Wheel::new("qx-same", "1.0").padding(100_000).mark("other").build().sha256()
    );
    assert_eq!(packages::sdist("qx-same", "1.0"), packages::sdist("qx-same", "1.0"));
}

#[test]
fn a_bare_client_tells_how_an_answer_ended() {
    let upstream = Hostile::start();
    upstream.answer("/whole", Answer::file(b"12345".as_slice()));
    upstream.answer(
        "/short",
        Answer::Short { content_type: "a/b".into(), promised: 9, body: b"12345".to_vec().into() },
    );
    upstream.answer("/long", Answer::Endless { content_type: "a/b".into(), bytes: 1 << 20 });
    let url = |path: &str| format!("{}{path}", upstream.origin());
    assert_eq!(get(&url("/whole")).end, End::Complete);
    assert_eq!(get(&url("/short")).end, End::Short);
    assert_eq!(get(&url("/short")).text(), "12345");
    assert_eq!(get(&url("/long")).body.len(), 1 << 20);
    assert_eq!(Request::new("HEAD", &url("/whole")).send().header("content-length"), Some("5"));
    assert_eq!(upstream.asked_for("/whole"), 2);
}

/// The memory limit of a test is one that the kernel holds a process to.
#[test]
fn a_limit_on_memory_is_kept() {
    need!(Python);
    let hold = |megabytes: u32| {
        let script = format!("x = bytearray({megabytes} << 20)");
        let limited = "ulimit -d 200000; exec \"$0\" \"$@\"";
        let mut command = std::process::Command::new("sh");
        command.args(["-c", limited]).arg(tools::python("python")).args(["-c", &script]);
        run(&mut command, secs(30)).status.success()
    };
    assert!(hold(50));
    assert!(!hold(400));
}
