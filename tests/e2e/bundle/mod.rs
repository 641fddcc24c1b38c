//! A bundle: made while there is a network, used where there is none.

mod scene;

use std::fs;
use std::io::Read;

use serde_json::json;
use sha2::{Digest, Sha256};

use self::scene::{Gateway, Scene, Site, create, sentence, text};
use crate::support::clients::{Installer, TufClient};
use crate::support::clock::WrongClock;
use crate::support::gateway::index_url;
use crate::support::hostile::{Answer, Hostile, link};
use crate::support::mirror::{Bandersnatch, Devpi, Mirror};
use crate::support::packages::{Wheel, wheel};
use crate::support::process::{Daemon, run};
use crate::support::secs;
use crate::support::sidecar::{Setup, page_path};
use crate::support::tools::need;

const DAY: i64 = 86_400;

fn installs_without_a_network(mirror: impl Mirror + 'static) {
    let site = Scene::before(mirror).bundled(&[]);
    let gateway = site.gateway(&site.bundle, &[]);
    gateway.installs(&site);
    assert_eq!(gateway.file(&site.source).body, site.source.bytes);
    // Also by the SHA-256 of the root, which is in the bundle.
    let root = hex::encode(Sha256::digest(fs::read(&site.root).expect("a root")));
    drop(gateway);
    let log = site.folder.path().join("other.log");
    let mut command = site.command(&site.bundle, &["--root-sha256", &root]);
    let mut daemon = Daemon::spawn(&mut command, &log);
    let simple_url = daemon.wait_for("the gateway", secs(60), index_url);
    Gateway { daemon, simple_url }.installs(&site);
}

#[test]
fn pip_and_uv_install_from_devpi() {
    need!(Python, Faketime);
    installs_without_a_network(Devpi::start(false));
}

#[test]
fn pip_and_uv_install_from_bandersnatch() {
    need!(Python, Nginx, Faketime);
    installs_without_a_network(Bandersnatch::start());
}

#[test]
fn what_is_not_in_it_is_said_to_be_so() {
    need!(Python, Nginx, Faketime);
    let site = Scene::before(Bandersnatch::start()).bundled(&["--file", "*.whl"]);
    let gateway = site.gateway(&site.bundle, &[]);
    gateway.installs(&site);
    // Its page is whole: nobody takes the file for one that does not exist.
    assert!(gateway.page("qx-base").text().contains(&site.source.filename));
    let words = ["Not in the bundle", &site.source.filename, "is not in this bundle"];
    gateway.refuses(&gateway.file(&site.source), &words[1..]);
    assert_eq!(gateway.file(&site.source).reason, words[0]);
    gateway.refuses(&gateway.page("qx-other"), &["is not in this bundle"]);
    for installer in Installer::CURRENT {
        installer.install(&gateway.simple_url, ["qx-other"]).expect_refused(&site.other);
    }
}

#[test]
fn altered_bytes_are_refused() {
    need!(Python, Nginx, Faketime);
    let site = Scene::before(Bandersnatch::start()).bundled(&[]);
    for role in ["timestamp.json", "snapshot.json", "1.targets.json"] {
        let said = site.refused(&site.altered(role), &[]);
        let role = role.trim_end_matches(".json").trim_start_matches("1.");
        assert!(said.contains(role), "{said}");
    }
    // The root that is given counts, and not the one in the bundle.
    site.gateway(&site.altered("1.root.json"), &[]).installs(&site);

    let page = "vnd.pypi.simple.v1.json";
    let gateway = site.gateway(&site.altered(page), &[]);
    let broken = ["qx-base", "qx-top"].map(|project| gateway.page(project));
    let broken = broken.iter().find(|answer| answer.status != 200).expect("a refusal");
    gateway.refuses(broken, &["its sha256 is", page]);
    for installer in Installer::CURRENT {
        installer.install(&gateway.simple_url, ["qx-top"]).expect_refused(&site.top);
    }
    drop(gateway);

    let gateway = site.gateway(&site.altered(&site.base.filename), &[]);
    gateway.refuses(&gateway.file(&site.base), &[&site.base.filename]);
    for installer in Installer::CURRENT {
        installer.install(&gateway.simple_url, ["qx-top"]).expect_refused(&site.base);
    }
    drop(gateway);
    site.gateway(&site.bundle, &[]).installs(&site);
}

#[test]
fn a_bundle_that_is_none() {
    need!(Python, Nginx, Faketime);
    let site = Scene::before(Bandersnatch::start()).bundled(&[]);
    let whole = fs::read(&site.bundle).expect("a bundle");
    let other = site.folder.path().join("other.bundle");
    for length in [0, 100, whole.len() / 2, whole.len() - 1024, whole.len() - 1] {
        fs::write(&other, &whole[..length]).expect("a bundle");
        assert!(site.refused(&other, &[]).contains("no whole bundle"));
    }
    fs::write(&other, [&whole[..], b"more"].concat()).expect("a bundle");
    assert!(site.refused(&other, &[]).contains("follows"));
    assert!(site.refused(&site.folder.path().join("none"), &[]).contains("No such file"));

    // Nothing is trusted because a bundle says so.
    let output = run(&mut site.command(&site.bundle, &[]), secs(60));
    assert!(sentence(&output, 2).contains("cannot vouch for itself"));
    let elsewhere = Setup::before(&Bandersnatch::start()).bins(16).start();
    let wrong = [text(&elsewhere.root()).to_owned(), "0".repeat(64)];
    for (flag, value) in ["--root", "--root-sha256"].iter().zip(&wrong) {
        let output = run(&mut site.command(&site.bundle, &[flag, value]), secs(60));
        let said = sentence(&output, 1);
        assert!(said.contains("trusted keys") || said.contains("another repository"), "{said}");
    }
}

#[test]
fn an_expired_bundle_needs_a_word() {
    need!(Python, Nginx, Faketime);
    let site = Scene::before(Bandersnatch::start()).bundled(&[]);
    site.clock.turn(30 * DAY);
    let said = site.refused(&site.bundle, &[]);
    assert!(said.contains("expired at") && said.contains("--as-of"), "{said}");
    let gateway = site.gateway(&site.bundle, &["--as-of"]);
    gateway.installs(&site);
    let log = gateway.daemon.log();
    let warned = log.lines().any(|line| line.contains("WARN") && line.contains("--as-of"));
    assert!(warned && log.contains("revoked"), "{log}");
    drop(gateway);
    // The time is the bundle's own, and signed.
    let said = site.refused(&site.altered("timestamp.json"), &["--as-of"]);
    assert!(said.contains("timestamp"), "{said}");
    // A clock that is behind does no harm.
    site.clock.turn(-30 * DAY);
    site.gateway(&site.bundle, &[]).installs(&site);
}

#[test]
fn an_older_bundle_is_a_rollback() {
    need!(Python, Nginx, Faketime);
    let mut scene = Scene::before(Bandersnatch::start());
    let first = scene.create(&["--project", "qx-top", "qx-base"]);
    assert!(first.status.success(), "{first:?}");
    let older = scene.folder.path().join("older.bundle");
    fs::copy(scene.path(), &older).expect("a copy");
    scene.base = wheel("qx-base", "1.1");
    scene.mirror.add(&scene.base);
    scene.sidecar.wait_for(&scene.base);
    let site = scene.bundled(&[]);
    site.gateway(&site.bundle, &[]).installs(&site);
    for more in [&[][..], &["--as-of"]] {
        let said = site.refused(&older, more);
        assert!(
            said.contains("older than one that was used here") && said.contains("--data"),
            "{said}"
        );
    }
    // Somebody else, who has never seen the newer one.
    let gateway = site.gateway(&older, &["--data", "apart"]);
    assert_eq!(gateway.page("qx-base").status, 200);
}

/// Unpacked, it is a TUF repository of its pages.
#[test]
fn other_clients_can_use_it() {
    need!(Python, Nginx, Faketime);
    let site = Scene::before(Bandersnatch::start()).bundled(&[]);
    let (server, bytes) = (Hostile::start(), fs::read(&site.bundle).expect("a bundle"));
    let mut archive = tar::Archive::new(&bytes[..]);
    for entry in archive.entries().expect("a tar file") {
        let mut entry = entry.expect("an entry");
        let (name, mut bytes) = (entry.path().expect("a name").display().to_string(), Vec::new());
        entry.read_to_end(&mut bytes).expect("its bytes");
        server.answer(&format!("/{name}"), Answer::file(bytes));
    }
    let url = |folder: &str| format!("{}/{folder}/", server.origin());
    let client = TufClient::python(&site.root, &url("metadata"), &url("targets"));
    for project in ["qx-top", "qx-base"] {
        let page = page_path(project);
        assert!(client.fetch(&[&page]).targets[&page].found, "{project}");
    }
}

/// What the help promises: a project that is not there is named, and what lay there stays.
#[test]
fn an_unknown_project_is_named() {
    need!(Python, Nginx);
    let scene = Scene::before(Bandersnatch::start());
    fs::write(scene.path(), "the last one").expect("a file");
    let said = sentence(&scene.create(&["--project", "qx-top", "qx-none"]), 1);
    assert!(said.contains("no page of qx-none"), "{said}");
    let list = scene.folder.path().join("requirements.txt");
    fs::write(&list, "-r more.txt\n").expect("a file");
    let said = sentence(&scene.create(&["--requirements", text(&list)]), 2);
    assert!(said.contains("-r more.txt"), "{said}");
    assert_eq!(fs::read(scene.path()).expect("a file"), b"the last one");
    fs::write(&list, "qx-top==2.0 # and what it needs\nqx_base>=1\n").expect("a file");
    let output = scene.create(&["--requirements", text(&list)]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("2 projects, 3 files"), "{output:?}");
}

#[test]
fn core_metadata_is_in_it_and_checked() {
    need!(Python, Faketime);
    let (mirror, file) = (Hostile::start(), wheel("qx-core", "1.0"));
    mirror.publish(&[&file]);
    let mut entry = link(&file);
    entry["core-metadata"] = json!({ "sha256": hex::encode(Sha256::digest(file.core_metadata())) });
    mirror.list(&["qx-core"]);
    mirror.page("qx-core", &[entry]);
    let path = format!("/files/{}.metadata", file.filename);
    mirror.answer(&path, Answer::file(file.core_metadata()));
    let sidecar = Setup::bare(&mirror.simple_url()).bins(16).start();
    sidecar.wait_for(&file);
    let folder = tempfile::tempdir().expect("a folder");
    let output = create(&sidecar, folder.path(), &["--project", "qx-core"]);
    assert!(output.status.success(), "{output:?}");
    let (root, bundle) = (folder.path().join("1.root.json"), folder.path().join("qx.bundle"));
    fs::copy(sidecar.root(), &root).expect("a copy of the root");
    sidecar.stop();
    let [top, base, source, other] = [(); 4].map(|()| file.clone());
    let site = Site { folder, bundle, root, clock: WrongClock::new(), top, base, source, other };
    let gateway = site.gateway(&site.bundle, &[]);
    assert_eq!(gateway.core_metadata(&file).body, file.core_metadata());
    for installer in Installer::CURRENT {
        installer.install(&gateway.simple_url, ["qx-core"]).expect(&file);
    }
    drop(gateway);
    let gateway = site.gateway(&site.altered(".whl.metadata"), &[]);
    gateway.refuses(&gateway.core_metadata(&file), &[&format!("{}.metadata", file.filename)]);
    for installer in Installer::CURRENT {
        installer.install(&gateway.simple_url, ["qx-core"]).expect_refused(&file);
    }
}

/// A sidecar learns of it by being asked, though only what is signed afterwards counts.
#[test]
fn a_sidecar_on_demand() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    let file = wheel("qx-demand", "1.0");
    mirror.add(&file);
    let sidecar = Setup::before(&mirror).bins(16).set("watch.mode", "on-demand").start();
    let folder = tempfile::tempdir().expect("a folder");
    let output = create(&sidecar, folder.path(), &["--project", "Qx.Demand"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 projects, 1 files"), "{output:?}");
}

/// A mirror that hands out other bytes than it lists.
#[test]
fn nothing_unverified_gets_into_a_bundle() {
    need!(Python, Nginx);
    let scene = Scene::before(Bandersnatch::start());
    let large = Wheel::new("qx-top", "3.0").padding(300 << 10).build();
    scene.mirror.add(&large);
    scene.sidecar.wait_for(&large);
    let root = scene.sidecar.root();
    scene.mirror.tamper(&large, &vec![0; large.bytes.len()]);
    let said = sentence(&scene.create(&["--project", "qx-top"]), 1);
    assert!(said.contains(&large.filename), "{said}");
    assert!(!scene.path().exists() && root.exists());
    let left = fs::read_dir(scene.folder.path()).expect("a folder").flatten();
    assert!(left.into_iter().all(|entry| !entry.file_name().to_string_lossy().contains("part")));
}
