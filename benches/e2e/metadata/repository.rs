//! A repository as countersign publishes it, of any size: only the bins that are asked for have targets.

use std::collections::BTreeMap;

use countersign::tuf::{
    Delegations, Digest, Expiry, Key, KeyId, MetaFile, Role, RoleKeys, Root, RootType,
    SPEC_VERSION, Signature, Signed, Snapshot, SnapshotType, SuccinctRoles, TargetFile, Targets,
    Timestamp, TimestampType, canonical,
};
use ed25519_dalek::{Signer as _, SigningKey};

const PAGE: &str = "simple/qx-page/vnd.pypi.simple.v1.json";
/// The targets of one publication: two pages and a file.
const CHANGED: u64 = 3;

pub struct Repository {
    online: SigningKey,
    offline: SigningKey,
    bins: SuccinctRoles,
    bin: Targets,
    snapshot: Snapshot,
    /// By name, as they are asked for.
    files: BTreeMap<String, Vec<u8>>,
    page: Vec<u8>,
}

impl Repository {
    /// With these in the bin that the client loads.
    pub fn new(bins: u32, targets: &BTreeMap<String, TargetFile>) -> Self {
        let [online, offline] = [1, 2].map(|seed| SigningKey::from_bytes(&[seed; 32]));
        let bins = succinct(bins, &online);
        // As long as a page of ten files.
        let page = format!("{{\"files\":[{}]}}", "0,".repeat(2_500).trim_end_matches(','));
        let page = page.into_bytes();
        let mut bin = Targets::empty(1, expires());
        bin.targets = targets.clone();
        bin.bin = Some(bins.bin_of(PAGE));
        bin.targets
            .insert(PAGE.into(), TargetFile::new(Digest::of(&page), page.len() as u64, Some(1)));
        let offline_roles = ["bins", "targets"].map(|name| (name.to_owned(), 1));
        let meta = bins.names().map(|name| (name.clone(), grown(&name))).chain(offline_roles);
        let meta: BTreeMap<_, _> = meta
            .map(|(name, version)| (format!("{name}.json"), MetaFile::version(version)))
            .collect();
        bin.version = meta[&format!("{}.json", bins.bin_of(PAGE))].version;
        let snapshot = Snapshot {
            kind: SnapshotType,
            commit: Some(1),
            expires: expires(),
            meta,
            spec_version: SPEC_VERSION.into(),
            version: 1,
            extra: BTreeMap::new(),
        };
        let files = BTreeMap::new();
        let mut made = Self { online, offline, bins, bin, snapshot, files, page };
        made.write_offline();
        made.write_bin();
        made.write_snapshot();
        made
    }

    pub fn target(&self) -> &'static str {
        PAGE
    }

    /// A metadata file or target.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        let digest = Digest::of(&self.page);
        let (folder, name) = PAGE.rsplit_once('/').expect("a folder");
        if path == format!("targets/{folder}/{digest}.{name}") {
            return Some(&self.page);
        }
        self.files.get(path.strip_prefix("metadata/")?).map(Vec::as_slice)
    }

    /// So many publications, spread over the bins, with or without the one that the client has.
    pub fn publish(&mut self, publications: usize, with_its_bin: bool) {
        let ours = self.bins.index_of(PAGE);
        for n in 0..publications as u64 * CHANGED {
            // Any spread will do that is the same each time.
            let at = (n * 2_654_435_761 % self.bins.count()) as u32;
            if at != ours {
                self.touch(at);
            }
        }
        if with_its_bin {
            self.touch(ours);
            self.bin.version = self.snapshot.meta[&self.bin_file()].version;
            self.write_bin();
        }
        self.snapshot.version += publications as u64;
        self.snapshot.commit = Some(self.snapshot.version);
        self.write_snapshot();
    }

    fn touch(&mut self, bin: u32) {
        let name = format!("{}.json", self.bins.name(bin));
        self.snapshot.meta.get_mut(&name).expect("every bin is listed").version += 1;
    }

    fn bin_file(&self) -> String {
        format!("{}.json", self.bins.bin_of(PAGE))
    }

    fn write_offline(&mut self) {
        let (online, offline) = (public(&self.online), public(&self.offline));
        let role =
            |key: &Key| RoleKeys { keyids: vec![key.id()], threshold: 1, extra: BTreeMap::new() };
        let roles = [
            ("root", role(&offline)),
            ("snapshot", role(&online)),
            ("targets", role(&offline)),
            ("timestamp", role(&online)),
        ];
        let root = Root {
            kind: RootType,
            consistent_snapshot: true,
            expires: expires(),
            keys: keys(&[&online, &offline]),
            roles: roles.map(|(name, role)| (name.to_owned(), role)).into(),
            spec_version: SPEC_VERSION.into(),
            version: 1,
            extra: BTreeMap::new(),
        };
        let delegated = countersign::tuf::DelegatedRole {
            keyids: vec![offline.id()],
            name: "bins".into(),
            path_hash_prefixes: None,
            paths: Some(vec!["simple/*/*".into(), "files/*/*".into()]),
            terminating: true,
            threshold: 1,
            extra: BTreeMap::new(),
        };
        let mut targets = Targets::empty(1, expires());
        targets.delegations = Some(delegations(keys(&[&offline]), Some(vec![delegated]), None));
        let mut bins = Targets::empty(1, expires());
        bins.delegations = Some(delegations(keys(&[&online]), None, Some(self.bins.clone())));
        self.files.insert("1.root.json".into(), sign(root, &self.offline));
        self.files.insert("1.targets.json".into(), sign(targets, &self.offline));
        self.files.insert("1.bins.json".into(), sign(bins, &self.offline));
    }

    fn write_bin(&mut self) {
        let name = format!("{}.{}", self.bin.version, self.bin_file());
        self.files.insert(name, sign(self.bin.clone(), &self.online));
    }

    fn write_snapshot(&mut self) {
        let version = self.snapshot.version;
        let snapshot = sign(self.snapshot.clone(), &self.online);
        let hashes = [("sha256".to_owned(), Digest::of(&snapshot).to_string())];
        let entry = MetaFile {
            hashes: Some(hashes.into()),
            length: Some(snapshot.len() as u64),
            version,
            extra: BTreeMap::new(),
        };
        let timestamp = Timestamp {
            kind: TimestampType,
            at: Some(expires()),
            commit: Some(version),
            expires: expires(),
            meta: [("snapshot.json".to_owned(), entry)].into(),
            spec_version: SPEC_VERSION.into(),
            version,
            extra: BTreeMap::new(),
        };
        self.files.insert(format!("{version}.snapshot.json"), snapshot);
        self.files.insert("timestamp.json".into(), sign(timestamp, &self.online));
    }
}

/// So many targets that belong into the bin which the client loads.
pub fn neighbours(bins: u32, count: usize) -> BTreeMap<String, TargetFile> {
    let bins = succinct(bins, &SigningKey::from_bytes(&[1; 32]));
    let ours = bins.index_of(PAGE);
    (0..).map(target).filter(|(path, _)| bins.index_of(path) == ours).take(count).collect()
}

fn succinct(bins: u32, key: &SigningKey) -> SuccinctRoles {
    SuccinctRoles {
        bit_length: bins.ilog2(),
        keyids: vec![public(key).id()],
        name_prefix: "bins".into(),
        threshold: 1,
        extra: BTreeMap::new(),
    }
}

fn public(key: &SigningKey) -> Key {
    Key::ed25519(key.verifying_key().as_bytes())
}

fn keys(keys: &[&Key]) -> BTreeMap<KeyId, Key> {
    keys.iter().map(|key| (key.id(), (*key).clone())).collect()
}

fn delegations(
    keys: BTreeMap<KeyId, Key>,
    roles: Option<Vec<countersign::tuf::DelegatedRole>>,
    succinct_roles: Option<SuccinctRoles>,
) -> Delegations {
    Delegations { keys, roles, succinct_roles, extra: BTreeMap::new() }
}

/// The version of a bin after some years: no two bins have grown alike.
fn grown(name: &str) -> u64 {
    let [a, b, ..] = *Digest::of(name.as_bytes()).as_bytes();
    1_000 + u64::from(u16::from_be_bytes([a, b])) % 9_000
}

/// A target as long as most: a file of some project.
fn target(n: usize) -> (String, TargetFile) {
    let digest = Digest::of(&n.to_be_bytes());
    let project = &digest.to_string()[..11];
    let path = format!("files/{project}/{project}-1.{n}.0-py3-none-any.whl");
    (path, TargetFile::new(digest, 100_000 + n as u64, Some(n as u64)))
}

fn expires() -> Expiry {
    Expiry::at(jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24))
}

fn sign<R: Role>(role: R, key: &SigningKey) -> Vec<u8> {
    let message = canonical::to_vec(&role).expect("a canonical form");
    let sig = hex::encode(key.sign(&message).to_bytes());
    let signature = Signature { keyid: public(key).id(), sig, extra: BTreeMap::new() };
    Signed { signatures: vec![signature], signed: role }.to_bytes().expect("JSON")
}
