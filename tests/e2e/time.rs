//! The time of day is wrong: no version goes back, nothing is signed that has expired, and it is said.

use std::thread::sleep;

use jiff::Timestamp;
use serde_json::Value;

use crate::support::clients::TufClient;
use crate::support::clock::WrongClock;
use crate::support::eventually;
use crate::support::http::get;
use crate::support::mirror::{Bandersnatch, Mirror};
use crate::support::packages::{Package, wheel};
use crate::support::secs;
use crate::support::sidecar::{Kind, Objects, SOON, Setup, Sidecar, page_path, target_path};
use crate::support::tools::need;

const DAY: i64 = 86_400;

struct Scene {
    mirror: Bandersnatch,
    clock: WrongClock,
    setup: Setup,
    files: Vec<Package>,
}

impl Scene {
    fn new(kind: Kind) -> Self {
        let mirror = Bandersnatch::start();
        let clock = WrongClock::new();
        let setup = Setup::on(kind, &mirror).at_fixed_ports().clock(&clock);
        let first = wheel("qx-time", "1.0");
        mirror.add(&first);
        Self { mirror, clock, setup, files: vec![first] }
    }

    fn add(&mut self) -> Package {
        let file = wheel("qx-time", &format!("1.{}", self.files.len()));
        self.mirror.add(&file);
        self.files.push(file.clone());
        file
    }

    /// All is published, and a client that has been there before takes it.
    fn is_whole(&self, sidecar: &Sidecar, client: &TufClient) {
        for file in &self.files {
            sidecar.wait_for(file);
        }
        let last = target_path(self.files.last().expect("a file"));
        assert!(client.fetch(&[&last, &page_path("qx-time")]).targets[&last].found);
        nothing_was_signed_expired(&self.setup.objects());
        self.setup.fsck();
    }

    /// The alarm is on, and nothing is signed.
    fn is_wrong(&mut self, sidecar: &Sidecar) {
        wait_for_alarm(sidecar, 1.0);
        let versions = sidecar.versions();
        let file = self.add();
        sleep(secs(5));
        assert_eq!(sidecar.versions(), versions);
        assert_eq!(sidecar.listed(&file), None);
        assert_eq!(sidecar.listed(&self.files[0]), Some(self.files[0].sha256()));
        sidecar.expect_logged(&["clock"]);
    }
}

fn wait_for_alarm(sidecar: &Sidecar, state: f64) {
    eventually(&format!("countersign_clock_wrong {state}"), SOON, || {
        (sidecar.metric("countersign_clock_wrong", &[]) == state).then_some(())
    });
}

/// By the right clock: all of it is still good.
fn nothing_was_signed_expired(objects: &Objects) {
    let now = Timestamp::now();
    for name in objects.signed() {
        if !name.starts_with("metadata/") && !name.starts_with("timestamps/") {
            continue;
        }
        // It may have been collected meanwhile.
        let Some(bytes) = objects.read(&name) else { continue };
        let value: Value = serde_json::from_slice(&bytes).expect("metadata");
        let expires: Timestamp =
            value["signed"]["expires"].as_str().expect("an expiry").parse().expect("a time");
        assert!(expires > now, "{name} expires {expires}");
    }
}

/// A folder has no clock but the machine's own: what was ahead is noticed when it is right again.
#[test]
fn thirty_days_ahead_on_a_folder() {
    need!(Python, Nginx, Faketime);
    let mut scene = Scene::new(Kind::Folder);
    scene.clock.turn(30 * DAY);
    let sidecar = scene.setup.clone().start();
    let client = sidecar.python_tuf();
    scene.is_whole(&sidecar, &client);
    let versions = sidecar.versions();

    scene.clock.turn(0);
    scene.is_wrong(&sidecar);
    let sidecar = sidecar.stop().start();
    assert_eq!(sidecar.versions(), versions);
    wait_for_alarm(&sidecar, 1.0);
    assert_eq!(sidecar.listed(&scene.files[0]), Some(scene.files[0].sha256()));
    client.fetch(&[&page_path("qx-time")]);

    // An operator knows better.
    let setup = sidecar.stop().set("store.clock", "trust");
    let sidecar = setup.start();
    scene.is_whole(&sidecar, &client);
    assert!(sidecar.versions()[0] > versions[0]);
}

#[test]
fn an_hour_back_on_a_folder() {
    need!(Python, Nginx, Faketime);
    let mut scene = Scene::new(Kind::Folder);
    // So short that what were signed an hour ago would be born expired.
    scene.setup = scene.setup.set("validity.timestamp", "40min").set("validity.snapshot", "40min");
    let sidecar = scene.setup.clone().start();
    let client = sidecar.python_tuf();
    scene.is_whole(&sidecar, &client);
    assert_eq!(sidecar.metric("countersign_clock_wrong", &[]), 0.0);

    scene.clock.turn(-3600);
    scene.is_wrong(&sidecar);
    client.fetch(&[&page_path("qx-time")]);
    scene.clock.turn(0);
    wait_for_alarm(&sidecar, 0.0);
    scene.is_whole(&sidecar, &client);

    // It starts with a clock that is behind.
    let setup = sidecar.stop();
    scene.clock.turn(-3600);
    let sidecar = setup.start();
    scene.is_wrong(&sidecar);
    scene.clock.turn(0);
    scene.is_whole(&sidecar, &client);
}

/// S3's signatures bear a quarter of an hour; more, and the store itself says no.
#[test]
fn jumps_beside_a_bucket() {
    need!(Python, Nginx, Faketime, Seaweed);
    let mut scene = Scene::new(Kind::Bucket);
    let sidecar = scene.setup.clone().start();
    let client = sidecar.python_tuf();
    scene.is_whole(&sidecar, &client);
    for minutes in [10, -10] {
        scene.clock.turn(minutes * 60);
        scene.is_wrong(&sidecar);
        let skew = sidecar.metric("countersign_clock_skew_seconds", &[]);
        assert!((skew.abs() - 600.0).abs() < 30.0, "{skew}");
        assert_eq!(skew > 0.0, minutes > 0, "{skew}");
        client.fetch(&[&page_path("qx-time")]);
        scene.clock.turn(0);
        wait_for_alarm(&sidecar, 0.0);
        scene.is_whole(&sidecar, &client);
    }
    for seconds in [30 * DAY, -3600] {
        scene.clock.turn(seconds);
        scene.add();
        sleep(secs(5));
        assert_eq!(sidecar.listed(&scene.files[0]), Some(scene.files[0].sha256()));
        scene.clock.turn(0);
        eventually("a store that lets it in again", SOON, || {
            let answer = get(&format!("{}timestamp.json", sidecar.metadata_url()));
            (answer.status == 200).then_some(())
        });
        scene.is_whole(&sidecar, &client);
    }
}

/// It starts with a clock that is far ahead of the store's.
#[test]
fn ahead_of_a_bucket_from_the_start() {
    need!(Python, Nginx, Faketime, Seaweed);
    let mut scene = Scene::new(Kind::Bucket);
    let sidecar = scene.setup.clone().start();
    let client = sidecar.python_tuf();
    scene.is_whole(&sidecar, &client);
    let setup = sidecar.stop();
    scene.clock.turn(600);
    let sidecar = setup.start();
    scene.is_wrong(&sidecar);
    scene.clock.turn(0);
    scene.is_whole(&sidecar, &client);
}
