//! What was signed once, and was replaced since: an old version with a known weakness is installed as the newest one.

use super::scene::{Old, Scene};
use super::victim::Victim;
use crate::support::attacker::Place;
use crate::support::forge::Repository;
use crate::support::lie::Lie;
use crate::support::tools::need;

/// No metadata is touched.
#[test]
fn replay_of_an_old_page() {
    need!(Python);
    let (scene, old) = Scene::patched("qx-replay");
    let page = old.repository.pages()["qx-replay"].clone();
    scene.attacker.instead(Place::page(&scene.good), Lie::json(page));
    scene.plain_installs(&old.file);

    let victim = Victim::of(&scene);
    victim.refuses_another_page(&scene.good);
    scene.attacker.leave();
    victim.installs(&scene.good);
}

/// All of it as it was: whoever has seen what came after is not deceived.
#[test]
fn rollback_of_the_timestamp() {
    need!(Python);
    let (scene, old) = Scene::patched("qx-timestamp");
    let victim = seen(&scene);
    attack(&scene, &old, &old.repository);

    victim.refuses_page(&scene.good, &["timestamp", "rollback"]);
    scene.attacker.leave();
    victim.installs(&scene.good);
}

/// Who has the online key signs a timestamp that names an old snapshot.
#[test]
fn rollback_of_the_snapshot() {
    need!(Python);
    let (scene, old) = Scene::patched("qx-snapshot");
    let victim = seen(&scene);
    let mut forged = Repository::of(&scene.world.sidecar);
    forged.timestamp.meta = old.repository.timestamp.meta.clone();
    forged.timestamp.version += 1;
    forged.sign_timestamp();
    attack(&scene, &old, &forged);

    victim.refuses_page(&scene.good, &["snapshot", "rollback"]);
    recovers(&scene, &victim, &forged);
}

/// Who has the online key signs a snapshot that names an old bin.
#[test]
fn rollback_of_a_bin() {
    need!(Python);
    let (scene, old) = Scene::patched("qx-bin");
    let victim = seen(&scene);
    let mut forged = Repository::of(&scene.world.sidecar);
    let bin = format!("{}.json", forged.bin_of("qx-bin"));
    let entry = old.repository.snapshot.meta[&bin].clone();
    assert!(entry.version < forged.snapshot.meta[&bin].version);
    forged.snapshot.meta.insert(bin, entry);
    forged.announce();
    attack(&scene, &old, &forged);

    victim.refuses_page(&scene.good, &["bins-", "rollback"]);
    recovers(&scene, &victim, &forged);
}

#[test]
fn rollback_of_targets() {
    need!(Python);
    rollback_of_an_offline_role("targets", "qx-targets");
}

#[test]
fn rollback_of_bins() {
    need!(Python);
    rollback_of_an_offline_role("bins", "qx-bins");
}

/// A second version of it was signed, by those who hold its key. Who has the online key signs a snapshot that names the first.
fn rollback_of_an_offline_role(role: &str, project: &str) {
    let (scene, old) = Scene::patched(project);
    let mut repository = scene.record().repository;
    repository.roles.get_mut(role).expect("a role").version += 1;
    repository.sign_role(role);
    repository.announce();
    scene.attacker.serve(&repository);
    let victim = seen(&scene);

    let mut forged = repository.clone();
    let file = format!("{role}.json");
    forged.snapshot.meta.insert(file.clone(), old.repository.snapshot.meta[&file].clone());
    forged.announce();
    attack(&scene, &old, &forged);
    victim.refuses_page(&scene.good, &[role, "rollback"]);

    // The repository goes on, and leaves behind what was forged.
    scene.attacker.leave();
    for _ in 0..2 {
        repository.announce();
    }
    scene.attacker.serve(&repository);
    victim.installs(&scene.good);
}

/// A root that was replaced comes back as the next one; and whoever knows the newer one does not go back to the old keys.
#[test]
fn rollback_of_the_root() {
    need!(Python);
    let (scene, old) = Scene::patched("qx-root");
    let mut repository = scene.record().repository;
    repository.rotate_online();
    scene.attacker.serve(&repository);
    let victim = seen(&scene);

    let first = repository.files()["1.root.json"].clone();
    let second = repository.files()["2.root.json"].clone();
    for root in [first, second] {
        attack(&scene, &old, &old.repository);
        scene.attacker.instead(Place::metadata("3.root.json"), Lie::json(root));
        victim.refuses_page(&scene.good, &["root", "was announced"]);
    }
    // The newer root is hidden: what the old key signed is not taken any more.
    scene.attacker.leave();
    attack(&scene, &old, &old.repository);
    victim.refuses_page(&scene.good, &["timestamp", "signed by 0"]);

    scene.attacker.leave();
    scene.attacker.serve(&repository);
    victim.installs(&scene.good);
}

/// A gateway that has seen the newest state.
fn seen(scene: &Scene) -> Victim {
    let victim = Victim::of(scene);
    victim.installs(&scene.good);
    victim
}

/// The attacker replays what was recorded, but for this metadata. No plain installer looks at any of it.
fn attack(scene: &Scene, old: &Old, metadata: &Repository) {
    scene.attacker.serve(&old.repository);
    for (name, bytes) in metadata.files() {
        scene.attacker.instead(Place::metadata(name), Lie::json(bytes.clone()));
    }
    scene.plain_installs(&old.file);
}

/// The attacker goes; the sidecar's own versions must pass those that were forged.
fn recovers(scene: &Scene, victim: &Victim, forged: &Repository) {
    scene.outrun(forged);
    scene.attacker.leave();
    victim.installs(&scene.good);
}
