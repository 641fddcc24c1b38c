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

#[test]
fn slow_retrieval() {
    need!(Python);
    let scene = Scene::new("qx-slow");
    for place in [Place::page(&scene.good), Place::file(&scene.good)] {
        scene.attacker.alter(place.clone(), trickling);
        for installer in Installer::CURRENT {
            scene.attacker.forget();
            thread::scope(|scope| {
                let install = scope.spawn(|| scene.plain(installer));
                eventually("a plain installer that waits", secs(60), || {
                    (scene.attacker.taken(&place) > PATIENT).then_some(())
                });
                assert!(!install.is_finished());
                scene.attacker.leave();
            });
            scene.attacker.alter(place.clone(), trickling);
        }
        scene.attacker.leave();
    }
    let settings = Settings { flags: &["--timeout", "1s"], ..Settings::default() };
    for place in [Place::role("timestamp"), Place::page(&scene.good), Place::file(&scene.good)] {
        scene.attacker.forget();
        scene.attacker.alter(place.clone(), trickling);
        let victim = Victim::with(&scene, &settings);
        let answer = match &place {
            Place::File(_) => victim.file(&scene.good),
            _ => victim.page(&scene.good),
        };
        assert!(matches!(answer.status, 502..=504), "{place:?}: {}", answer.text());
        victim.explains(&answer, &["took longer than"]);
        victim.installs_nothing(&scene.good);
        assert!(scene.attacker.taken(&place) < PATIENT, "{place:?}");
        scene.attacker.leave();
        victim.installs(&scene.good);
    }
}
