//! Keys in the wrong hands: what they can do, and how it ends.

use std::fs;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::scene::Scene;
use super::victim::{Victim, first_use};
use crate::support::attacker::Place;
use crate::support::forge::{Keys, Repository, new_key};
use crate::support::lie::Lie;
use crate::support::tools::need;

/// A whole repository, with a chain of roots, by keys that nobody trusts.
#[test]
fn a_repository_of_strangers() {
    need!(Python);
    let scene = Scene::new("qx-strangers");
    let mut forged = scene.forge_by(Keys::strange());
    forged.announce();
    attack(&scene, &forged);
    let victim = Victim::of(&scene);
    victim.refuses_page(&scene.good, &["timestamp", "signed by 0"]);

    forged.rotate_online();
    attack(&scene, &forged);
    victim.refuses_page(&scene.good, &["root", "signed by 0"]);
    scene.attacker.leave();
    victim.installs(&scene.good);
}

/// The attacker is there from the first moment: what vouches for nothing is not even pinned.
#[test]
fn a_first_use() {
    need!(Python);
    let scene = Scene::new("qx-first");
    let mut forged = scene.forge_by(Keys::strange());
    forged.rotate_root();
    forged.announce();
    attack(&scene, &forged);
    let own = forged.files()["2.root.json"].clone();
    scene.attacker.instead(Place::metadata("1.root.json"), Lie::json(own));
    let root = scene.world.sidecar.root();
    let right = hex::encode(Sha256::digest(fs::read(&root).expect("a root")));
    for (flag, value, why) in [
        ("--root", root.to_str().expect("a name"), "signed by 0"),
        ("--root-sha256", &right, &right),
    ] {
        let (output, pinned) = first_use(&scene, &[flag, value]);
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(why), "{said}");
        assert_eq!(pinned, json!([]), "{said}");
    }
}

/// Who has stolen the online key signs what he likes; nobody can tell, until the offline keys put another in its place. From then on
/// the stolen one is worth nothing, also to those who were deceived.
#[test]
fn compromise_of_the_online_key() {
    need!(Python);
    let scene = Scene::new("qx-online");
    let mut forged = scene.forge();
    forged.announce();
    attack(&scene, &forged);
    let deceived = Victim::of(&scene);
    deceived.installs(&scene.evil);

    let mut repository = scene.record().repository;
    repository.rotate_online();
    scene.attacker.leave();
    scene.attacker.serve(&repository);
    deceived.installs(&scene.good);
    let careful = Victim::of(&scene);
    careful.installs(&scene.good);

    for _ in 0..3 {
        forged.announce();
    }
    attack(&scene, &forged);
    for victim in [&deceived, &careful] {
        victim.refuses_page(&scene.good, &["timestamp", "signed by 0"]);
    }
    scene.attacker.leave();
    scene.attacker.serve(&repository);
    for victim in [&deceived, &careful] {
        victim.installs(&scene.good);
    }
}

/// The stolen online key makes versions that the repository will never reach: all that is right looks like a rollback, until the
/// offline keys put another key in its place.
#[test]
fn fast_forward_and_recovery() {
    need!(Python);
    let scene = Scene::new("qx-forward");
    let mut forged = Repository::of(&scene.world.sidecar);
    let bin = forged.bin_of("qx-forward");
    forged.roles.get_mut(&bin).expect("a bin").version = FAR;
    forged.sign_role(&bin);
    (forged.snapshot.version, forged.timestamp.version) = (FAR, FAR);
    forged.announce();
    scene.attacker.serve(&forged);
    scene.plain_installs(&scene.good);
    let victim = Victim::of(&scene);
    victim.installs(&scene.good);

    scene.attacker.leave();
    victim.refuses_page(&scene.good, &["timestamp", "rollback"]);
    let mut repository = scene.record().repository;
    repository.rotate_online();
    scene.attacker.serve(&repository);
    victim.installs(&scene.good);
}

/// More than any repository publishes.
const FAR: u64 = 1 << 52;

/// A root key that was replaced signs one more root, which trusts the thief's online key.
#[test]
fn compromise_of_an_old_root_key() {
    need!(Python);
    let scene = Scene::new("qx-old-root");
    let stolen = Keys::of(&scene.world.sidecar).root;
    let mut repository = scene.record().repository;
    repository.rotate_root();
    scene.attacker.serve(&repository);
    let victim = Victim::of(&scene);
    victim.installs(&scene.good);

    let mut forged = scene.forge();
    forged.root = repository.root.clone();
    forged.keys.root = stolen;
    forged.keys.online = new_key();
    forged.rotate_online();
    attack(&scene, &forged);
    victim.refuses_page(&scene.good, &["root", "signed by 0"]);
    scene.attacker.leave();
    scene.attacker.serve(&repository);
    victim.installs(&scene.good);
}

/// Metadata and page that fit each other, with the evil wheel.
fn attack(scene: &Scene, forged: &Repository) {
    scene.attacker.serve(forged);
    scene.hand_out(&scene.evil);
    scene.plain_installs(&scene.evil);
}
