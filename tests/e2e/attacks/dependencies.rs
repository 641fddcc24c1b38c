//! Extraneous dependencies: the software is the right one, and brings a parasite.

use super::scene::{Scene, relist};
use super::victim::Victim;
use crate::support::attacker::Place;
use crate::support::clients::{Install, Installer};
use crate::support::lie::Lie;
use crate::support::packages::{Package, Wheel, wheel};
use crate::support::tools::need;

struct Parasite {
    scene: Scene,
    parasite: Package,
    /// The good wheel, but for its dependency.
    host: Package,
}

impl Parasite {
    fn new(project: &str) -> Self {
        let scene = Scene::new(project);
        let parasite = wheel(&format!("{project}-parasite"), "1.0");
        scene.invent(&parasite);
        let host = Wheel::new(project, "1.0").requires(&parasite.project).build();
        Self { scene, parasite, host }
    }

    fn brought_by(&self, install: &Install) -> bool {
        install.mark(&self.parasite).is_some()
    }

    fn stays_away(&self, victim: &Victim) {
        for installer in Installer::CURRENT {
            assert!(!self.brought_by(&victim.install(installer, &self.scene.good)));
        }
        assert_ne!(victim.file(&self.parasite).status, 200);
        self.scene.attacker.leave();
        let victim = Victim::of(&self.scene);
        victim.installs(&self.scene.good);
        assert!(!self.brought_by(&victim.install(Installer::Uv, &self.scene.good)));
    }
}

/// The core metadata alone: its hash on the page stops plain installers too.
#[test]
fn a_dependency_in_core_metadata() {
    need!(Python);
    let it = Parasite::new("qx-core");
    let place = Place::core_metadata(&it.scene.good);
    it.scene.attacker.instead(place, Lie::bytes(it.host.core_metadata()));
    it.scene.plain_refuses();

    let victim = Victim::of(&it.scene);
    let answer = victim.core_metadata(&it.scene.good);
    assert_eq!(answer.status, 403);
    super::victim::says(&answer, &["SHA-256"]);
    victim.expect_logged(&["metadata", "SHA-256"]);
    it.stays_away(&victim);
}

/// The page does not name the hash any more. uv believes the core metadata; pip compares it with the wheel.
#[test]
fn a_dependency_in_page_and_core_metadata() {
    need!(Python);
    let it = Parasite::new("qx-bare");
    it.scene.alter_page(|page| page["files"][0]["core-metadata"] = true.into());
    let place = Place::core_metadata(&it.scene.good);
    it.scene.attacker.instead(place, Lie::bytes(it.host.core_metadata()));
    assert!(it.brought_by(&it.scene.plain(Installer::Uv)));
    it.scene.plain(Installer::Pip).expect_refused(&it.scene.good);

    let victim = Victim::of(&it.scene);
    victim.refuses_another_page(&it.scene.good);
    it.stays_away(&victim);
}

/// In the wheel's own METADATA, and on the page.
#[test]
fn a_dependency_in_the_wheel() {
    need!(Python);
    let it = Parasite::new("qx-host");
    it.scene.alter_page(|page| relist(page, &it.host));
    it.scene.hand_out(&it.host);
    for installer in Installer::CURRENT {
        assert!(it.brought_by(&it.scene.plain(installer)));
    }

    let victim = Victim::of(&it.scene);
    victim.refuses_another_page(&it.scene.good);
    it.stays_away(&victim);
}
