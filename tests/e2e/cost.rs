//! What a publication costs follows what changed, not how much there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use countersign::signer::{FileSigner, Signer, sign};
use countersign::tuf::{Digest, Signed, TargetFile, Targets};
use futures::FutureExt as _;
use sha2::{Digest as _, Sha256};

use crate::support::eventually;
use crate::support::fault_proxy::FaultProxy;
use crate::support::hostile::Hostile;
use crate::support::mirror::{Bandersnatch, Mirror};
use crate::support::packages::{Package, wheel};
use crate::support::seaweed::Bucket;
use crate::support::secs;
use crate::support::sidecar::{
    Objects, Setup, Sidecar, countersign, initialized, page_path, target_path,
};
use crate::support::tools::need;

/// What the store did for one file, and what it holds since then that it did not hold before.
#[derive(Debug, PartialEq)]
struct Cost {
    operations: BTreeMap<String, u64>,
    written: BTreeMap<String, usize>,
}

/// The same bins in both, so that the same of them are touched.
const BINS: u32 = 1024;

#[test]
fn one_file_costs_the_same_among_a_thousand_and_a_million() {
    let million = cost_of_one_file(1_000_000);
    let thousand = cost_of_one_file(1_000);
    assert_eq!(thousand, million);
    let written = |folder: &str| million.written.get(folder).copied().unwrap_or_default();
    let page = page_path("qx-one");
    let html = page.replace(".json", ".html");
    let touched = [page, html, target_path(&wheel("qx-one", "2.0"))];
    let bins: BTreeSet<_> = touched.iter().map(|path| Sha256::digest(path)[..2].to_vec()).collect();
    // 1,024 bins are the first ten bits.
    let bins: BTreeSet<_> =
        bins.iter().map(|first| (u16::from(first[0]) << 2) | u16::from(first[1] >> 6)).collect();
    assert_eq!(written("metadata"), bins.len() + 1, "the touched bins and a snapshot");
    assert_eq!(written("timestamps"), 1);
    assert_eq!(written("journal"), 1);
    assert_eq!(written("pages"), 2);
    assert_eq!(written("root"), 0);
    let creations = million.operations.get("create").copied().unwrap_or_default();
    assert_eq!(creations, bins.len() as u64 + 1 + 1 + 1 + 2);
    let puts = million.operations.get("put").copied().unwrap_or_default();
    assert!(puts <= 2, "sources and a cursor, but: {puts}");
}

/// Of a second file of a small project among so many targets of others.
fn cost_of_one_file(targets: usize) -> Cost {
    let upstream = Hostile::start();
    let (first, second) = (wheel("qx-one", "1.0"), wheel("qx-one", "2.0"));
    upstream.publish(&[&first]);
    upstream.list(&["qx-one"]);
    let setup = Setup::bare(&upstream.simple_url()).set("watch.interval", "1h");
    let data = setup.data();
    let made = ["init", "--bins", &BINS.to_string(), "--data", data.to_str().expect("a name")];
    assert!(countersign(&made).status.success());
    stuff(&data, targets);
    let sidecar = setup.start();
    sidecar.wait_for(&first);
    let others = filler(targets - 1);
    assert!(sidecar.signed(&others).is_some(), "{others}");
    // Nothing is in memory that happens to be.
    let sidecar = sidecar.stop().start();
    eventually("a first poll", secs(120), || {
        (upstream.asked_for("/simple/qx-one/") >= 2).then_some(())
    });
    settled(&sidecar);
    let objects = sidecar.setup().objects();
    let before = (operations(&sidecar), names_in(&objects));
    upstream.publish(&[&first, &second]);
    sidecar.webhook("qx-one");
    eventually("the file", secs(60), || sidecar.listed(&second));
    settled(&sidecar);
    let after = (operations(&sidecar), names_in(&objects));
    let operations = after.0.iter().map(|(name, count)| (name.clone(), count - before.0[name]));
    let written = after
        .1
        .iter()
        .map(|(folder, names)| (folder.clone(), names.difference(&before.1[folder]).count()));
    Cost { operations: operations.collect(), written: written.collect() }
}

/// Puts targets into the empty bins of a new repository, signed as they were: a snapshot has versions alone, so
/// that nothing else has to change. To publish so many would take a debug build minutes.
fn stuff(data: &Path, targets: usize) {
    let mut bins = vec![BTreeMap::new(); BINS as usize];
    for number in 0..targets {
        let path = filler(number);
        let digest = Digest::of(path.as_bytes());
        let hash = Sha256::digest(&path);
        let bin = (usize::from(hash[0]) << 2) | usize::from(hash[1] >> 6);
        bins[bin].insert(path, TargetFile::new(digest, 1000, None));
    }
    let signer = FileSigner::load(&data.join("online.pem")).expect("the online key");
    let signer: Arc<dyn Signer> = Arc::new(signer);
    let bins: Vec<_> = bins.into_iter().enumerate().collect();
    std::thread::scope(|scope| {
        for part in bins.chunks(BINS as usize / 2) {
            let signer = Arc::clone(&signer);
            scope.spawn(move || {
                for (number, targets) in part {
                    let path = data.join(format!("repository/metadata/1.bins-{number:03x}.json"));
                    let bytes = fs::read(&path).expect("a bin");
                    let mut bin = Signed::<Targets>::parse(&bytes).expect("metadata").signed;
                    bin.targets = targets.clone();
                    let signed = sign(bin, &[Arc::clone(&signer)]).now_or_never();
                    let signed = signed.expect("no wait").expect("a signature");
                    fs::write(&path, signed.to_bytes().expect("bytes")).expect("a write");
                }
            });
        }
    });
}

/// A file that nobody will ever fetch.
fn filler(number: usize) -> String {
    format!("files/qx-filler-{}/qx_filler_{}-{number}-py3-none-any.whl", number % 100, number % 100)
}

/// Until the store has not been asked for anything for a while.
fn settled(sidecar: &Sidecar) {
    let mut last = operations(sidecar);
    eventually("quiet", secs(120), || {
        std::thread::sleep(secs(2));
        let now = operations(sidecar);
        let quiet = now == last;
        last = now;
        quiet.then_some(())
    });
}

fn operations(sidecar: &Sidecar) -> BTreeMap<String, u64> {
    let metrics = sidecar.metrics();
    ["create", "put", "read", "list", "delete", "date"]
        .map(|name| {
            let count = metrics.sum("countersign_store_operations_total", &[("operation", name)]);
            (name.to_owned(), count as u64)
        })
        .into()
}

fn names_in(objects: &Objects) -> BTreeMap<String, BTreeSet<String>> {
    ["root", "journal", "metadata", "timestamps", "pages"]
        .map(|folder| (folder.to_owned(), objects.list(folder).into_iter().collect()))
        .into()
}

/// The same state upstream gives no write at all, whatever happens to the process.
#[test]
fn the_same_again_writes_nothing_to_a_bucket() {
    need!(Nginx, Seaweed);
    let mirror = Bandersnatch::start();
    let files: Vec<Package> = (0..3).map(|n| wheel("qx-same", &format!("1.{n}"))).collect();
    for file in &files {
        mirror.add(file);
    }
    let bucket = initialized();
    let proxy = FaultProxy::before(Bucket::port());
    let setup = Setup::before(&mirror).store(&bucket.through(proxy.port));
    let sidecar = setup.start();
    for file in &files {
        sidecar.wait_for(file);
    }
    settled_at(&proxy, &mirror);
    let before = bucket.listed("");
    let sidecar = sidecar.kill9().start();
    polls(&mirror, 10);
    sidecar.webhook("qx-same");
    polls(&mirror, 10);
    let after = bucket.listed("");
    let signed = |listed: &[object_store::ObjectMeta]| -> Vec<_> {
        listed
            .iter()
            .map(|meta| (meta.location.to_string(), meta.last_modified))
            .filter(|(name, _)| {
                ["/root/", "/journal/", "/metadata/", "/timestamps/", "/pages/"]
                    .iter()
                    .any(|folder| name.contains(folder))
            })
            .collect()
    };
    assert_eq!(signed(&after), signed(&before));
    for file in &files {
        assert_eq!(sidecar.listed(file), Some(file.sha256()));
    }
    let new = wheel("qx-same", "2.0");
    mirror.add(&new);
    sidecar.wait_for(&new);
    assert!(bucket.listed("").len() > after.len());
}

fn polls(mirror: &Bandersnatch, count: usize) {
    let asked = mirror.asked_for("/qx-same/");
    eventually("polls", secs(120), || {
        (mirror.asked_for("/qx-same/") >= asked + count).then_some(())
    });
}

/// Until nothing of what is signed has been written for some polls.
fn settled_at(proxy: &FaultProxy, mirror: &Bandersnatch) {
    eventually("no more commits", secs(120), || {
        let commits = || {
            let log = proxy.log();
            log.iter().filter(|one| one.method == "PUT" && one.key.contains("/journal/")).count()
        };
        let before = commits();
        polls(mirror, 3);
        (commits() == before).then_some(())
    });
}
