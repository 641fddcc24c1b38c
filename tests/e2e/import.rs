//! Roles that people signed with another tool, and a repository of another making that goes on here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::maintenance::Web;
use crate::support::clients::TufClient;
use crate::support::mirror::{Bandersnatch, Mirror};
use crate::support::packages::{Package, wheel};
use crate::support::process::run;
use crate::support::secs;
use crate::support::sidecar::{Setup, Sidecar, page_path, target_path};
use crate::support::tools::{need, python};

/// What python-tuf made: see `offline_roles.py`.
struct Foreign(TempDir);

impl Foreign {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/offline_roles.py");
        let made = run(Command::new(python("python")).arg(script).arg(folder.path()), secs(120));
        assert!(made.status.success(), "{made:?}");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Hands the online key over.
    fn give_key(&self, setup: &Setup) {
        fs::create_dir_all(setup.data()).expect("a folder");
        fs::copy(self.path("online.pem"), setup.data().join("online.pem")).expect("a copy");
    }

    fn import(&self, setup: &Setup) -> Output {
        let [from, targets, bins] = ["metadata", "next/targets.json", "next/bins.json"]
            .map(|name| self.path(name).to_str().expect("a name").to_owned());
        setup.tool(&["import", "--from", &from, "--targets", &targets, "--bins", &bins])
    }
}

fn text(output: &Output) -> String {
    let both = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    both.concat()
}

fn published(mirror: &Bandersnatch, setup: Setup) -> (Sidecar, Package) {
    let file = wheel("qx-new", "1.0");
    mirror.add(&file);
    let sidecar = setup.start();
    sidecar.wait_for(&file);
    (sidecar, file)
}

#[test]
fn clients_of_another_repository_go_on_with_what_they_know() {
    need!(Python, TufJs, Nginx);
    let (foreign, mirror) = (Foreign::new(), Bandersnatch::start());
    let web = Web::over(foreign.0.path(), &foreign.path("log"));
    let [metadata, targets] = web.urls();
    let root = foreign.path("metadata/1.root.json");
    let client = TufClient::python(&root, &metadata, &targets);
    let before = client.fetch(&["claimed/x"]);
    assert_eq!((before.versions["root"], before.versions["timestamp"]), (2, 8));
    assert!(before.targets["claimed/x"].found);

    let setup = Setup::before(&mirror);
    let refused = foreign.import(&setup);
    assert!(!refused.status.success() && text(&refused).contains("online"), "{refused:?}");
    foreign.give_key(&setup);
    let imported = foreign.import(&setup);
    assert!(imported.status.success(), "{imported:?}");
    for part in
        ["SHA-256 of 1.root.json", "served on as they were: claimed", "timestamp 9 and snapshot 6"]
    {
        assert!(text(&imported).contains(part), "{part}: {imported:?}");
    }
    assert!(!setup.data().join("offline-keys").exists(), "no key is made");
    setup.fsck();
    let again = foreign.import(&setup);
    assert!(!again.status.success() && text(&again).contains("already"), "{again:?}");

    let (sidecar, file) = published(&mirror, setup);
    let (page, path) = (page_path("qx-new"), target_path(&file));
    let client = client.moved_to(&sidecar.metadata_url(), &sidecar.targets_url());
    // The metadata of the role that was there before is served on; the bytes of its targets are not ours.
    let after = client.fetch(&[&page, &path, "claimed/none"]);
    assert_eq!(after.sha256(&path), Some(file.sha256().as_str()));
    assert!(after.sha256(&page).is_some() && !after.targets["claimed/none"].found);
    assert_eq!(after.versions["targets"], 4);
    assert!(after.versions["timestamp"] > 8, "{after:?}");
    let other = client.try_fetch(&["claimed/x"]);
    assert!(other.error.is_some(), "{other:?}");
    for client in [
        TufClient::python(&root, &sidecar.metadata_url(), &sidecar.targets_url()),
        TufClient::js(&root, &sidecar.metadata_url(), &sidecar.targets_url()),
    ] {
        assert_eq!(client.fetch(&[&path]).sha256(&path), Some(file.sha256().as_str()));
    }
    let setup = sidecar.stop();
    setup.fsck();
    let export = tempfile::tempdir().expect("a folder");
    let to = export.path().join("tuf");
    let exported = setup.tool(&["export", "--to", to.to_str().expect("a name")]);
    assert!(exported.status.success(), "{exported:?}");
    assert!(to.join("metadata/2.claimed.json").exists());
}

#[test]
fn a_repository_is_made_of_what_people_signed() {
    need!(Python, Nginx);
    let (foreign, mirror) = (Foreign::new(), Bandersnatch::start());
    let setup = Setup::before(&mirror);
    foreign.give_key(&setup);
    let folder = foreign.path("first");
    let made = setup.tool(&["init", "--signed", folder.to_str().expect("a name")]);
    assert!(made.status.success(), "{made:?}");
    assert!(text(&made).contains("2 of the 2 keys of root 1 (2 needed)"), "{made:?}");
    assert!(!setup.data().join("offline-keys").exists(), "no key is made");
    setup.fsck();
    let (sidecar, file) = published(&mirror, setup);
    let root = folder.join("root.json");
    let client = TufClient::python(&root, &sidecar.metadata_url(), &sidecar.targets_url());
    let path = target_path(&file);
    assert_eq!(client.fetch(&[&path]).sha256(&path), Some(file.sha256().as_str()));
}

#[test]
fn what_too_few_signed_makes_no_repository() {
    need!(Python, Nginx);
    let (foreign, mirror) = (Foreign::new(), Bandersnatch::start());
    let setup = Setup::before(&mirror);
    foreign.give_key(&setup);
    let root = foreign.path("first/root.json");
    let mut signed: serde_json::Value =
        serde_json::from_slice(&fs::read(&root).expect("a file")).expect("JSON");
    signed["signatures"].as_array_mut().expect("a list").pop();
    fs::write(&root, signed.to_string()).expect("a file");
    let folder = foreign.path("first");
    let refused = setup.tool(&["init", "--signed", folder.to_str().expect("a name")]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(text(&refused).contains("signed by 1 of the 2 keys"), "{refused:?}");
    assert!(!setup.data().join("repository/root/1.root.json").exists());
}
