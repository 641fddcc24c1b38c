//! Freeze: nothing newer is let through. What was verified holds until it expires, and no longer.

use std::sync::Arc;

use super::scene::{Old, Scene, World};
use super::victim::{Settings, Victim, says};
use crate::support::attacker::Place;
use crate::support::clients::Installer;
use crate::support::clock::WrongClock;
use crate::support::lie::Lie;
use crate::support::packages::wheel;
use crate::support::tools::need;

/// A timestamp and a snapshot are valid for one.
const DAYS: i64 = 2 * 86_400;

/// The sidecar and the gateway live by one clock.
struct Frozen {
    clock: WrongClock,
    scene: Scene,
    old: Old,
}

impl Frozen {
    fn new(project: &str) -> Self {
        let clock = WrongClock::new();
        let world = Arc::new(World::start(|setup| setup.clock(&clock)));
        let (scene, old) = Scene::of(world, wheel(project, "1.0")).patch();
        Self { clock, scene, old }
    }

    fn victim(&self) -> Victim {
        Victim::with(&self.scene, &Settings { clock: Some(&self.clock), ..Settings::default() })
    }
}

/// The same signed state again and again: no check fails until it expires, and then it does.
#[test]
fn indefinite_freeze() {
    need!(Python, Faketime);
    let frozen = Frozen::new("qx-frozen");
    let Frozen { clock, scene, old } = &frozen;
    scene.attacker.serve(&old.repository);
    let victim = frozen.victim();
    victim.installs(&old.file);

    clock.turn(DAYS);
    scene.plain_installs(&old.file);
    victim.refuses_page(&scene.good, &["timestamp", "expired"]);
    scene.attacker.leave();
    scene.renew();
    victim.installs(&scene.good);
}

/// There is no timestamp to be had. What was verified is good until it expires; who has verified nothing gets nothing.
#[test]
fn withheld_timestamp() {
    need!(Python, Faketime);
    let frozen = Frozen::new("qx-withheld");
    let Frozen { clock, scene, old } = &frozen;
    scene.attacker.serve(&old.repository);
    let victims: Vec<_> = (0..3).map(|_| frozen.victim()).collect();
    for victim in &victims {
        victim.installs(&old.file);
    }
    let timestamp = Place::role("timestamp");
    let lies = [Lie::status(404), Lie::status(503), Lie::json(Vec::new()).promising(900)];
    for (victim, lie) in victims.iter().zip(&lies) {
        scene.attacker.instead(timestamp.clone(), lie.clone());
        victim.refreshes(scene);
        victim.installs(&old.file);
        victim.expect_logged(&["timestamp"]);
        let new = frozen.victim();
        let answer = new.page(&scene.good);
        assert!(matches!(answer.status, 502..=504), "{}", answer.text());
        says(&answer, &["timestamp"]);
        new.installs_nothing(&scene.good);
    }

    clock.turn(DAYS);
    scene.plain_installs(&old.file);
    for victim in &victims {
        victim.refuses_page(&scene.good, &["expired"]);
    }
    scene.attacker.leave();
    scene.renew();
    for victim in &victims {
        victim.installs(&scene.good);
    }
}

/// What is there looks as if it were not: uv asks the next index then, where anybody may have put the name.
#[test]
fn withheld_page() {
    need!(Python);
    let scene = Scene::new("qx-hidden");
    let public = Scene::of(scene.world.clone(), scene.good.clone());
    public.replace();
    let public = public.attacker.simple_url();
    let page = Place::page(&scene.good);
    scene.attacker.instead(page.clone(), Lie::status(404));
    let plain = scene.attacker.simple_url();
    Installer::install_from_either(&plain, &public, "qx-hidden").expect(&scene.evil);

    let bin = scene.record().repository.bin_of("qx-hidden");
    let roles = ["snapshot", "targets", "bins", &bin].map(Place::role);
    for place in roles.into_iter().chain([page]) {
        scene.attacker.leave();
        scene.attacker.instead(place.clone(), Lie::status(404));
        let victim = Victim::of(&scene);
        let answer = victim.page(&scene.good);
        assert!(matches!(answer.status, 502..=504), "{place:?}: {}", answer.status);
        victim.explains(&answer, &[]);
        let index = victim.simple_url();
        let install = Installer::install_from_either(&index, &public, "qx-hidden");
        install.expect_refused(&scene.evil);
    }
    scene.attacker.leave();
    Victim::of(&scene).installs(&scene.good);
}
