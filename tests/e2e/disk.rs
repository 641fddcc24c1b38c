//! The disk says no: nothing torn becomes visible, it is said and counted, and it goes on by itself.

use std::fs;

use crate::support::clients::TufClient;
use crate::support::disk::SmallDisk;
use crate::support::eventually;
use crate::support::http::get;
use crate::support::mirror::{Bandersnatch, Mirror};
use crate::support::packages::{Package, wheel};
use crate::support::sidecar::{SOON, Setup, Sidecar, page_path, target_path};
use crate::support::strace::Injection;
use crate::support::tools::need;

const FAILURES: &str = "countersign_publication_failures_total";

/// A sidecar that has published one file and can, for a while, publish no other.
struct Scene {
    mirror: Bandersnatch,
    sidecar: Sidecar,
    client: TufClient,
    files: Vec<Package>,
}

impl Scene {
    fn new(configure: impl FnOnce(Setup) -> Setup) -> Self {
        let mirror = Bandersnatch::start();
        let first = wheel("qx-disk", "1.0");
        mirror.add(&first);
        let sidecar = configure(Setup::before(&mirror).bins(16)).start();
        sidecar.wait_for(&first);
        let client = sidecar.python_tuf();
        client.fetch(&[&page_path("qx-disk"), &target_path(&first)]);
        Self { mirror, sidecar, client, files: vec![first] }
    }

    /// A file comes that cannot be published; what was published is served as ever.
    fn fails(&mut self, words: &[&str]) {
        let before = self.sidecar.metric(FAILURES, &[]);
        let version = self.sidecar.version("snapshot");
        let file = wheel("qx-disk", &format!("1.{}", self.files.len()));
        self.mirror.add(&file);
        self.files.push(file);
        eventually("a failure that is counted", SOON, || {
            (self.sidecar.metric(FAILURES, &[]) > before).then_some(())
        });
        self.sidecar.expect_logged(words);
        self.serves_what_it_has(version);
        self.sidecar.setup().fsck();
    }

    fn serves_what_it_has(&self, version: u64) {
        let first = &self.files[0];
        assert_eq!(get(&self.sidecar.file_url(first)).body, first.bytes);
        assert_eq!(self.sidecar.listed(first), Some(first.sha256()));
        let result = self.client.fetch(&[&page_path("qx-disk")]);
        assert_eq!(result.versions["snapshot"], version);
    }

    /// Nobody tells it that it can write again.
    fn goes_on(&self) {
        for file in &self.files {
            self.sidecar.wait_for(file);
        }
        let last = target_path(self.files.last().expect("a file"));
        assert!(self.client.fetch(&[&last]).targets[&last].found);
        self.sidecar.setup().fsck();
    }
}

#[test]
fn a_disk_that_fills_up() {
    need!(Python, Nginx, Mounts);
    let disk = SmallDisk::new(4096);
    let mut scene = Scene::new(|setup| setup.data_in(&disk.path().join("data")));
    // Room for nothing; then for some objects of a publication, and not for others.
    for room in [0, 8 << 10, 20 << 10] {
        disk.fill(room);
        scene.fails(&["No space left"]);
        disk.free();
        scene.goes_on();
    }
    // It ends, and starts, with a full disk.
    let version = scene.sidecar.version("snapshot");
    disk.fill(0);
    let Scene { mirror, sidecar, client, mut files } = scene;
    let sidecar = sidecar.kill9().start();
    assert_eq!(sidecar.version("snapshot"), version);
    let late = wheel("qx-disk", "2.0");
    mirror.add(&late);
    files.push(late);
    disk.free();
    // Other ports, hence another client; the state of the first is of no use to it.
    drop(client);
    let client = sidecar.python_tuf();
    Scene { mirror, sidecar, client, files }.goes_on();
}

#[test]
fn a_disk_that_turns_read_only() {
    need!(Python, Nginx, Mounts);
    let mut disk = SmallDisk::new(4096);
    let mut scene = Scene::new(|setup| setup.data_in(&disk.path().join("data")));
    disk.seal();
    scene.fails(&["Read-only file system"]);
    disk.unseal();
    scene.goes_on();
}

#[test]
fn a_disk_that_fails() {
    need!(Python, Nginx, Strace);
    let mut scene = Scene::new(|setup| setup);
    for calls in ["fsync,fdatasync,syncfs", "link,linkat"] {
        let injection = Injection::into(scene.sidecar.process(), &[&format!("{calls}:error=EIO")]);
        scene.fails(&["Input/output error"]);
        assert!(injection.release() > 0);
        scene.goes_on();
    }
}

/// Only writes to the object that would be the commit fail, and then to the timestamp.
#[test]
fn a_commit_that_cannot_be_written() {
    need!(Python, Nginx, Strace);
    let mut scene = Scene::new(|setup| setup);
    for folder in ["journal", "timestamps"] {
        let below = scene.sidecar.data().join("repository").join(folder);
        let newest = fs::read_dir(&below)
            .expect("a folder")
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.split('.').next()?.parse::<u64>().ok())
            .max()
            .expect("an object");
        // object_store writes aside under a name with a number of its own, from 1.
        let path = below.join(format!("{:020}.json#1", newest + 1));
        let injection = Injection::on_path(
            scene.sidecar.process(),
            &["write,writev,pwrite64,pwritev:error=EIO"],
            &path,
        );
        scene.fails(&["Input/output error"]);
        assert!(injection.release() > 0, "{folder}");
        scene.goes_on();
    }
}
