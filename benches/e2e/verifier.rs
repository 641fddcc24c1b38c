//! A TUF client that keeps its state in memory: the workflow of the specification's section 5, without root
//! rotation, which does not happen here.

use std::collections::BTreeMap;

use bytes::Bytes;
use countersign::tuf::{Digest, Role, Root, Signed, Snapshot, TargetFile, Targets, Timestamp};
use http::StatusCode;

use super::connection::Connection;

pub struct Verifier {
    http: Connection,
    root: Root,
    timestamp: Timestamp,
    snapshot: Signed<Snapshot>,
    bins: Targets,
    /// By name, as they were last needed.
    cached: BTreeMap<String, Targets>,
}

impl Verifier {
    /// Loads everything once, from nothing but a root.
    pub async fn new(origin: &str, root: &[u8]) -> Self {
        let mut http = Connection::open(origin).await;
        let root = Signed::<Root>::parse(root).expect("a root").signed;
        let timestamp = newest_timestamp(&mut http, &root).await;
        let snapshot = named_snapshot(&mut http, &root, &timestamp).await;
        let version = |role: &str| snapshot.signed.meta[&format!("{role}.json")].version;
        let targets: Signed<Targets> = metadata(&mut http, version("targets"), "targets").await;
        root.verify("targets", &targets).expect("signed targets");
        let bins: Signed<Targets> = metadata(&mut http, version("bins"), "bins").await;
        let delegations = targets.signed.delegations.expect("delegations");
        delegations.verify("bins", &bins).expect("signed bins");
        let bins = bins.signed;
        Self { http, root, timestamp, snapshot, bins, cached: BTreeMap::new() }
    }

    /// With a new connection, as a client that is started again has.
    pub async fn reconnect(&mut self, origin: &str) {
        self.http = Connection::open(origin).await;
    }

    /// Refreshes; the file at a target path, verified, where the newest metadata lists it.
    pub async fn fetch(&mut self, path: &str) -> Option<Bytes> {
        self.refresh().await;
        let target = self.target(path).await?;
        let (folder, name) = path.rsplit_once('/').expect("a folder");
        let digest = target.sha256().expect("a SHA-256");
        let url = format!("/tuf/targets/{folder}/{digest}.{name}");
        let (status, bytes) = self.http.get(&url, "*/*").await;
        assert_eq!(status, StatusCode::OK, "{url}");
        assert_eq!(bytes.len() as u64, target.length);
        assert_eq!(Digest::of(&bytes), digest);
        Some(bytes)
    }

    /// Loads what is newer; whether anything is.
    pub async fn refresh(&mut self) -> bool {
        let next_root = format!("/tuf/metadata/{}.root.json", self.root.version + 1);
        assert_eq!(self.http.get(&next_root, "*/*").await.0, StatusCode::NOT_FOUND);
        let timestamp = newest_timestamp(&mut self.http, &self.root).await;
        assert!(timestamp.version >= self.timestamp.version, "nothing goes back");
        if timestamp.version == self.timestamp.version {
            return false;
        }
        let snapshot = named_snapshot(&mut self.http, &self.root, &timestamp).await;
        for (name, old) in &self.snapshot.signed.meta {
            let new = snapshot.signed.meta.get(name).expect("an entry never leaves");
            assert!(new.version >= old.version, "{name}: nothing goes back");
        }
        (self.timestamp, self.snapshot) = (timestamp, snapshot);
        true
    }

    /// What the metadata that was loaded last says of a target path, its bin verified.
    pub async fn target(&mut self, path: &str) -> Option<TargetFile> {
        let delegations = self.bins.delegations.as_ref().expect("delegations");
        let name = delegations.succinct_roles.as_ref().expect("bins").bin_of(path);
        let version = self.snapshot.signed.meta[&format!("{name}.json")].version;
        if self.cached.get(&name).is_none_or(|bin| bin.version != version) {
            let bin: Signed<Targets> = metadata(&mut self.http, version, &name).await;
            delegations.verify(&name, &bin).expect("a signed bin");
            self.cached.insert(name.clone(), bin.signed);
        }
        self.cached[&name].targets.get(path).cloned()
    }
}

async fn newest_timestamp(http: &mut Connection, root: &Root) -> Timestamp {
    let (status, bytes) = http.get("/tuf/metadata/timestamp.json", "*/*").await;
    assert_eq!(status, StatusCode::OK);
    let timestamp = parse::<Timestamp>(&bytes);
    root.verify("timestamp", &timestamp).expect("a signed timestamp");
    timestamp.signed
}

async fn named_snapshot(
    http: &mut Connection,
    root: &Root,
    timestamp: &Timestamp,
) -> Signed<Snapshot> {
    let entry = &timestamp.meta["snapshot.json"];
    let path = format!("/tuf/metadata/{}.snapshot.json", entry.version);
    let (status, bytes) = http.get(&path, "*/*").await;
    assert_eq!(status, StatusCode::OK, "{path}");
    let hashes = entry.hashes.as_ref().expect("hashes");
    assert_eq!(
        (Some(bytes.len() as u64), &Digest::of(&bytes).to_string()),
        (entry.length, &hashes["sha256"])
    );
    let snapshot = parse::<Snapshot>(&bytes);
    root.verify("snapshot", &snapshot).expect("a signed snapshot");
    assert_eq!(snapshot.signed.version, entry.version);
    snapshot
}

async fn metadata(http: &mut Connection, version: u64, role: &str) -> Signed<Targets> {
    let path = format!("/tuf/metadata/{version}.{role}.json");
    let (status, bytes) = http.get(&path, "*/*").await;
    assert_eq!(status, StatusCode::OK, "{path}");
    let role = parse::<Targets>(&bytes);
    assert_eq!(role.signed.version, version);
    role
}

fn parse<R: Role>(bytes: &[u8]) -> Signed<R> {
    let role = Signed::<R>::parse(bytes).expect("metadata");
    assert!(!role.signed.expires().passed(jiff::Timestamp::now()), "{} has expired", R::TYPE);
    role
}
