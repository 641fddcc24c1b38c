//! A mirror, countersign before it, and a client with a cached state.

use std::fs;
use std::time::Instant;

use super::super::connection::runtime;
use super::super::process::Server;
use super::super::scene::wait_for_all;
use super::super::support::eventually;
use super::super::support::http::Request;
use super::super::support::mirror::{Bandersnatch, Mirror};
use super::super::support::packages::wheel;
use super::super::support::seaweed::Bucket;
use super::super::support::secs;
use super::super::support::sidecar::{Kind, Setup, Sidecar, countersign, init as init_bucket};
use super::super::verifier::Verifier;
use super::BINS;

pub struct Site {
    pub mirror: Bandersnatch,
    pub sidecar: Sidecar,
    pub server: Server,
    /// SeaweedFS, where the store is its.
    pub weed: Option<Server>,
    pub verifier: Verifier,
}

impl Site {
    /// On a new store of this kind, when what follows a start is over.
    pub fn start(kind: Kind) -> Self {
        let mirror = Bandersnatch::start();
        let first = wheel("qx-first", "1.0");
        mirror.add(&first);
        let setup = Setup::bare(&mirror.simple_url()).set("watch.interval", "1h");
        let (setup, weed) = match kind {
            Kind::Folder => (setup.bins(BINS), None),
            Kind::Bucket => {
                let bucket = Bucket::new();
                assert!(init_bucket(&bucket, BINS).status.success());
                (setup.store(&bucket), Some(Server::new(Bucket::process())))
            }
        };
        let mut sidecar = setup.start();
        wait_for_all(&sidecar, &[first]);
        eventually("all bins read", secs(300), || {
            (sidecar.metric("countersign_targets", &[]) > 0.0).then_some(())
        });
        let root = fs::read(sidecar.root()).expect("a root");
        let verifier = runtime().block_on(Verifier::new(&sidecar.origin, &root));
        let server = Server::new(sidecar.process().pid());
        Self { mirror, sidecar, server, weed, verifier }
    }

    /// Says that something changed, as a mirror does after a synchronization.
    pub fn changed(&self) {
        let answer = Request::new("POST", &format!("{}/hooks/changed", self.sidecar.admin)).send();
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
}

/// Seconds that `init` takes.
pub fn init(kind: Kind) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("a name").to_owned();
    let bucket = matches!(kind, Kind::Bucket).then(Bucket::new);
    let start = Instant::now();
    let output = match &bucket {
        Some(bucket) => init_bucket(bucket, BINS),
        None => countersign(&["init", "--bins", &BINS.to_string(), "--data", &data]),
    };
    assert!(output.status.success(), "{output:?}");
    start.elapsed().as_secs_f64()
}
