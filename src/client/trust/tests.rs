use std::os::unix::fs::PermissionsExt as _;
use std::sync::Barrier;
use std::thread;

use tempfile::TempDir;

use super::*;
use crate::ceremony::{InitOptions, KeyFolder, init};
use crate::config::ValidityConfig;
use crate::store::Store;

/// The first root of a new repository.
async fn root() -> FirstRoot {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("repository")).unwrap();
    let options = InitOptions { bins: 2, validity: ValidityConfig::default() };
    let made = init(&store, &KeyFolder::new(folder.path()), &options, |_| ()).await.unwrap();
    FirstRoot::check(made.root.to_vec()).unwrap()
}

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

fn index() -> Url {
    url("https://mirror.example/simple/")
}

struct Place {
    _folder: TempDir,
    store: TrustStore,
}

fn place() -> Place {
    let folder = TempDir::new().unwrap();
    let store = TrustStore::new(&folder.path().join("data"));
    Place { _folder: folder, store }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_root_is_pinned_once() {
    let (root, other) = (root().await, root().await);
    let Place { store, _folder } = place();
    assert_eq!(store.pinned(&index()).unwrap(), None);
    assert!(store.list().unwrap().is_empty());

    let now = Timestamp::now();
    let Added { pin, new } = store.add(&index(), &root, None, now).unwrap();
    assert!(new);
    assert_eq!(pin.root_sha256, root.sha256());
    assert_eq!(Some(pin.port), Ports::of(&index()).next());
    assert_eq!(store.pinned(&index()).unwrap().as_ref(), Some(&pin));
    assert_eq!(pin.first_root().unwrap(), root);
    assert_eq!(mode(pin.root().parent().unwrap()), 0o700);
    assert_eq!(mode(&store.folder), 0o700);
    assert_eq!(mode(&pin.root()), 0o600);

    let tuf = url("https://mirror.example/tuf/");
    let again = store.add(&index(), &root, Some(&tuf), now).unwrap();
    assert_eq!(again, Added { pin: Pin { tuf: Some(tuf), ..pin.clone() }, new: false });
    assert_eq!(store.pinned(&index()).unwrap(), Some(again.pin));

    let said = store.add(&index(), &other, None, now).unwrap_err().to_string();
    for part in [
        "countersign trust remove https://mirror.example/simple/",
        &root.sha256().to_string(),
        &other.sha256().to_string(),
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(store.pinned(&index()).unwrap().unwrap().root_sha256, root.sha256());

    assert!(store.remove(&index()).unwrap());
    assert!(!store.remove(&index()).unwrap());
    assert!(store.add(&index(), &other, None, now).unwrap().new);
    assert_eq!(store.list().unwrap().len(), 1);
}

/// Metadata that was trusted under one root must not be trusted under the next.
#[tokio::test]
async fn trusted_metadata_goes_with_its_pin() {
    let root = root().await;
    let Place { store, _folder } = place();
    let pin = store.add(&index(), &root, None, Timestamp::now()).unwrap().pin;
    let inside = pin.metadata().join("timestamp.json");
    let put = || {
        fs::create_dir_all(pin.metadata()).unwrap();
        fs::write(&inside, "{}").unwrap();
    };
    put();
    store.remove(&index()).unwrap();
    assert!(!inside.exists());
    // A removal that was cut short.
    put();
    store.add(&index(), &root, None, Timestamp::now()).unwrap();
    assert!(!inside.exists());
}

#[tokio::test]
async fn two_indexes_with_one_port_get_two() {
    let root = root().await;
    let Place { store, _folder } = place();
    let first = |n: u32| {
        let index = url(&format!("https://mirror.example/{n}/simple/"));
        (Ports::of(&index).next().unwrap(), index)
    };
    let (port, one) = first(0);
    let two = (1..).map(first).find(|(same, _)| *same == port).unwrap().1;
    let now = Timestamp::now();
    assert_eq!(store.add(&one, &root, None, now).unwrap().pin.port, port);
    let second = Ports::of(&two).nth(1).unwrap();
    assert_eq!(store.add(&two, &root, None, now).unwrap().pin.port, second);
    store.remove(&one).unwrap();
    assert_eq!(store.add(&two, &root, None, now).unwrap().pin.port, second, "kept for ever");
}

#[tokio::test]
async fn what_is_damaged_is_named_with_what_to_do() {
    let root = root().await;
    let Place { store, _folder } = place();
    let pin = store.add(&index(), &root, None, Timestamp::now()).unwrap().pin;
    let good = fs::read_to_string(pin.folder.join(PIN)).unwrap();
    for (text, part) in [
        (String::new(), "damaged"),
        (good[..good.len() / 2].to_owned(), "damaged"),
        (good.replace("\"port\"", "\"ports\""), "damaged"),
        (good.replace(&pin.port.to_string(), "0"), "damaged"),
        (good.replace("\"format\": 1", "\"format\": 0"), "damaged"),
        (good.replace("\"format\": 1", "\"format\": 2, \"new\": true"), "newer countersign"),
    ] {
        assert_ne!(text, good);
        fs::write(pin.folder.join(PIN), &text).unwrap();
        for (error, url) in [
            (store.pinned(&index()).unwrap_err(), index().as_str()),
            (store.add(&index(), &root, None, Timestamp::now()).unwrap_err(), index().as_str()),
            (store.list().unwrap().remove(0).unwrap_err(), "URL"),
        ] {
            let said = error.to_string();
            let remedy = format!("`countersign trust remove {url}`");
            assert!(said.contains(part) && said.contains(&remedy), "{said}");
        }
    }
    fs::write(pin.folder.join(PIN), &good).unwrap();
    fs::write(pin.root(), "{}").unwrap();
    let said = pin.first_root().unwrap_err().to_string();
    assert!(said.contains("root.json") && said.contains("damaged"), "{said}");
    assert!(said.contains(&format!("`countersign trust remove {}`", index())), "{said}");
    assert!(store.remove(&index()).unwrap());
    assert_eq!(store.pinned(&index()).unwrap(), None);
}

#[tokio::test]
async fn a_root_is_signed_by_its_own_threshold() {
    let root = root().await;
    let text = String::from_utf8(root.bytes().to_vec()).unwrap();
    let sig = text.split("\"sig\":\"").nth(1).unwrap().split('"').next().unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("root.json");
    for (bytes, part) in [
        (text.replace(sig, &"0".repeat(sig.len())), "signed by 0 of the 1"),
        (text.replace("\"version\":1", "\"version\":2"), "signed by 0 of the 1"),
        (text.replace("\"_type\":\"root\"", "\"_type\":\"targets\""), "_type"),
        ("<html>".into(), "cannot be read as metadata"),
        (" ".repeat(512_001), "larger than 512000 bytes"),
    ] {
        fs::write(&path, bytes).unwrap();
        let said = FirstRoot::read(&path).unwrap_err().to_string();
        assert!(said.contains(part) && said.contains("root.json"), "{said}");
    }
    fs::write(&path, &text).unwrap();
    assert_eq!(FirstRoot::read(&path).unwrap(), root);
    assert_eq!(root.expired(Timestamp::now()), None);
    assert!(root.expired("2200-01-01T00:00:00Z".parse().unwrap()).is_some());
}

#[tokio::test]
async fn many_at_once_agree() {
    let (root, other) = (root().await, root().await);
    let Place { store, _folder } = place();
    let barrier = Barrier::new(8);
    let pinned: Vec<_> = thread::scope(|scope| {
        let one = |n: usize| {
            let (store, barrier) = (&store, &barrier);
            let root = if n < 4 { &root } else { &other };
            scope.spawn(move || {
                barrier.wait();
                store.add(&index(), root, None, Timestamp::now())
            })
        };
        let threads: Vec<_> = (0..8).map(one).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let pin = store.pinned(&index()).unwrap().unwrap();
    let good: Vec<_> = pinned.into_iter().filter_map(Result::ok).collect();
    assert_eq!(good.len(), 4);
    assert_eq!(good.iter().filter(|added| added.new).count(), 1);
    assert!(good.iter().all(|added| added.pin == pin));
    pin.first_root().unwrap();
}

#[tokio::test]
async fn where_the_repository_lies_is_remembered() {
    let root = root().await;
    let Place { store, _folder } = place();
    let pin = store.add(&index(), &root, None, Timestamp::now()).unwrap().pin;
    let tuf = url("https://mirror.example/tuf/");
    let learned = store.learn(&pin, &tuf).unwrap();
    assert_eq!(learned.tuf, Some(tuf.clone()));
    assert_eq!(store.pinned(&index()).unwrap(), Some(learned));
    store.remove(&index()).unwrap();
    store.learn(&pin, &tuf).unwrap();
    assert_eq!(store.pinned(&index()).unwrap(), None, "a removal stays one");
}
