//! Killed at every step of a publication: nothing is lost, nothing is torn, and what was interrupted is done.

use crate::support::clients::TufClient;
use crate::support::mirror::{Bandersnatch, Mirror};
use crate::support::packages::{Package, wheel};
use crate::support::process::Daemon;
use crate::support::sidecar::{Kind, SOON, Setup, page_path, target_path};
use crate::support::strace::Injection;
use crate::support::tools::need;
use crate::support::{eventually, secs};

/// Where a publication can end: an operation and the folder it is done in, and how many of the kind are let
/// through before.
const STEPS: [(&str, u32); 10] = [
    ("create-pages", 0),
    ("create-pages", 1),
    ("create-metadata", 0),
    ("create-metadata", 1),
    // Two pages and a file lie in up to three bins; after them comes the snapshot.
    ("create-metadata", 2),
    ("create-journal", 0),
    ("create-timestamps", 0),
    ("put-sources", 0),
    ("put-watch", 0),
    ("put-watch", 1),
];

#[test]
fn failpoints_on_a_folder() {
    need!(Python, Nginx, Failpoints);
    failpoints(Kind::Folder);
}

#[test]
fn failpoints_on_a_bucket() {
    need!(Python, Nginx, Failpoints, Seaweed);
    failpoints(Kind::Bucket);
}

/// A publication that ends in the middle, again and again, over one history and before one client.
struct Scene {
    mirror: Bandersnatch,
    setup: Setup,
    client: TufClient,
    files: Vec<Package>,
}

impl Scene {
    fn new(kind: Kind) -> Self {
        let mirror = Bandersnatch::start();
        let first = wheel("qx-crash", "1.0");
        mirror.add(&first);
        // Whoever was killed polls no more: nobody should wait for it longer than that.
        let setup = Setup::on(kind, &mirror).at_fixed_ports().set("store.lease", "1s");
        let sidecar = setup.start();
        sidecar.wait_for(&first);
        let client = sidecar.python_tuf();
        client.fetch(&[&target_path(&first)]);
        let setup = sidecar.stop();
        Self { mirror, setup, client, files: vec![first] }
    }

    /// The next file to publish.
    fn next(&mut self) -> Package {
        let file = wheel("qx-crash", &format!("1.{}", self.files.len()));
        self.files.push(file.clone());
        file
    }

    /// After the end of the process: what lies there is whole, and goes on from there.
    fn recovers(&self, at: &str) {
        self.setup.fsck();
        let sidecar = self.setup.clone().start();
        let last = self.files.last().expect("a file");
        sidecar.wait_for(last);
        let paths = [page_path("qx-crash"), target_path(last), target_path(&self.files[0])];
        let result = self.client.fetch(&[&paths[0], &paths[1], &paths[2]]);
        assert_eq!(result.sha256(&paths[1]), Some(last.sha256().as_str()), "{at}");
        assert!(result.targets[&paths[2]].found, "{at}");
        sidecar.stop();
        self.setup.fsck();
    }
}

fn ended(daemon: &mut Daemon, at: &str) {
    eventually(&format!("the end of the process at {at}"), secs(60), || {
        (!daemon.is_running()).then_some(())
    });
}

fn failpoints(kind: Kind) {
    let mut scene = Scene::new(kind);
    for (step, passed) in STEPS {
        for side in ["before", "after"] {
            let at = format!("store-{step}-{side}={passed}*off->return");
            let file = scene.next();
            scene.mirror.add(&file);
            let mut daemon = scene.setup.clone().env("FAILPOINTS", &at).launch();
            ended(&mut daemon, &at);
            drop(daemon);
            scene.recovers(&at);
        }
    }
    // What nobody reached would have waited for its end in vain; and every file got there.
    let sidecar = scene.setup.clone().start();
    for file in &scene.files {
        assert_eq!(sidecar.listed(file), Some(file.sha256()));
    }
}

/// Garbage collection ends in the middle: what is left is collected by the next.
#[test]
fn failpoints_while_collecting() {
    need!(Python, Nginx, Failpoints);
    let mut scene = Scene::new(Kind::Folder);
    scene.setup = scene.setup.set("store.grace", "2s");
    for (step, passed) in [("metadata", 0), ("metadata", 2), ("timestamps", 0), ("pages", 0)] {
        for side in ["before", "after"] {
            let at = format!("store-delete-{step}-{side}={passed}*off->return");
            let mut daemon = scene.setup.clone().env("FAILPOINTS", &at).launch();
            // A few publications, so that there is something to collect.
            for _ in 0..3 {
                let file = scene.next();
                scene.mirror.add(&file);
                std::thread::sleep(secs(1));
            }
            ended(&mut daemon, &at);
            drop(daemon);
            scene.recovers(&at);
        }
    }
}

/// The first of a bucket's init that was interrupted can be done again.
#[test]
fn an_interrupted_start_is_done_again() {
    need!(Nginx, Failpoints);
    let mirror = Bandersnatch::start();
    let file = wheel("qx-first", "1.0");
    mirror.add(&file);
    for step in ["root", "metadata", "journal", "timestamps"] {
        for side in ["before", "after"] {
            let at = format!("store-create-{step}-{side}=return");
            let setup = Setup::before(&mirror).bins(16);
            let mut daemon = setup.clone().env("FAILPOINTS", &at).launch();
            ended(&mut daemon, &at);
            drop(daemon);
            let sidecar = setup.start();
            eventually("a page", SOON, || sidecar.listed(&file));
            sidecar.stop().fsck();
        }
    }
}

/// The same without the binary's help: killed as it enters a system call.
#[test]
fn kills_amid_system_calls() {
    need!(Python, Nginx, Strace);
    let mut scene = Scene::new(Kind::Folder);
    for call in ["link,linkat", "rename,renameat,renameat2", "fsync,fdatasync", "openat"] {
        for nth in [1, 3] {
            let at = format!("{call}:signal=KILL:when={nth}");
            let mut sidecar = scene.setup.clone().start();
            let injection = Injection::into(sidecar.process(), &[&at]);
            // Each thread counts for itself: it may take several publications until one has so many calls.
            eventually(&format!("an end at {at}"), secs(90), || {
                let file = scene.next();
                scene.mirror.add(&file);
                std::thread::sleep(secs(1));
                (!sidecar.process().is_running()).then_some(())
            });
            drop(injection);
            drop(sidecar);
            scene.recovers(&at);
        }
    }
}
