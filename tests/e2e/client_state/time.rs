//! The client's clock is a month off.

use std::sync::Arc;

use super::scene::{Scene, said};
use crate::support::clock::WrongClock;
use crate::support::process::run;
use crate::support::secs;
use crate::support::tools::need;

const MONTH: i64 = 30 * 86_400;

fn off_by(seconds: i64) -> (Scene, Arc<WrongClock>) {
    let mut scene = Scene::new();
    let clock = Arc::new(WrongClock::new());
    clock.turn(seconds);
    scene.clock = Some(clock.clone());
    (scene, clock)
}

/// All is long expired for it: nothing is installed, and it is told to look at its clock.
#[test]
fn a_clock_that_is_ahead() {
    need!(Python, Nginx, Faketime);
    let (mut scene, clock) = off_by(MONTH);
    let before = scene.versions();
    let output = run(&mut scene.refreshing(), secs(60));
    helps(&said(&output));
    // A user who is new here, and one who is not.
    let output = run(&mut scene.gateway_command(scene.folder.path()), secs(60));
    helps(&said(&output));
    clock.turn(0);
    scene.gateway().installs(&scene, &scene.files[0]);
    clock.turn(MONTH);
    let file = scene.publish();
    let gateway = scene.gateway();
    helps(&gateway.refuses().text());
    gateway.installs_nothing(&file);
    scene.has_not_gone_back(&before);
    // Nothing of it stays.
    clock.turn(0);
    scene.fetches(&file);
    gateway.installs(&scene, &file);
    scene.has_the_newest();
}

fn helps(said: &str) {
    assert!(said.contains("expired at") && said.contains("this machine's clock"), "{said}");
}

/// TUF knows no beginning of validity: what is installed is right, and what was trusted still counts.
#[test]
fn a_clock_that_is_behind() {
    need!(Python, Nginx, Faketime);
    let (mut scene, clock) = off_by(-MONTH);
    let file = scene.publish();
    scene.fetches(&file);
    let gateway = scene.gateway();
    gateway.installs(&scene, &file);
    let before = scene.versions();
    clock.turn(0);
    let file = scene.publish();
    scene.fetches(&file);
    gateway.installs(&scene, &file);
    scene.has_not_gone_back(&before);
}

/// The sidecar is gone, so that there is only what was verified before.
#[test]
fn a_clock_that_jumps_while_the_sidecar_is_away() {
    need!(Python, Nginx, Faketime);
    let (scene, clock) = off_by(0);
    let file = scene.files[0].clone();
    let gateway = scene.gateway();
    gateway.installs(&scene, &file);
    let Scene { sidecar, mirror, folder, .. } = scene;
    sidecar.stop();
    drop(mirror);
    clock.turn(-MONTH);
    gateway.installs_what_it_has(&file);
    clock.turn(MONTH);
    helps(&gateway.refuses().text());
    gateway.installs_nothing(&file);
    clock.turn(0);
    gateway.installs_what_it_has(&file);
    drop(folder);
}
