//! Metadata and pages of different moments, or from different places, each of them signed.

use super::scene::Scene;
use super::victim::Victim;
use crate::support::attacker::Place;
use crate::support::forge::Repository;
use crate::support::lie::Lie;
use crate::support::packages::wheel;
use crate::support::tools::need;

/// The old bin under the name of the new one; the page fits the bin.
#[test]
fn a_bin_of_another_snapshot() {
    need!(Python);
    let (scene, old) = Scene::patched("qx-mixed-bin");
    let new = scene.record().repository;
    let bin = new.bin_of("qx-mixed-bin");
    let page = old.repository.pages()["qx-mixed-bin"].clone();
    scene.attacker.instead(Place::role(&bin), Lie::json(old.repository.file(&bin).to_vec()));
    scene.attacker.instead(Place::page(&scene.good), Lie::json(page));
    scene.plain_installs(&old.file);

    let victim = Victim::of(&scene);
    victim.refuses_page(&scene.good, &[&bin, "mix-and-match"]);
    scene.attacker.leave();
    victim.installs(&scene.good);
}

/// The old snapshot under the name of the new one; bin and page fit it.
#[test]
fn a_snapshot_of_another_timestamp() {
    need!(Python);
    let (scene, old) = Scene::patched("qx-mixed-snapshot");
    let timestamp = scene.record().repository.file("timestamp").to_vec();
    scene.attacker.serve(&old.repository);
    scene.attacker.instead(Place::role("timestamp"), Lie::json(timestamp));
    let snapshot = old.repository.file("snapshot").to_vec();
    scene.attacker.instead(Place::role("snapshot"), Lie::json(snapshot));
    scene.plain_installs(&old.file);

    let victim = Victim::of(&scene);
    victim.refuses_page(&scene.good, &["snapshot", "signed"]);
    scene.attacker.leave();
    victim.installs(&scene.good);
}

/// One role's metadata under the name of another.
#[test]
fn a_role_under_the_name_of_another() {
    need!(Python);
    let scene = Scene::new("qx-mixed-role");
    let now = scene.record().repository;
    let bin = now.bin_of("qx-mixed-role");
    let swaps = [
        ("timestamp", "snapshot"),
        ("snapshot", "timestamp"),
        ("targets", "bins"),
        ("bins", "targets"),
        (&bin, "bins"),
    ];
    for (name, other) in swaps {
        scene.attacker.instead(Place::role(name), Lie::json(now.file(other).to_vec()));
        let victim = Victim::of(&scene);
        victim.refuses_page(&scene.good, &[name]);
        scene.attacker.leave();
    }
    Victim::of(&scene).installs(&scene.good);
}

/// Another bin of the same version, signed by the same key: it does not list the project, which must not look as if there were none,
/// since uv would then ask the next index.
#[test]
fn a_bin_under_the_name_of_another() {
    need!(Python);
    let scene = Scene::alone("qx-bin");
    let bin = scene.record().repository.bin_of("qx-bin");
    let other = (0..64).find_map(|n| {
        scene.world.publish(&[&wheel(&format!("qx-other-{n}"), "1.0")]);
        twin(&scene.record().repository, &bin)
    });
    scene.attacker.instead(Place::role(&bin), Lie::json(other.expect("a bin of that version")));

    let victim = Victim::of(&scene);
    victim.refuses_page(&scene.good, &[&bin, "mix-and-match"]);
    scene.attacker.leave();
    victim.installs(&scene.good);
}

/// Another bin of the same version.
fn twin(repository: &Repository, bin: &str) -> Option<Vec<u8>> {
    let version = repository.roles[bin].version;
    let mut bins = repository.roles.iter().filter(|(name, _)| name.starts_with("bins-"));
    let twin = bins.find(|(name, role)| *name != bin && role.version == version);
    twin.map(|(name, _)| repository.file(name).to_vec())
}
