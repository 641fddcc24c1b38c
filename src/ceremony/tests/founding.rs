//! Repositories that are founded on what people signed, and such that are taken over.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tempfile::TempDir;

use crate::ceremony::check::testing::{
    bins, by, delegated, ids, keys_of, later, now, pair, root, targets,
};
use crate::ceremony::{
    Founded, Founding, Imported, InitError, InitOptions, KeyFolder, import, init, init_signed,
};
use crate::config::{StoreConfig, TargetsMode, ValidityConfig};
use crate::index::Links;
use crate::repository::fsck::fsck;
use crate::repository::tests::support::{Fault, Faulty};
use crate::repository::{Contents, Publisher, PublisherConfig, load};
use crate::signer::{Backend, Keyring, Signer, SignerError};
use crate::store::{Store, layout};
use crate::time::Clock;
use crate::tuf::{
    Digest, Expiry, Key, MetaFile, Role, Root, SPEC_VERSION, Snapshot, SnapshotType, TargetFile,
    Targets, Timestamp, TimestampType, canonical, workflow,
};

/// The key number `.0`.
struct Seeded(u8, Key);

impl Signer for Seeded {
    fn key(&self) -> &Key {
        &self.1
    }

    fn backend(&self) -> Backend {
        Backend::File
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<String, SignerError>> {
        use ed25519_dalek::Signer as _;
        let signature = pair(self.0).0.sign(message).to_bytes();
        async move { Ok(hex::encode(signature)) }.boxed()
    }
}

fn online(seed: u8) -> Vec<Arc<dyn Signer>> {
    vec![Arc::new(Seeded(seed, pair(seed).key()))]
}

fn write<R: Role>(folder: &Path, name: &str, role: &R, keys: &[u8]) -> Bytes {
    let bytes = by(role, keys).to_bytes().unwrap();
    fs::write(folder.join(name), &bytes).unwrap();
    bytes.into()
}

fn memory() -> (Arc<Faulty>, Store) {
    let faulty = Faulty::new();
    (faulty.clone(), Store::over_objects(faulty))
}

async fn whole(store: &Store) {
    let tell = |event: crate::repository::fsck::Event<'_>| {
        if let crate::repository::fsck::Event::Found(finding) = event {
            panic!("{finding:?}");
        }
    };
    let summary = fsck(store, now(), &tell).await.unwrap().unwrap();
    assert_eq!(summary.damage, 0);
}

/// What three holders bring from their ceremony.
fn ceremony() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "root.json", &root(1), &[1, 3]);
    write(folder.path(), "targets.json", &targets(1), &[4]);
    write(folder.path(), "bins.json", &bins(1), &[5]);
    folder
}

async fn sign_in(store: &Store, folder: &Path, key: u8) -> Result<Founded, InitError> {
    let validity = ValidityConfig::default();
    let founding = Founding { store, online: &online(key), validity: &validity, now: now() };
    init_signed(&founding, folder, |_, _| ()).await
}

#[tokio::test]
async fn what_people_signed_becomes_a_repository() {
    let (folder, (_, store)) = (ceremony(), memory());
    let made = sign_in(&store, folder.path(), 9).await.unwrap();
    assert_eq!(made.bins, 16);
    let first = fs::read(folder.path().join("root.json")).unwrap();
    assert_eq!((made.root_sha256, &made.root), (Digest::of(&first), &Bytes::from(first.clone())));
    assert!(made.checked[0].contains("2 of the 3 keys of root 1 (2 needed)"), "{:?}", made.checked);
    assert_eq!(store.read(&layout::root(1)).await.unwrap().unwrap(), first);
    whole(&store).await;
    assert!(matches!(sign_in(&store, folder.path(), 9).await, Err(InitError::Exists)));
}

#[tokio::test]
async fn a_chain_of_roots_is_taken_whole() {
    let (folder, (_, store)) = (ceremony(), memory());
    fs::rename(folder.path().join("root.json"), folder.path().join("1.root.json")).unwrap();
    write(folder.path(), "2.root.json", &root(2), &[2, 3]);
    sign_in(&store, folder.path(), 9).await.unwrap();
    assert_eq!(load::published(&store).await.unwrap().base.root.signed.version, 2);
    whole(&store).await;
}

#[tokio::test]
async fn what_clients_or_writers_would_fail_on_is_refused_before_anything_is_written() {
    let says = async |folder: &Path, key: u8, part: &str| {
        let (_, store) = memory();
        let refused = sign_in(&store, folder, key).await.unwrap_err().to_string();
        assert!(refused.contains(part), "{refused}");
        assert!(store.list(layout::ROOT).await.unwrap().is_empty(), "{refused}");
    };
    says(ceremony().path(), 8, "locks out every online key").await;
    let folder = ceremony();
    write(folder.path(), "root.json", &root(1), &[1]);
    says(folder.path(), 9, "1 of the 2 keys").await;
    let folder = ceremony();
    write(folder.path(), "targets.json", &targets(2), &[4]);
    says(folder.path(), 9, "version 2 of targets").await;
    let folder = ceremony();
    fs::write(folder.path().join("bins.json"), "{").unwrap();
    says(folder.path(), 9, "bins.json cannot be used").await;
    let folder = ceremony();
    let mut wider = targets(1);
    let delegations = wider.delegations.as_mut().unwrap();
    delegations.keys.extend(keys_of(&[6]));
    delegations.roles.as_mut().unwrap().insert(0, delegated("claimed", &["files/a/*"], 6));
    write(folder.path(), "targets.json", &wider, &[4]);
    says(folder.path(), 9, "\"claimed\", of which the folder has no NAME.json").await;
    write(folder.path(), "claimed.json", &Targets::empty(1, later()), &[5]);
    says(folder.path(), 9, "claimed.json cannot be used").await;
    write(folder.path(), "claimed.json", &Targets::empty(1, later()), &[6]);
    let (_, store) = memory();
    sign_in(&store, folder.path(), 9).await.unwrap();
    whole(&store).await;
}

#[tokio::test]
async fn an_interrupted_init_goes_on_with_the_same_files_and_with_no_others() {
    let folder = ceremony();
    let other = ceremony();
    write(other.path(), "root.json", &root(1), &[2, 3]);
    let mut writes = 0;
    loop {
        let (faulty, store) = memory();
        faulty.plan(Some((writes, Fault::CrashAfter)));
        let made = sign_in(&store, folder.path(), 9).await;
        faulty.plan(None);
        if made.is_ok() {
            break;
        }
        let refused = sign_in(&store, other.path(), 9).await.unwrap_err();
        // Once it is visible, it is there.
        assert!(matches!(refused, InitError::Begun(_) | InitError::Exists), "{refused}");
        match sign_in(&store, folder.path(), 9).await {
            Err(InitError::Exists) => {
                assert_eq!(store.list(layout::TIMESTAMPS).await.unwrap().len(), 1)
            }
            made => drop(made.unwrap()),
        }
        whole(&store).await;
        writes += 1;
    }
    assert!(writes > 20, "{writes}");
}

#[tokio::test]
async fn what_people_began_is_not_gone_on_with_by_keys_that_are_made() {
    let (folder, keys, (faulty, store)) = (ceremony(), tempfile::tempdir().unwrap(), memory());
    faulty.plan(Some((3, Fault::CrashBefore)));
    sign_in(&store, folder.path(), 9).await.unwrap_err();
    faulty.plan(None);
    let options = InitOptions { bins: 16, validity: ValidityConfig::default() };
    fs::write(keys.path().join("online.pem"), "handed over").unwrap();
    let refused = init(&store, &KeyFolder::new(keys.path()), &options, |_| ()).await.unwrap_err();
    assert!(matches!(refused, InitError::OtherKeys), "{refused}");
    assert_eq!(fs::read_dir(keys.path()).unwrap().count(), 1, "no keys were made");
}

/// A repository of another making: root 2, targets 3 that trusts `claimed` with something, snapshot 7, timestamp 9.
struct Foreign {
    folder: TempDir,
    timestamp: Timestamp,
    snapshot: Snapshot,
    targets: Targets,
}

impl Foreign {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        // It has expired, and says nothing of consistent snapshots.
        let first = Root { expires: Expiry::at(now()), ..root(1) };
        let mut first = serde_json::to_value(&first).unwrap();
        first.as_object_mut().unwrap().remove("consistent_snapshot");
        let message = canonical::to_vec(&first).unwrap();
        let signatures = [1, 2].map(|seed| {
            use ed25519_dalek::Signer as _;
            let sig = hex::encode(pair(seed).0.sign(&message).to_bytes());
            serde_json::json!({"keyid": pair(seed).id(), "sig": sig})
        });
        let first = serde_json::json!({"signatures": signatures, "signed": first});
        fs::write(at.join("1.root.json"), serde_json::to_vec_pretty(&first).unwrap()).unwrap();
        write(at, "2.root.json", &root(2), &[1, 2]);
        let mut targets = targets(3);
        let delegations = targets.delegations.as_mut().unwrap();
        delegations.keys = keys_of(&[6]);
        delegations.roles = Some(vec![delegated("claimed", &["claimed/*"], 6)]);
        write(at, "3.targets.json", &targets, &[4]);
        let mut claimed = Targets::empty(2, later());
        claimed.targets.insert("claimed/x".into(), TargetFile::new(Digest::of(b"x"), 1, None));
        let bytes = write(at, "2.claimed.json", &claimed, &[6]);
        let hashes = Some([("sha256".to_owned(), Digest::of(&bytes).to_string())].into());
        let entry = MetaFile { hashes, ..MetaFile::version(2) };
        let meta = [("claimed.json".into(), entry), ("targets.json".into(), MetaFile::version(3))];
        let snapshot = Snapshot {
            kind: SnapshotType,
            commit: None,
            expires: later(),
            meta: meta.into(),
            spec_version: SPEC_VERSION.into(),
            version: 7,
            extra: Default::default(),
        };
        write(at, "7.snapshot.json", &snapshot, &[9]);
        let timestamp = Timestamp {
            kind: TimestampType,
            at: None,
            commit: None,
            expires: later(),
            meta: [("snapshot.json".into(), MetaFile::version(7))].into(),
            spec_version: SPEC_VERSION.into(),
            version: 9,
            extra: Default::default(),
        };
        write(at, "timestamp.json", &timestamp, &[9]);
        let foreign = Self { folder, timestamp, snapshot, targets };
        foreign.sign_next(|_| ());
        write(foreign.folder.path(), "next-bins.json", &bins(1), &[5]);
        foreign
    }

    /// The next targets, which delegates to bins too.
    fn sign_next(&self, change: impl FnOnce(&mut Targets)) {
        let mut next = Targets { version: 4, ..self.targets.clone() };
        let delegations = next.delegations.as_mut().unwrap();
        delegations.keys.extend(keys_of(&[5]));
        let to_bins = targets(1).delegations.unwrap().roles.unwrap();
        delegations.roles.as_mut().unwrap().extend(to_bins);
        change(&mut next);
        write(self.folder.path(), "next-targets.json", &next, &[4]);
    }

    async fn import(&self, store: &Store) -> Result<Imported, InitError> {
        let validity = ValidityConfig::default();
        let founding = Founding { store, online: &online(9), validity: &validity, now: now() };
        let at = self.folder.path();
        let (targets, bins) = (at.join("next-targets.json"), at.join("next-bins.json"));
        import(&founding, at, &targets, &bins, |_, _| ()).await
    }

    /// Whether a client that knows the old state takes what is published now.
    async fn goes_on(&self, store: &Store) {
        let published = load::published(store).await.unwrap();
        workflow::timestamp_after(&self.timestamp, &published.timestamp.signed).unwrap();
        workflow::snapshot_after(&self.snapshot, &published.base.snapshot.signed).unwrap();
        assert_eq!(published.timestamp.signed.version, 10);
        assert_eq!(published.base.snapshot.signed.version, 8);
        assert_eq!(published.base.version_of("targets"), Some(4));
        for (name, object) in [
            ("1.root.json", layout::root(1)),
            ("2.root.json", layout::root(2)),
            ("2.claimed.json", layout::metadata(2, "claimed")),
        ] {
            let was = fs::read(self.folder.path().join(name)).unwrap();
            assert_eq!(store.read(&object).await.unwrap().unwrap(), was, "{name}");
        }
        let entry = published.base.snapshot.signed.meta.get("claimed.json");
        assert_eq!(entry, self.snapshot.meta.get("claimed.json"));
    }
}

#[tokio::test]
async fn a_repository_of_another_making_is_taken_over() {
    let (foreign, (_, store)) = (Foreign::new(), memory());
    let imported = foreign.import(&store).await.unwrap();
    assert_eq!((imported.snapshot, imported.timestamp), (8, 10));
    assert_eq!(imported.kept, ["claimed"]);
    foreign.goes_on(&store).await;
    whole(&store).await;
}

#[tokio::test]
async fn an_interrupted_import_goes_on_and_never_shows_a_lower_timestamp() {
    let foreign = Foreign::new();
    let mut writes = 0;
    loop {
        let (faulty, store) = memory();
        faulty.plan(Some((writes, Fault::CrashAfter)));
        let made = foreign.import(&store).await;
        faulty.plan(None);
        if made.is_ok() {
            break;
        }
        let committed = store.read(&layout::commit(1)).await.unwrap().is_some();
        let shown = !store.list(layout::TIMESTAMPS).await.unwrap().is_empty();
        if committed && !shown && writes % 2 == 0 {
            // A writer that comes across it completes it.
            Publisher::open(store.clone(), config()).await.unwrap();
        } else if !shown {
            foreign.import(&store).await.unwrap();
        }
        foreign.goes_on(&store).await;
        whole(&store).await;
        writes += 1;
    }
    assert!(writes > 20, "{writes}");
}

fn config() -> PublisherConfig {
    PublisherConfig {
        memory: 1 << 20,
        keyring: Keyring::of(online(9)),
        contents: Contents {
            targets: TargetsMode::All,
            html: false,
            links: Links { tuf: "../../tuf/".into() },
        },
        validity: ValidityConfig::default(),
        store: StoreConfig::default(),
        clock: Clock::at(now()),
        readiness: Arc::default(),
        metrics: Arc::new(crate::telemetry::Metrics::new().unwrap()),
    }
}

#[tokio::test]
async fn a_repository_that_cannot_go_on_is_not_taken_over() {
    let refused = async |foreign: &Foreign, part: &str| {
        let (_, store) = memory();
        let refused = foreign.import(&store).await.unwrap_err().to_string();
        assert!(refused.contains(part), "{refused}");
        assert!(store.list(layout::ROOT).await.unwrap().is_empty(), "{refused}");
    };
    let foreign = Foreign::new();
    fs::remove_file(foreign.folder.path().join("2.claimed.json")).unwrap();
    refused(&foreign, "2.claimed.json").await;

    let foreign = Foreign::new();
    write(foreign.folder.path(), "2.root.json", &root(2), &[1]);
    refused(&foreign, "does not verify: root").await;

    let foreign = Foreign::new();
    write(foreign.folder.path(), "2.claimed.json", &Targets::empty(2, later()), &[6]);
    refused(&foreign, "claimed").await;

    let foreign = Foreign::new();
    write(foreign.folder.path(), "timestamp.json", &foreign.timestamp, &[8]);
    refused(&foreign, "timestamp").await;

    let foreign = Foreign::new();
    foreign.sign_next(|next| next.version = 3);
    refused(&foreign, "a version 3 of targets already").await;

    let foreign = Foreign::new();
    let new = |next: &mut Targets| {
        let roles = next.delegations.as_mut().unwrap().roles.as_mut().unwrap();
        roles.insert(0, delegated("other", &["other/*"], 6));
    };
    foreign.sign_next(new);
    refused(&foreign, "\"other\", of which there is no metadata").await;

    // Bins of its own, under the name of ours.
    let foreign = Foreign::new();
    write(foreign.folder.path(), "1.bins-3.json", &Targets::empty(1, later()), &[9]);
    let mut snapshot = foreign.snapshot.clone();
    snapshot.meta.insert("bins-3.json".into(), MetaFile::version(1));
    write(foreign.folder.path(), "7.snapshot.json", &snapshot, &[9]);
    refused(&foreign, "a role \"bins-3\" already").await;

    let mut last = root(3);
    last.consistent_snapshot = false;
    let foreign = Foreign::new();
    write(foreign.folder.path(), "3.root.json", &last, &[1, 2]);
    refused(&foreign, "consistent").await;
}

/// Keys may be replaced on the way: what the old online key signed counts under the root of its time.
#[tokio::test]
async fn a_new_root_may_come_with_the_new_owner() {
    let (foreign, (_, store)) = (Foreign::new(), memory());
    let mut next = root(3);
    next.keys.remove(&pair(9).id());
    next.keys.extend(keys_of(&[7]));
    for role in ["snapshot", "timestamp"] {
        next.roles.get_mut(role).unwrap().keyids = ids(&[7]);
    }
    write(foreign.folder.path(), "3.root.json", &next, &[1, 2]);
    let mut bins = bins(1);
    let delegations = bins.delegations.as_mut().unwrap();
    delegations.keys = keys_of(&[7]);
    delegations.succinct_roles.as_mut().unwrap().keyids = ids(&[7]);
    write(foreign.folder.path(), "next-bins.json", &bins, &[5]);
    let refused = foreign.import(&store).await.unwrap_err().to_string();
    assert!(refused.contains("locks out"), "{refused}");
    let validity = ValidityConfig::default();
    let founding = Founding { store: &store, online: &online(7), validity: &validity, now: now() };
    let at = foreign.folder.path();
    let (targets, bins) = (at.join("next-targets.json"), at.join("next-bins.json"));
    import(&founding, at, &targets, &bins, |_, _| ()).await.unwrap();
    foreign.goes_on(&store).await;
}
