//! The mirrors and clients alone, without countersign between them: what the other tests stand on.

use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::support::clients::{Installer, TufClient, upload};
use crate::support::hostile::{Answer, Hostile};
use crate::support::http::{End, Request, get};
use crate::support::mirror::{Bandersnatch, Devpi, Mirror, Pypiserver};
use crate::support::packages::{Wheel, sdist, wheel};
use crate::support::process::run;
use crate::support::sidecar::tree;
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
    mirror.add(&other);
    Installer::Pip.install(&index, ["qx-base"]).expect(&other);
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

/// Both verify what python-tuf itself signed, and refuse it once a byte is other.
#[test]
fn tuf_clients_alone() {
    need!(Python, TufJs);
    const TARGET: &str = "files/qx/qx-1.0.tar.gz";
    let folder = tempfile::tempdir().expect("a folder");
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients");
    let mut make = Command::new(tools::python("python"));
    make.arg(scripts.join("small_repository.py")).arg(folder.path()).arg(TARGET);
    assert!(run(&mut make, secs(60)).status.success());
    let upstream = Hostile::start();
    for (path, bytes) in tree(folder.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        upstream.answer(&format!("/{name}"), Answer::file(bytes.clone()));
        upstream.answer(&format!("/files/qx/{name}"), Answer::file(bytes));
    }
    let root = folder.path().join("1.root.json");
    let clients = || {
        [TufClient::python, TufClient::js]
            .map(|new| new(&root, &upstream.origin(), &upstream.origin()))
    };
    for client in clients() {
        for _ in 0..2 {
            let result = client.fetch(&[TARGET, "files/qx/none"]);
            assert_eq!(result.targets[TARGET].length, Some(5));
            assert!(!result.targets["files/qx/none"].found);
            assert_eq!(result.versions["snapshot"], 1);
        }
    }
    let name = format!("/files/qx/{}.qx-1.0.tar.gz", hex::encode(Sha256::digest(b"hello")));
    upstream.answer(&name, Answer::file("hallo"));
    for client in clients() {
        assert!(client.try_fetch(&[TARGET]).error.is_some());
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
        let mut command = Command::new("sh");
        command.args(["-c", limited]).arg(tools::python("python")).args(["-c", &script]);
        run(&mut command, secs(30)).status.success()
    };
    assert!(hold(50));
    assert!(!hold(400));
}
