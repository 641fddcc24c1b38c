//! What a client trusts lies on disk, and the world is unkind to it: other processes, kill -9, a full disk, files of
//! other versions, damage, a wrong clock. No wrong install, nothing goes back, and a sentence that helps.

mod damage;
mod scene;
mod time;

use std::fs;

use self::scene::{Scene, said};
use crate::support::disk::SmallDisk;
use crate::support::process::{Daemon, run};
use crate::support::strace;
use crate::support::tools::need;
use crate::support::{eventually, secs};

/// Eight of them, while the sidecar publishes: each ends well, and nothing is older than before.
#[test]
fn processes_share_a_folder() {
    need!(Python, Nginx);
    let mut scene = Scene::new();
    for _ in 0..5 {
        let before = scene.versions();
        let file = scene.publish();
        let spawn = |n: usize| {
            let log = scene.folder.path().join(format!("{n}.log"));
            let _ = fs::remove_file(&log);
            match n % 2 {
                0 => Daemon::spawn(&mut scene.refreshing(), &log),
                _ => Daemon::spawn(&mut scene.downloading(&file), &log),
            }
        };
        let mut processes: Vec<_> = (0..8).map(spawn).collect();
        for process in &mut processes {
            let status = process.wait(secs(60));
            assert!(status.success(), "{}", process.log());
        }
        scene.has_not_gone_back(&before);
        scene.has_the_newest();
        scene.downloaded(&file);
    }
}

/// Two gateways of one user, over one folder.
#[test]
fn gateways_share_a_folder() {
    need!(Python, Nginx);
    let mut scene = Scene::new();
    let gateways = [scene.gateway(), scene.gateway()];
    for _ in 0..3 {
        let file = scene.publish();
        std::thread::scope(|scope| {
            for gateway in &gateways {
                let (scene, file) = (&scene, &file);
                scope.spawn(move || gateway.installs(scene, file));
            }
        });
    }
}

/// As it enters a call on one of the files, again and again, until it gets to its end.
#[test]
fn killed_while_it_writes() {
    need!(Python, Nginx, Strace);
    let mut scene = Scene::new();
    for call in ["openat", "write", "fsync,fdatasync", "rename,renameat,renameat2", "flock"] {
        let mut killed = 0;
        for nth in 1.. {
            let (before, paths) = (scene.versions(), scene.paths());
            let file = scene.publish();
            let at = format!("{call}:signal=KILL:when={nth}");
            let log = scene.folder.path().join("strace.log");
            let command = scene.downloading(&file);
            let output = run(&mut strace::under_on(&command, &[&at], &paths, &log), secs(60));
            scene.has_not_gone_back(&before);
            // Whoever comes next finds it whole, and goes on from there.
            scene.fetches(&file);
            scene.has_the_newest();
            assert!(!scene.has_leftovers(), "{at}");
            if output.status.success() {
                break;
            }
            killed += 1;
        }
        assert!(killed >= 2, "{call}: {killed}");
    }
}

#[test]
fn a_full_disk() {
    need!(Python, Nginx, Mounts);
    let mut scene = Scene::new();
    let disk = SmallDisk::new(2048);
    scene.move_state(disk.path());
    for room in [0, 4 << 10, 12 << 10] {
        let before = scene.versions();
        disk.fill(room);
        let file = scene.publish();
        let output = run(&mut scene.refreshing(), secs(60));
        if !output.status.success() {
            let said = said(&output);
            assert!(said.contains("No space left") && said.contains(".json"), "{said}");
        }
        assert!(room > 0 || !output.status.success(), "there was room");
        scene.has_not_gone_back(&before);
        disk.free();
        scene.fetches(&file);
        scene.has_the_newest();
    }
}

/// The user's home is full: what was verified goes on, what is new cannot be trusted yet, and the log says why.
#[test]
fn a_gateway_on_a_full_disk() {
    need!(Python, Nginx, Mounts);
    let mut scene = Scene::new();
    let disk = SmallDisk::new(2048);
    let home = disk.path().join("home");
    fs::create_dir(&home).expect("a folder");
    let mut gateway = scene.gateway_at(&home);
    let first = scene.files[0].clone();
    gateway.installs(&scene, &first);
    disk.fill(0);
    let file = scene.publish();
    // Also one that starts now.
    for _ in 0..2 {
        eventually("a word on the disk", secs(60), || {
            gateway.page();
            gateway.daemon.log().contains("No space left").then_some(())
        });
        gateway.installs_nothing_wrong(&file);
        gateway.installs(&scene, &first);
        drop(gateway);
        gateway = scene.gateway_at(&home);
    }
    disk.free();
    gateway.installs(&scene, &file);
}

/// It starts where nothing can be written.
#[test]
fn a_folder_that_cannot_be_written() {
    need!(Python, Nginx, Mounts);
    let mut scene = Scene::new();
    let mut disk = SmallDisk::new(2048);
    scene.move_state(disk.path());
    disk.seal();
    scene.publish();
    let output = run(&mut scene.refreshing(), secs(60));
    assert!(said(&output).contains("Read-only file system"), "{output:?}");
    let output = run(&mut scene.gateway_command(disk.path()), secs(60));
    assert!(said(&output).contains("Read-only file system"), "{output:?}");
    disk.unseal();
    scene.refreshes();
}
