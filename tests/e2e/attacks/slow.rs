//! Slow retrieval: each byte comes before a client's patience ends, and the last one never.

use std::thread;
use std::time::Duration;

use super::scene::Scene;
use super::victim::{Settings, Victim};
use crate::support::attacker::Place;
use crate::support::clients::Installer;
use crate::support::http::Response;
use crate::support::lie::Lie;
use crate::support::tools::need;
use crate::support::{eventually, secs};

/// Bytes. Who has waited for so many has waited for more than a gateway does.
const PATIENT: u64 = 60;

fn trickling(honest: Response) -> Lie {
    Lie::like(honest).trickling(Duration::from_millis(50))
}

fn silent(_: Response) -> Lie {
    Lie::silence()
}

#[test]
fn slow_retrieval() {
    need!(Python);
    let scene = Scene::new("qx-slow");
    let (page, file) = (Place::page(&scene.good), Place::file(&scene.good));
    for place in [&page, &file] {
        for installer in Installer::CURRENT {
            plain_waits(&scene, place, installer);
        }
    }
    let timestamp = Place::role("timestamp");
    for place in [&timestamp, &page, &file] {
        gives_up(&scene, place, trickling);
    }
    gives_up(&scene, &timestamp, silent);
}

fn plain_waits(scene: &Scene, place: &Place, installer: Installer) {
    scene.attacker.forget();
    scene.attacker.alter(place.clone(), trickling);
    thread::scope(|scope| {
        let install = scope.spawn(|| scene.plain(installer));
        eventually("a plain installer that waits", secs(60), || {
            (scene.attacker.taken(place) > PATIENT).then_some(())
        });
        assert!(!install.is_finished());
        scene.attacker.leave();
    });
}

fn gives_up(scene: &Scene, place: &Place, how: fn(Response) -> Lie) {
    scene.attacker.forget();
    scene.attacker.alter(place.clone(), how);
    let settings = Settings { flags: &["--timeout", "1s"], ..Settings::default() };
    let victim = Victim::with(scene, &settings);
    let answer = match place {
        Place::File(_) => victim.file(&scene.good),
        _ => victim.page(&scene.good),
    };
    assert!(matches!(answer.status, 502..=504), "{place:?}: {}", answer.text());
    victim.explains(&answer, &["took longer than"]);
    victim.installs_nothing(&scene.good);
    assert!(scene.attacker.taken(place) < PATIENT, "{place:?}");
    scene.attacker.leave();
    victim.installs(&scene.good);
}
