//! A repository's metadata as it was at some moment, or as somebody with keys makes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign::ceremony::KeyFolder;
use countersign::signer::{FileSigner, Signer, sign};
use countersign::tuf::{
    Digest, MetaFile, Role, Root, Signed, Snapshot, SuccinctRoles, TargetFile, Targets, Timestamp,
};
use futures::FutureExt as _;

use super::http::get;
use super::sidecar::{Sidecar, page_path};

/// The private keys of a repository.
#[derive(Clone)]
pub struct Keys {
    pub root: Arc<dyn Signer>,
    pub targets: Arc<dyn Signer>,
    pub bins: Arc<dyn Signer>,
    /// Of timestamp, snapshot and each bin.
    pub online: Arc<dyn Signer>,
}

/// All roles, and their files as they are served.
#[derive(Clone)]
pub struct Repository {
    pub keys: Keys,
    pub root: Root,
    pub timestamp: Timestamp,
    pub snapshot: Snapshot,
    /// targets, bins, and each bin.
    pub roles: BTreeMap<String, Targets>,
    /// `timestamp.json`, `7.snapshot.json` …
    files: BTreeMap<String, Vec<u8>>,
    /// By project.
    pages: BTreeMap<String, Vec<u8>>,
}

impl Keys {
    /// What `init` left in the data folder, and what can be stolen there.
    pub fn of(sidecar: &Sidecar) -> Self {
        let folder = KeyFolder::new(&sidecar.data());
        let offline = |role: &str| load(&folder.offline().join(format!("{role}.pem")));
        Self {
            root: offline("root"),
            targets: offline("targets"),
            bins: offline("bins"),
            online: folder.load_online().expect("the online key"),
        }
    }

    /// Keys of somebody whom nobody trusts.
    pub fn strange() -> Self {
        Self { root: new_key(), targets: new_key(), bins: new_key(), online: new_key() }
    }
}

fn load(path: &std::path::Path) -> Arc<dyn Signer> {
    Arc::new(FileSigner::load(path).expect("a key"))
}

pub fn new_key() -> Arc<dyn Signer> {
    Arc::new(FileSigner::generate().expect("a key"))
}

/// Keys that lie in files sign at once.
fn signed<R: Role>(role: &R, keys: &[Arc<dyn Signer>]) -> Vec<u8> {
    let signed = sign(role.clone(), keys).now_or_never().expect("at once");
    signed.expect("a signature").to_bytes().expect("its bytes")
}

impl Repository {
    /// As the sidecar serves it now. Nothing is signed until it is changed.
    pub fn of(sidecar: &Sidecar) -> Self {
        Self::at(&sidecar.metadata_url(), Keys::of(sidecar))
    }

    /// The same of whatever serves there, for somebody who has these keys.
    pub fn at(metadata_url: &str, keys: Keys) -> Self {
        let mut files = BTreeMap::new();
        let mut take = |name: String| {
            let answer = get(&format!("{metadata_url}{name}"));
            assert_eq!(answer.status, 200, "{name}");
            files.insert(name, answer.body.clone());
            answer.body
        };
        let root = parse(&take("1.root.json".into()));
        let timestamp: Timestamp = parse(&take("timestamp.json".into()));
        let version = timestamp.meta["snapshot.json"].version;
        let snapshot: Snapshot = parse(&take(format!("{version}.snapshot.json")));
        let roles = snapshot.meta.iter().map(|(name, meta)| {
            let role = name.trim_end_matches(".json").to_owned();
            (role, parse(&take(format!("{}.{name}", meta.version))))
        });
        let roles = roles.collect();
        Self { keys, root, timestamp, snapshot, roles, files, pages: BTreeMap::new() }
    }

    /// As another has the same roles: whoever holds these keys.
    pub fn held_by(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    /// A role's metadata in its present version.
    pub fn file(&self, role: &str) -> &[u8] {
        let name = match role {
            "timestamp" => "timestamp.json".to_owned(),
            "snapshot" => format!("{}.snapshot.json", self.snapshot.version),
            _ => format!("{}.{role}.json", self.roles[role].version),
        };
        &self.files[&name]
    }

    pub fn pages(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.pages
    }

    /// Remembers a page as it is, signed or not.
    pub fn keep_page(&mut self, project: &str, page: &[u8]) {
        self.pages.insert(project.to_owned(), page.to_owned());
    }

    /// Signs this page: the next version of its bin. It is visible once it is [announced](Self::announce).
    pub fn put_page(&mut self, project: &str, page: &[u8]) {
        self.keep_page(project, page);
        let path = page_path(project);
        let target = TargetFile::new(Digest::of(page), page.len() as u64, None);
        let name = self.succinct().bin_of(&path);
        let bin = self.roles.get_mut(&name).expect("a bin");
        bin.targets.insert(path, target);
        bin.version += 1;
        self.sign_role(&name);
    }

    /// The name of a page's bin.
    pub fn bin_of(&self, project: &str) -> String {
        self.bin_for(&page_path(project))
    }

    /// The name of a target's bin.
    pub fn bin_for(&self, path: &str) -> String {
        self.succinct().bin_of(path)
    }

    /// Signs a targets role as it stands, and lists it in the snapshot.
    pub fn sign_role(&mut self, name: &str) {
        let role = self.roles[name].clone();
        let key = match name {
            "targets" => &self.keys.targets,
            "bins" => &self.keys.bins,
            _ => &self.keys.online,
        };
        let bytes = signed(&role, std::slice::from_ref(key));
        self.files.insert(format!("{}.{name}.json", role.version), bytes);
        self.snapshot.meta.insert(format!("{name}.json"), MetaFile::version(role.version));
    }

    /// Signs the next snapshot and the next timestamp.
    pub fn announce(&mut self) {
        self.snapshot.version += 1;
        self.timestamp.version += 1;
        self.sign_snapshot();
        self.sign_timestamp();
    }

    /// Signs the snapshot as it stands, and names it in the timestamp.
    pub fn sign_snapshot(&mut self) {
        let bytes = signed(&self.snapshot, std::slice::from_ref(&self.keys.online));
        let hashes = [("sha256".to_owned(), Digest::of(&bytes).to_string())].into();
        let entry = MetaFile {
            hashes: Some(hashes),
            length: Some(bytes.len() as u64),
            ..MetaFile::version(self.snapshot.version)
        };
        self.timestamp.meta.insert("snapshot.json".into(), entry);
        self.files.insert(format!("{}.snapshot.json", self.snapshot.version), bytes);
    }

    /// Signs the timestamp as it stands.
    pub fn sign_timestamp(&mut self) {
        let bytes = signed(&self.timestamp, std::slice::from_ref(&self.keys.online));
        self.files.insert("timestamp.json".into(), bytes);
    }

    /// Signs the root as it stands.
    pub fn sign_root(&mut self, keys: &[Arc<dyn Signer>]) {
        let bytes = signed(&self.root, keys);
        self.files.insert(format!("{}.root.json", self.root.version), bytes);
    }

    /// The next root has another online key, and so has the next version of `bins`; all that the old one signed is
    /// signed again.
    pub fn rotate_online(&mut self) {
        let old = std::mem::replace(&mut self.keys.online, new_key());
        let (gone, key) = (old.key().id(), self.keys.online.key().clone());
        self.root.keys.remove(&gone);
        self.root.keys.insert(key.id(), key.clone());
        for role in ["snapshot", "timestamp"] {
            self.root.roles.get_mut(role).expect("a role").keyids = vec![key.id()];
        }
        self.root.version += 1;
        self.sign_root(&[Arc::clone(&self.keys.root)]);

        let bins = self.roles.get_mut("bins").expect("bins");
        bins.version += 1;
        let delegations = bins.delegations.as_mut().expect("delegations");
        delegations.keys = [(key.id(), key.clone())].into();
        delegations.succinct_roles.as_mut().expect("bins").keyids = vec![key.id()];
        self.sign_role("bins");
        let names: Vec<_> = self.succinct().names().collect();
        for name in names {
            self.roles.get_mut(&name).expect("a bin").version += 1;
            self.sign_role(&name);
        }
        self.announce();
    }

    /// The next root has another root key; the old one signs it too.
    pub fn rotate_root(&mut self) {
        let old = std::mem::replace(&mut self.keys.root, new_key());
        let key = self.keys.root.key().clone();
        self.root.keys.remove(&old.key().id());
        self.root.roles.get_mut("root").expect("a role").keyids = vec![key.id()];
        self.root.keys.insert(key.id(), key);
        self.root.version += 1;
        self.sign_root(&[old, Arc::clone(&self.keys.root)]);
    }

    fn succinct(&self) -> SuccinctRoles {
        let delegations = self.roles["bins"].delegations.clone();
        delegations.and_then(|all| all.succinct_roles).expect("bins")
    }
}

fn parse<R: Role>(bytes: &[u8]) -> R {
    Signed::parse(bytes).expect("metadata").signed
}
