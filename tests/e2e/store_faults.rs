//! The object store says no, or yes and nobody hears it: no version is lost or used twice.

use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::support::clients::TufClient;
use crate::support::eventually;
use crate::support::fault_proxy::{Act, Fault, FaultProxy};
use crate::support::http::get;
use crate::support::mirror::{Bandersnatch, Mirror};
use crate::support::packages::{Package, wheel};
use crate::support::seaweed::Bucket;
use crate::support::secs;
use crate::support::sidecar::{Objects, SOON, Setup, Sidecar, initialized, page_path, target_path};
use crate::support::tools::need;

/// A sidecar with a proxy before its store.
struct Scene {
    mirror: Bandersnatch,
    proxy: FaultProxy,
    bucket: Bucket,
    sidecar: Sidecar,
    client: TufClient,
    files: Vec<Package>,
}

impl Scene {
    fn new(configure: impl FnOnce(Setup) -> Setup) -> Self {
        let mirror = Bandersnatch::start();
        let first = wheel("qx-far", "1.0");
        mirror.add(&first);
        let bucket = initialized();
        let proxy = FaultProxy::before(Bucket::port());
        let setup = Setup::before(&mirror).store(&bucket.through(proxy.port)).at_fixed_ports();
        let sidecar = configure(setup).start();
        sidecar.wait_for(&first);
        let client = sidecar.python_tuf();
        client.fetch(&[&page_path("qx-far"), &target_path(&first)]);
        Self { mirror, proxy, bucket, sidecar, client, files: vec![first] }
    }

    fn add(&mut self) -> Package {
        let file = wheel("qx-far", &format!("1.{}", self.files.len()));
        self.mirror.add(&file);
        self.files.push(file.clone());
        file
    }

    fn timestamp(&self) -> u16 {
        get(&format!("{}timestamp.json", self.sidecar.metadata_url())).status
    }

    /// Until `timestamp.json` is answered with this.
    fn wait_for_timestamp(&self, status: u16) {
        let what = format!("{status} for timestamp.json");
        eventually(&what, SOON, || (self.timestamp() == status).then_some(()));
    }

    /// Everything is published, once, and whole.
    fn is_whole(&self) {
        for file in &self.files {
            self.sidecar.wait_for(file);
        }
        let paths: Vec<_> = self.files.iter().map(target_path).collect();
        let paths: Vec<_> = paths.iter().map(String::as_str).collect();
        let result = self.client.fetch(&paths);
        for (file, path) in self.files.iter().zip(paths) {
            assert_eq!(result.sha256(path), Some(file.sha256().as_str()));
        }
        let objects = Objects::Bucket(self.bucket.clone());
        numbers_have_no_gap(&objects, "journal");
        numbers_have_no_gap(&objects, "timestamps");
        for file in &self.files {
            assert_eq!(additions(&objects, file), 1, "{} in the journal", file.filename);
        }
        self.sidecar.setup().fsck();
    }
}

/// The numbers of commits are never passed over, nor those of timestamps.
fn numbers_have_no_gap(objects: &Objects, folder: &str) {
    let number = |name: &String| name.trim_end_matches(".json").parse::<u64>().expect("a number");
    let numbers: Vec<_> = objects.list(folder).iter().map(number).collect();
    let whole: Vec<_> = (numbers[0]..).take(numbers.len()).collect();
    assert_eq!(numbers, whole, "{folder}");
}

/// How many commits say that they add a file.
fn additions(objects: &Objects, file: &Package) -> usize {
    let names = objects.list("journal");
    let records = names.iter().map(|name| objects.json(&format!("journal/{name}")));
    let adds = |record: &Value| {
        let projects = record["projects"].as_array().cloned().unwrap_or_default();
        let added = projects.iter().flat_map(|one| one["added"].as_array().cloned());
        added.flatten().any(|one| one["filename"] == file.filename.as_str())
    };
    records.filter(adds).count()
}

/// Another replica may have published since: what cannot be checked is not said.
#[test]
fn a_store_that_is_down() {
    need!(Python, Nginx, Seaweed);
    let mut scene = Scene::new(|setup| setup);
    for act in [Act::Status(503), Act::Reset, Act::Status(500)] {
        let first = scene.files[0].clone();
        let version = scene.sidecar.version("snapshot");
        scene.proxy.spoil(Fault::always(act));
        scene.wait_for_timestamp(503);
        // All else goes on.
        assert_eq!(get(&scene.sidecar.file_url(&first)).body, first.bytes);
        assert_eq!(scene.sidecar.listed(&first), Some(first.sha256()));
        let url = |name: &str| format!("{}{name}", scene.sidecar.metadata_url());
        assert_eq!(get(&url(&format!("{version}.snapshot.json"))).status, 200);
        assert_eq!(get(&url("1.root.json")).status, 200);
        let ready = get(&format!("{}/readyz", scene.sidecar.admin));
        assert_eq!(ready.status, 200);
        assert!(ready.text().contains("store"), "{}", ready.text());
        assert_eq!(scene.sidecar.metric("countersign_store_up", &[]), 0.0);

        scene.add();
        sleep(secs(2));
        scene.proxy.heal();
        scene.wait_for_timestamp(200);
        scene.is_whole();
        assert_eq!(scene.sidecar.metric("countersign_store_up", &[]), 1.0);
        let ready = get(&format!("{}/readyz", scene.sidecar.admin)).text();
        assert!(!ready.contains("cannot"), "{ready}");
    }
    let failed = [("outcome", "error")];
    assert!(scene.sidecar.metric("countersign_store_operations_total", &failed) > 0.0);
}

#[test]
fn an_operator_may_prefer_an_old_timestamp() {
    need!(Python, Nginx, Seaweed);
    let scene = Scene::new(|setup| setup.set("store.lost", "serve"));
    scene.proxy.spoil(Fault::always(Act::Reset));
    scene.wait_for_timestamp(200);
    scene.client.fetch(&[&page_path("qx-far")]);
    eventually("a store that is seen to be down", SOON, || {
        let answer = scene.timestamp();
        assert_eq!(answer, 200);
        (scene.sidecar.metric("countersign_store_up", &[]) == 0.0).then_some(())
    });
    scene.client.fetch(&[&page_path("qx-far")]);
}

/// It was done, and the answer said otherwise, or nothing.
#[test]
fn answers_that_get_lost() {
    need!(Python, Nginx, Seaweed);
    let mut scene = Scene::new(|setup| setup);
    for key in ["/journal/", "/timestamps/", "/metadata/", "/pages/", "/watch/"] {
        for count in [1, 4] {
            scene.proxy.spoil(Fault::always(Act::LoseAnswer).on("PUT").at(key).first(count));
            scene.add();
            eventually(&format!("a lost answer below {key}"), SOON, || {
                (scene.proxy.hits() > 0).then_some(())
            });
            scene.is_whole();
            scene.proxy.heal();
        }
    }
}

/// The client's patience ends, not the store's.
#[test]
fn a_commit_that_nobody_hears_of() {
    need!(Python, Nginx, Seaweed);
    let mut scene = Scene::new(|setup| setup);
    scene.proxy.spoil(Fault::always(Act::Silence).on("PUT").at("/journal/").first(1));
    let file = scene.add();
    eventually("a silence", SOON, || (scene.proxy.hits() > 0).then_some(()));
    eventually("the file, after the wait", secs(120), || {
        (scene.sidecar.listed(&file)? == file.sha256()).then_some(())
    });
    scene.is_whole();
}

#[test]
fn single_errors_are_not_even_noticed() {
    need!(Python, Nginx, Seaweed);
    let mut scene = Scene::new(|setup| setup);
    for act in [Act::Status(500), Act::Status(503), Act::Reset] {
        for (method, key) in [
            ("PUT", "/journal/"),
            ("PUT", "/timestamps/"),
            ("PUT", "/metadata/"),
            ("LIST", "/timestamps"),
        ] {
            scene.proxy.spoil(Fault::always(act).on(method).at(key).first(1));
        }
        scene.add();
        scene.is_whole();
        assert!(scene.proxy.hits() >= 3, "{}", scene.proxy.hits());
        scene.proxy.heal();
    }
}

#[test]
fn a_slow_store() {
    need!(Python, Nginx, Seaweed);
    let mut scene = Scene::new(|setup| setup);
    scene.proxy.spoil(Fault::always(Act::Delay(Duration::from_millis(300))));
    for _ in 0..2 {
        scene.add();
    }
    scene.is_whole();
    assert!(scene.proxy.hits() > 10);
}

/// Everything at once, while clients look.
#[test]
fn a_bad_day() {
    need!(Python, Nginx, Seaweed);
    let mut scene = Scene::new(|setup| setup);
    scene.proxy.spoil(Fault::always(Act::LoseAnswer).on("PUT").one_in(8));
    scene.proxy.spoil(Fault::always(Act::Status(503)).one_in(12));
    scene.proxy.spoil(Fault::always(Act::Reset).one_in(12));
    scene.proxy.spoil(Fault::always(Act::Delay(Duration::from_millis(500))).one_in(12));
    for round in 0..12 {
        scene.add();
        sleep(Duration::from_millis(700));
        if round % 4 == 3 {
            // A store that cannot be tested at the start is refused.
            scene.proxy.pause(true);
            scene.sidecar = scene.sidecar.kill9().start();
            scene.proxy.pause(false);
        }
        // 503 is all that may go wrong.
        if let Some(error) = scene.client.try_fetch(&[&page_path("qx-far")]).error {
            assert!(error.contains("503"), "{error}");
        }
    }
    assert!(scene.proxy.hits() > 20, "{}", scene.proxy.hits());
    scene.proxy.heal();
    scene.is_whole();
}
