//! Several replicas on one bucket: whichever answers, it is one repository that only ever goes forward.
//!
//! The load runs for a minute; for a soak, longer:
//! `COUNTERSIGN_SOAK_SECONDS=600 tests/run --test e2e three_replicas_under_load`

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::balancer::Balancer;
use crate::support::clients::TufClient;
use crate::support::eventually;
use crate::support::hostile::Hostile;
use crate::support::http::{Request, get};
use crate::support::mirror::{Bandersnatch, Mirror, Pypiserver};
use crate::support::packages::{Package, form, wheel};
use crate::support::secs;
use crate::support::sidecar::{Objects, SOON, Setup, Sidecar, initialized, page_path, target_path};
use crate::support::tools::{self, need};

/// Uploads a second, all replicas together.
const RATE: u32 = 20;
const PROJECTS: usize = 40;
/// Seconds.
const GRACE: u32 = 20;
const LEASE: Duration = Duration::from_secs(3);

/// So many replicas before one mirror, on one new bucket.
fn fleet(upstream: &str, count: usize, configure: impl Fn(Setup) -> Setup) -> Vec<Sidecar> {
    let setup = Setup::bare(upstream).set("watch.interval", "1s");
    let setup = configure(setup.set("store.lease", "3s").store(&initialized()));
    (0..count).map(|_| setup.another().at_fixed_ports().start()).collect()
}

/// A client that asks any of them.
fn client(replicas: &[Sidecar]) -> (Balancer, TufClient) {
    let balancer = Balancer::before(replicas.iter().map(|one| one.origin.clone()).collect());
    let origin = balancer.origin();
    let (metadata, targets) = (format!("{origin}/tuf/metadata/"), format!("{origin}/tuf/targets/"));
    (balancer, TufClient::python(&replicas[0].root(), &metadata, &targets))
}

/// The version that a replica gives out now.
fn timestamp(replica: &Sidecar) -> u64 {
    let answer = get(&format!("{}timestamp.json", replica.metadata_url()));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["signed"]["version"].as_u64().expect("a version")
}

#[test]
fn what_one_publishes_all_have() {
    need!(Python, Nginx, Seaweed);
    let mirror = Bandersnatch::start();
    let replicas = fleet(&mirror.simple_url(), 3, |setup| setup.set("watch.interval", "1h"));
    let (_balancer, client) = client(&replicas);
    for turn in 0..9 {
        let file = wheel("qx-shared", &format!("1.{turn}"));
        mirror.add(&file);
        let (writer, others) =
            (&replicas[turn % 3], [&replicas[(turn + 1) % 3], &replicas[(turn + 2) % 3]]);
        writer.webhook("qx-shared");
        eventually("the file", SOON, || writer.signed(&target_path(&file)));
        let version = timestamp(writer);
        for (turn, other) in others.iter().enumerate() {
            // A client comes from another replica, and asks this one for the file first.
            let path = format!("files/qx-shared/{}.{}", file.sha256(), file.filename);
            let url = match turn {
                0 => format!("{}{path}", other.targets_url()),
                _ => other.file_url(&file),
            };
            assert_eq!(get(&url).body, file.bytes);
            assert!(timestamp(other) >= version);
            assert_eq!(other.signed(&target_path(&file)), Some(file.sha256()));
            assert_eq!(other.listed(&file), Some(file.sha256()));
            assert_eq!(get(&other.file_url(&file)).body, file.bytes);
        }
        for _ in 0..3 {
            let result = client.fetch(&[&page_path("qx-shared"), &target_path(&file)]);
            assert_eq!(result.sha256(&target_path(&file)), Some(file.sha256().as_str()));
        }
    }
    replicas[0].setup().fsck();
}

/// It slept through publications and through garbage collection.
#[test]
fn a_replica_that_was_frozen_goes_back_to_nothing() {
    need!(Python, Nginx, Seaweed);
    let mirror = Bandersnatch::start();
    let replicas = fleet(&mirror.simple_url(), 2, |setup| {
        setup.set("store.grace", "6s").set("watch.interval", "500ms")
    });
    let (_balancer, client) = client(&replicas);
    let mut serial = 0;
    let mut add = || {
        serial += 1;
        let file = wheel("qx-asleep", &format!("1.{serial}"));
        mirror.add(&file);
        file
    };
    let first = add();
    replicas[0].wait_for(&first);
    client.fetch(&[&target_path(&first)]);
    for turn in 0..4 {
        let (sleeper, awake) = (&replicas[turn % 2], &replicas[1 - turn % 2]);
        // In the middle of a publication, as likely as not.
        add();
        sleep(Duration::from_millis(turn as u64 * 150));
        sleeper.freeze();
        let start = Instant::now();
        let mut last = add();
        while start.elapsed() < secs(8) {
            awake.wait_for(&last);
            last = add();
        }
        awake.wait_for(&last);
        let version = timestamp(awake);
        sleeper.thaw();
        assert!(timestamp(sleeper) >= version);
        sleeper.wait_for(&last);
        let next = add();
        sleeper.wait_for(&next);
        awake.wait_for(&next);
        client.fetch(&[&page_path("qx-asleep"), &target_path(&next)]);
        sleeper.setup().fsck();
    }
}

#[test]
fn one_of_them_polls_and_another_takes_over() {
    need!(Python, Nginx, Seaweed);
    let mirror = Bandersnatch::start();
    mirror.add(&wheel("qx-polled", "1.0"));
    let mut replicas = fleet(&mirror.simple_url(), 3, |setup| setup);
    for replica in &replicas {
        replica.wait_for(&wheel("qx-polled", "1.0"));
    }
    // By the number of one's own: what three would ask for, each on its own, is three times that.
    let polls = || mirror.asked_for("/qx-polled/");
    let alone = Setup::before(&mirror).start();
    let before = polls();
    sleep(secs(10));
    let with_one_more = polls() - before;
    drop(alone);
    sleep(secs(1));
    let before = polls();
    sleep(secs(10));
    let of_three = polls() - before;
    assert!(of_three * 3 < with_one_more * 2, "{of_three} by three, {with_one_more} with one more");

    // Whoever it is, the others go on without it.
    for turn in 1..4 {
        let replica = replicas.remove(0);
        let setup = replica.kill9();
        let file = wheel("qx-polled", &format!("1.{turn}"));
        mirror.add(&file);
        for other in &replicas {
            other.wait_for(&file);
        }
        replicas.push(setup.start());
        replicas[2].wait_for(&file);
    }
    replicas[0].setup().fsck();
}

#[test]
fn three_replicas_under_load() {
    need!(Python, Seaweed);
    let duration = secs(
        env::var("COUNTERSIGN_SOAK_SECONDS").map_or(60, |text| text.parse().expect("seconds")),
    );
    // pypiserver reads its whole folder at each request: it cannot take so much for longer.
    let pypiserver = (duration <= secs(120)).then(Pypiserver::overwriting);
    let endless = Hostile::taking_uploads();
    let upstream = pypiserver.as_ref().map_or(endless.simple_url(), Mirror::simple_url);
    // A poll finds what nobody told of: an upload through a replica that was killed before it had looked.
    let replicas = fleet(&upstream, 3, |setup| {
        setup
            .set("watch.interval", "10s")
            .set("store.grace", format!("{GRACE}s"))
            .set("watch.mode", "all")
    });
    let (balancer, last_client) = client(&replicas);
    let origins: Vec<_> = replicas.iter().map(|one| one.origin.clone()).collect();
    let root = replicas[0].root();
    let clients = Clients::start(&root, &balancer, 3);
    let uploads = Uploads::new(clients.uploaded());
    let ended = AtomicBool::new(false);
    let (replicas, rounds) = thread::scope(|scope| {
        // Enough that those who wait for a frozen replica are not missed.
        for _ in 0..32 {
            scope.spawn(|| uploads.run(&origins, &ended));
        }
        let chaos = scope.spawn(|| chaos(replicas, duration));
        let replicas = chaos.join();
        ended.store(true, Ordering::Relaxed);
        replicas.expect("replicas that start again")
    });
    // Every upload that was taken is verifiable, whatever became of the replica that took it.
    let files = uploads.done.into_inner().expect("a lock");
    let missing = || {
        let signed = replicas[0].all_signed();
        let missing =
            files.iter().filter(|file| signed.get(&target_path(file)) != Some(&file.sha256()));
        missing.map(|file| file.filename.clone()).collect::<Vec<_>>()
    };
    eventually("all uploads", secs(180), || {
        let missing = missing();
        if !missing.is_empty() {
            eprintln!("{} of {} are missing yet", missing.len(), files.len());
        }
        missing.is_empty().then_some(())
    });
    let said = clients.stop();
    eprintln!(
        "{} uploads, {rounds} rounds of kills and frosts, {} refreshes, {} downloads, {} hiccups",
        files.len(),
        said["refreshes"],
        said["downloads"],
        said["hiccups"].as_array().map_or(0, Vec::len)
    );
    eprintln!("hiccups: {:#}", said["hiccups"]);
    assert_eq!(said["errors"], Value::Array(Vec::new()));
    assert!(said["refreshes"].as_u64() > Some(50), "{said}");
    assert!(said["downloads"].as_u64() > Some(100), "{said}");
    assert!(files.len() > 100, "{} uploads", files.len());
    let paths: Vec<_> = files.iter().step_by(files.len() / 50).map(target_path).collect();
    let result = last_client.fetch(&paths.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(result.targets.values().all(|target| target.found));
    let versions: BTreeSet<_> = replicas.iter().map(timestamp).collect();
    assert_eq!(versions.len(), 1, "{versions:?}");
    commits_have_no_gap(&replicas[0].setup().objects());
    replicas[0].setup().fsck();
}

fn commits_have_no_gap(objects: &Objects) {
    let number = |name: &String| name.trim_end_matches(".json").parse::<usize>().expect("a number");
    let numbers: Vec<_> = objects.list("journal").iter().map(number).collect();
    assert_eq!(numbers, (numbers[0]..numbers[0] + numbers.len()).collect::<Vec<_>>());
}

/// One replica after the other is killed and started again, or frozen for longer than the lease.
fn chaos(mut replicas: Vec<Sidecar>, duration: Duration) -> (Vec<Sidecar>, usize) {
    let start = Instant::now();
    let mut rounds = 0;
    while start.elapsed() < duration {
        sleep(secs(2));
        let victim = replicas.remove(0);
        let survivor = if rounds % 2 == 0 {
            let setup = victim.kill9();
            sleep(secs(1));
            setup.start()
        } else {
            victim.freeze();
            sleep(LEASE + secs(2));
            victim.thaw();
            victim
        };
        replicas.push(survivor);
        rounds += 1;
    }
    (replicas, rounds)
}

/// Tiny files for the same projects again and again, at a steady rate.
struct Uploads {
    start: Instant,
    next: AtomicUsize,
    /// What the clients read.
    told: Mutex<File>,
    done: Mutex<Vec<Package>>,
}

impl Uploads {
    fn new(told: File) -> Self {
        Self {
            start: Instant::now(),
            next: AtomicUsize::new(0),
            told: Mutex::new(told),
            done: Mutex::default(),
        }
    }

    fn run(&self, origins: &[String], ended: &AtomicBool) {
        while !ended.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let due =
                Duration::from_secs(1) / RATE * u32::try_from(number).expect("a small number");
            sleep(due.saturating_sub(self.start.elapsed()));
            let file = wheel(&format!("qx-load-{}", number % PROJECTS), &format!("1.{number}"));
            if upload(origins, number, &file) {
                let mut told = self.told.lock().expect("a lock");
                writeln!(told, "{} {}", file.sha256(), target_path(&file)).expect("a line");
                self.done.lock().expect("a lock").push(file);
            }
        }
    }
}

/// Through any that is there; tells whether the mirror has it now.
fn upload(origins: &[String], number: usize, file: &Package) -> bool {
    let (content_type, body) = form(file);
    (0..origins.len()).any(|turn| {
        let origin = &origins[(number + turn) % origins.len()];
        let request = Request::new("POST", &format!("{origin}/")).patience(secs(5));
        let sent = request.header("Content-Type", &content_type).body(body.clone()).try_send();
        sent.is_ok_and(|answer| answer.status == 200)
    })
}

/// `clients/loop.py`, running.
struct Clients {
    child: Child,
    folder: TempDir,
}

impl Clients {
    fn start(root: &Path, balancer: &Balancer, count: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        File::create(folder.path().join("uploaded")).expect("a file");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/loop.py");
        let origin = balancer.origin();
        let out = File::create(folder.path().join("said")).expect("a file");
        let child = Command::new(tools::python("python"))
            .arg(script)
            .arg(folder.path())
            .arg(root)
            .args([format!("{origin}/tuf/metadata/"), format!("{origin}/tuf/targets/")])
            .args([count.to_string(), GRACE.to_string()])
            .stdin(Stdio::null())
            .stdout(out)
            .spawn()
            .expect("python");
        Self { child, folder }
    }

    fn uploaded(&self) -> File {
        let path = self.folder.path().join("uploaded");
        File::options().append(true).open(path).expect("a file")
    }

    /// Lets them end their turns, and tells what they said.
    fn stop(mut self) -> Value {
        File::create(self.folder.path().join("stop")).expect("a file");
        let status = eventually("the end of the clients", secs(120), || {
            self.child.try_wait().expect("a child")
        });
        assert!(status.success());
        let said = fs::read(self.folder.path().join("said")).expect("what they said");
        serde_json::from_slice(&said).expect("JSON")
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
