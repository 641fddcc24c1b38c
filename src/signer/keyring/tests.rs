use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use futures::future::BoxFuture;
use tempfile::TempDir;

use super::measured::Measured;
use super::*;
use crate::signer::FileSigner;
use crate::telemetry::{Backend, KeyState};
use crate::tuf::Key;

struct Bench {
    folder: TempDir,
    metrics: Arc<Metrics>,
}

impl Bench {
    fn new() -> Self {
        let metrics = Arc::new(Metrics::new().unwrap());
        Self { folder: tempfile::tempdir().unwrap(), metrics }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    async fn open(&self, uris: &[&str]) -> Result<Keyring, Arc<SignerError>> {
        let uris = uris.iter().map(|uri| uri.parse().unwrap()).collect();
        let how = Opening { base: self.folder.path().into(), timeout: Duration::from_secs(60) };
        Keyring::open(uris, how, self.metrics.clone()).await
    }

    fn count(&self, state: KeyState) -> i64 {
        self.metrics.signing_keys.of(state).get()
    }
}

/// A new key in a new file.
fn key(path: &Path) -> KeyId {
    let signer = FileSigner::generate().unwrap();
    signer.save(path).unwrap();
    signer.key().id()
}

fn ids(keyring: &Keyring) -> Vec<KeyId> {
    keyring.signers().iter().map(|signer| signer.key().id()).collect()
}

/// These keys are loaded, in this order, and no others.
#[track_caller]
fn holds(keyring: &Keyring, expected: &[&KeyId]) {
    assert_eq!(ids(keyring).iter().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn each_key_is_opened_by_itself() {
    let bench = Bench::new();
    let first = key(&bench.path("a.pem"));
    key(&bench.path("exposed.pem"));
    fs::set_permissions(bench.path("exposed.pem"), Permissions::from_mode(0o644)).unwrap();
    let keyring = bench.open(&["file:a.pem", "absent.pem", "file:exposed.pem"]).await.unwrap();
    holds(&keyring, &[&first]);
    assert!(keyring.away().is_none());
    assert_eq!((bench.count(KeyState::Loaded), bench.count(KeyState::Refused)), (1, 2));
    let wrong = keyring.look(&|_| true).await.unwrap();
    assert!(wrong.contains("absent.pem") && wrong.contains("exposed.pem"), "{wrong}");
    // What is mended is taken up.
    fs::set_permissions(bench.path("exposed.pem"), Permissions::from_mode(0o600)).unwrap();
    let late = key(&bench.path("absent.pem"));
    assert_eq!(keyring.look(&|_| true).await, None);
    assert_eq!(ids(&keyring).len(), 3);
    assert!(ids(&keyring).contains(&late));
    assert_eq!((bench.count(KeyState::Loaded), bench.count(KeyState::Refused)), (3, 0));
}

#[tokio::test]
async fn without_any_key_there_is_no_start() {
    let bench = Bench::new();
    let error = bench.open(&["file:absent.pem", "file:other.pem"]).await.err().unwrap();
    assert!(error.to_string().contains("absent.pem"), "{error}");
}

#[tokio::test]
async fn a_swapped_link_is_taken_up_as_the_kubelet_swaps_it() {
    let bench = Bench::new();
    let generation = |name: &str| {
        fs::create_dir(bench.path(name)).unwrap();
        key(&bench.path(name).join("online.pem"))
    };
    let old = generation("..1");
    symlink("..1", bench.path("..data")).unwrap();
    symlink("..data/online.pem", bench.path("online.pem")).unwrap();
    let keyring = bench.open(&["file:online.pem"]).await.unwrap();
    holds(&keyring, &[&old]);

    let new = generation("..2");
    symlink("..2", bench.path("..data_tmp")).unwrap();
    fs::rename(bench.path("..data_tmp"), bench.path("..data")).unwrap();
    fs::remove_dir_all(bench.path("..1")).unwrap();
    // Root and bins name the old one alone: it signs on, and that is said.
    let wrong = keyring.look(&|id| *id == old).await.unwrap();
    assert!(wrong.contains(&old.0), "{wrong}");
    holds(&keyring, &[&new, &old]);
    // Both are named: clients may still need the old one's signature.
    assert!(keyring.look(&|_| true).await.is_some());
    holds(&keyring, &[&new, &old]);
    assert_eq!(keyring.look(&|id| *id == new).await, None);
    holds(&keyring, &[&new]);
}

#[tokio::test]
async fn a_half_written_file_keeps_the_old_key() {
    let bench = Bench::new();
    let path = bench.path("online.pem");
    let old = key(&path);
    let keyring = bench.open(&["file:online.pem"]).await.unwrap();
    let new = key(&bench.path("next.pem"));
    let whole = fs::read(bench.path("next.pem")).unwrap();
    for (part, named) in [(&whole[..40], false), (&whole[..0], true)] {
        fs::write(&path, part).unwrap();
        let wrong = keyring.look(&|_| named).await.unwrap();
        assert!(wrong.contains("online.pem") && wrong.contains("signs on"), "{wrong}");
        holds(&keyring, &[&old]);
        assert_eq!(bench.count(KeyState::Refused), 1);
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(keyring.look(&|id| *id == new).await, None);
    holds(&keyring, &[&new]);
}

#[tokio::test]
async fn a_key_that_vanished_stays_while_it_is_named() {
    let bench = Bench::new();
    let old = key(&bench.path("a.pem"));
    let other = key(&bench.path("b.pem"));
    let keyring = bench.open(&["file:a.pem", "file:b.pem"]).await.unwrap();
    fs::remove_file(bench.path("a.pem")).unwrap();
    let wrong = keyring.look(&|_| true).await.unwrap();
    assert!(wrong.contains(&old.0), "{wrong}");
    holds(&keyring, &[&other, &old]);
    keyring.look(&|id| *id == other).await;
    holds(&keyring, &[&other]);
    // Named again, it is not there again.
    keyring.look(&|_| true).await;
    holds(&keyring, &[&other]);
}

#[tokio::test]
async fn a_folder_is_every_key_file_in_it() {
    let bench = Bench::new();
    fs::create_dir(bench.path("keys")).unwrap();
    assert!(bench.open(&["file:keys/"]).await.is_err(), "an empty one");
    let first = key(&bench.path("keys/a.pem"));
    fs::write(bench.path("keys/readme.txt"), "no key").unwrap();
    fs::create_dir(bench.path("keys/folder.pem")).unwrap();
    // Also where it is named twice.
    let keyring = bench.open(&["file:keys/", "file:keys/"]).await.unwrap();
    assert_eq!(bench.count(KeyState::Loaded), 1);
    holds(&keyring, &[&first]);
    let second = key(&bench.path("keys/b.pem"));
    fs::write(bench.path("keys/c.pem"), "damaged").unwrap();
    let wrong = keyring.look(&|_| false).await.unwrap();
    assert!(wrong.contains("c.pem") && !wrong.contains("b.pem"), "{wrong}");
    holds(&keyring, &[&first, &second]);
    fs::remove_file(bench.path("keys/c.pem")).unwrap();
    fs::remove_file(bench.path("keys/a.pem")).unwrap();
    assert_eq!(keyring.look(&|id| *id == second).await, None);
    holds(&keyring, &[&second]);
}

/// Signs when it wants to.
struct Slow(FileSigner);

impl Signer for Slow {
    fn key(&self) -> &Key {
        self.0.key()
    }

    fn backend(&self) -> Backend {
        Backend::Command
    }

    fn sign<'a>(&'a self, _: &'a [u8]) -> BoxFuture<'a, Result<String, SignerError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_signature_comes_in_time_or_is_given_up_and_both_are_counted() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let limit = Duration::from_secs(10);
    let measured =
        |inner: Arc<dyn Signer>| Measured::new(inner, "command:x".into(), limit, metrics.clone());
    let file = FileSigner::generate().unwrap();
    measured(Arc::new(file)).sign(b"x").await.unwrap();
    assert_eq!(metrics.signatures.of(Backend::File).get(), 1);
    let slow = measured(Arc::new(Slow(FileSigner::generate().unwrap())));
    let error = slow.sign(b"x").await.unwrap_err();
    assert!(error.is_temporary() && error.to_string().contains("within 10s"), "{error}");
    assert_eq!(metrics.signatures.of(Backend::Command).get(), 0);
    assert_eq!(metrics.signing_failures.of(Backend::Command).get(), 1);
    assert_eq!(metrics.signing_duration.of(Backend::Command).get_sample_count(), 1);
}
