//! What a bundle is as a file; it may be anybody's.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use http_body_util::BodyExt as _;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use tar::{Builder, EntryType, Header};

use crate::client::bundle::write::replaceable;
use crate::client::bundle::{Bundle, FORMAT, Manifest, Writer};
use crate::client::{Remote, RemoteError};
use crate::index::ProjectName;
use crate::tuf::{Digest, Expiry};
use crate::upstream::UpstreamError;

fn manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        index: "https://m.example/simple/".parse().unwrap(),
        made: Expiry::at("2026-11-02T03:04:05Z".parse().unwrap()),
        projects: vec![ProjectName::parse("six").unwrap()],
        tuf: "/tuf/".into(),
    }
}

/// Longer than a tar header has room for.
fn long() -> String {
    format!("files/six/{}.six-1.0-{}.whl", Digest::of(b"six"), "x".repeat(120))
}

struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("six.bundle")
    }

    /// A bundle as it should be.
    fn written(&self) -> PathBuf {
        let mut writer = Writer::create(&self.path(), &manifest()).unwrap();
        writer.metadata("1.root.json", b"root").unwrap();
        writer.metadata("timestamp.json", b"timestamp").unwrap();
        writer.target("simple/six/page.json", b"page").unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; 700_000]).unwrap();
        file.rewind().unwrap();
        writer.file(&long(), 700_000, file).unwrap();
        writer.finish().unwrap();
        self.path()
    }

    /// A tar file of somebody else's making.
    fn tar(&self, make: impl FnOnce(&mut Builder<Vec<u8>>)) -> PathBuf {
        let mut tar = Builder::new(Vec::new());
        add(&mut tar, "bundle.json", &manifest().to_bytes().unwrap());
        make(&mut tar);
        self.bytes(&tar.into_inner().unwrap())
    }

    fn bytes(&self, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(), bytes).unwrap();
        self.path()
    }
}

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header
}

fn add(tar: &mut Builder<Vec<u8>>, name: &str, bytes: &[u8]) {
    let mut header = header(EntryType::Regular, bytes.len() as u64);
    tar.append_data(&mut header, name, bytes).unwrap();
}

/// With a name that the crate itself would not write.
fn add_odd(tar: &mut Builder<Vec<u8>>, kind: EntryType, name: &str, bytes: &[u8]) {
    let mut header = header(kind, bytes.len() as u64);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_cksum();
    tar.append(&header, bytes).unwrap();
}

fn refused(path: &Path) -> String {
    match Bundle::open(path) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn what_was_put_in_comes_out() {
    let scene = Scene::new();
    let bundle = Bundle::open(&scene.written()).unwrap();
    assert_eq!(*bundle.manifest(), manifest());
    assert_eq!(bundle.entries(), 5);
    assert_eq!(bundle.metadata("1.root.json", 4).await.unwrap(), "root");
    assert_eq!(bundle.metadata("timestamp.json", 100).await.unwrap(), "timestamp");
    let hash = Digest::of(b"page");
    for path in ["simple/six/page.json", &format!("simple/six/{hash}.page.json")] {
        assert_eq!(bundle.target(path, 4).await.unwrap(), "page");
    }
    let reply = bundle.open(&long()).await.unwrap();
    assert_eq!(reply.length, Some(700_000));
    assert_eq!(reply.body.collect().await.unwrap().to_bytes(), vec![7; 700_000]);
    // Only the bundle is left of the writing.
    assert_eq!(fs::read_dir(scene.folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn what_is_not_in_it_is_said_to_be_missing() {
    let bundle = Bundle::open(&Scene::new().written()).unwrap();
    let next = bundle.metadata("2.root.json", 100).await.unwrap_err();
    assert!(matches!(next, RemoteError::Missing { .. }), "{next}");
    for missing in [
        bundle.metadata("7.bins-0f.json", 100).await.unwrap_err(),
        bundle.target("simple/seven/page.json", 100).await.unwrap_err(),
        bundle.target("../../bundle.json", 100).await.unwrap_err(),
        bundle.open("files/six/other.whl").await.unwrap_err().into(),
    ] {
        let unbundled = matches!(&missing, RemoteError::Upstream(UpstreamError::NotBundled { .. }));
        assert!(unbundled, "{missing}");
        assert!(missing.to_string().ends_with("is not in this bundle"), "{missing}");
    }
    let long = bundle.target("simple/six/page.json", 3).await.unwrap_err();
    assert!(matches!(long, RemoteError::TooLong { limit: 3, .. }), "{long}");
}

#[test]
fn equal_contents_are_equal_bytes() {
    let [one, other] = [Scene::new(), Scene::new()].map(|scene| fs::read(scene.written()).unwrap());
    assert!(one == other);
}

#[test]
fn an_unfinished_bundle_leaves_nothing_and_replaces_nothing() {
    let scene = Scene::new();
    scene.bytes(b"the last one");
    let mut writer = Writer::create(&scene.path(), &manifest()).unwrap();
    writer.metadata("1.root.json", b"root").unwrap();
    assert_eq!(fs::read_dir(scene.folder.path()).unwrap().count(), 2);
    drop(writer);
    assert_eq!(fs::read_dir(scene.folder.path()).unwrap().count(), 1);
    assert_eq!(fs::read(scene.path()).unwrap(), b"the last one");
}

#[test]
fn only_a_file_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("file"), "").unwrap();
    std::os::unix::fs::symlink("file", at("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
    let _pipe = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for name in ["file", "new"] {
        replaceable(&at(name)).unwrap();
    }
    for name in ["link", "dangling", "socket", "."] {
        let said = replaceable(&at(name)).unwrap_err().to_string();
        assert!(said.contains(name) && said.contains("is no regular file"), "{said}");
    }
}

#[test]
fn a_file_that_ends_too_early_is_not_padded() {
    let scene = Scene::new();
    let mut writer = Writer::create(&scene.path(), &manifest()).unwrap();
    let file = tempfile::tempfile().unwrap();
    assert!(writer.file("files/six/six.whl", 1, file).is_err());
}

#[test]
fn other_kinds_of_entries_are_refused() {
    for kind in [
        EntryType::Link,
        EntryType::Symlink,
        EntryType::Char,
        EntryType::Block,
        EntryType::Directory,
        EntryType::Fifo,
        EntryType::Continuous,
        EntryType::GNULongLink,
        EntryType::GNUSparse,
        EntryType::XGlobalHeader,
        EntryType::XHeader,
        EntryType::new(b'Z'),
    ] {
        let scene = Scene::new();
        let path = scene.tar(|tar| add_odd(tar, kind, "metadata/1.root.json", b""));
        let said = refused(&path);
        assert!(said.contains("not a plain file"), "{kind:?}: {said}");
    }
    // As old as tar itself: a plain file, or a folder, as one likes to read it.
    let scene = Scene::new();
    let path = scene.tar(|tar| {
        let mut header = header(EntryType::Regular, 0);
        header.set_path("metadata/1.root.json").unwrap();
        header.as_old_mut().linkflag = [0];
        header.set_cksum();
        tar.append(&header, &b""[..]).unwrap();
    });
    assert!(refused(&path).contains("not a plain file"));
}

#[test]
fn odd_names_are_refused() {
    for name in ["../x", "/bundle.json", "targets/../../x", "metadata/a/b", "targets/a//b", "else"]
    {
        let scene = Scene::new();
        let said = refused(&scene.tar(|tar| add_odd(tar, EntryType::Regular, name, b"1")));
        assert!(said.contains("which no bundle has"), "{name}: {said}");
    }
}

#[test]
fn one_thing_stands_there_once() {
    let pinned = format!("targets/files/six/{}.a.whl", Digest::of(b"1"));
    for (one, other) in [
        ("metadata/1.root.json", "metadata/1.root.json"),
        ("targets/files/six/a.whl", "targets/files/six/a.whl"),
        ("targets/files/six/a.whl", &pinned),
        ("metadata/1.root.json", "bundle.json"),
    ] {
        let scene = Scene::new();
        let path = scene.tar(|tar| {
            add(tar, one, b"1");
            add(tar, other, b"2");
        });
        assert!(refused(&path).contains("twice"), "{one} {other}");
    }
}

#[test]
fn two_readers_see_one_name() {
    let long = |tar: &mut Builder<Vec<u8>>, name: &[u8]| {
        add_odd(tar, EntryType::GNULongName, "././@LongLink", name);
    };
    let scene = Scene::new();
    let path = scene.tar(|tar| {
        long(tar, b"metadata/2.root.json\0");
        add_odd(tar, EntryType::Regular, "metadata/1.root.json", b"");
    });
    assert!(refused(&path).contains("which no bundle has"));
    let path = scene.tar(|tar| {
        long(tar, b"metadata/1.root.json\0");
        long(tar, b"metadata/1.root.json\0");
        add_odd(tar, EntryType::Regular, "metadata/1.root.json", b"");
    });
    assert!(refused(&path).contains("not a plain file"));
    let path = scene.tar(|tar| long(tar, &[b'm'; 2000]));
    assert!(refused(&path).contains("not a plain file"));
    let path = scene.tar(|tar| long(tar, b"metadata/1.root.json\0"));
    assert!(refused(&path).contains("cut short"));
}

#[test]
fn it_begins_with_its_description() {
    let scene = Scene::new();
    let mut tar = Builder::new(Vec::new());
    add(&mut tar, "metadata/1.root.json", b"root");
    add(&mut tar, "bundle.json", &manifest().to_bytes().unwrap());
    let path = scene.bytes(&tar.into_inner().unwrap());
    assert!(refused(&path).contains("does not begin"));
    for bytes in [vec![0; 1024], Vec::new()] {
        assert!(refused(&scene.bytes(&bytes)).contains("does not begin"));
    }
    assert!(refused(&scene.bytes(b"<html>not found</html>")).contains("no whole bundle"));
    assert!(refused(&scene.folder.path().join("none")).contains("cannot read"));
}

/// Wherever it is cut, it is refused: also at the end of an entry, where other readers see a whole file.
#[test]
fn a_cut_bundle_is_refused() {
    let scene = Scene::new();
    let whole = fs::read(scene.written()).unwrap();
    for length in (0..whole.len()).step_by(256).chain([whole.len() - 1]) {
        refused(&scene.bytes(&whole[..length]));
    }
    for tail in [&[0][..], &[1], &[0; 512]] {
        assert!(refused(&scene.bytes(&[&whole, tail].concat())).contains("follows"));
    }
}

/// A size that is larger than the file, than what can be counted, or negative.
#[test]
fn a_lying_size_is_refused() {
    for size in [2048, 1 << 40, i64::MAX as u64, u64::MAX - 100, u64::MAX] {
        let scene = Scene::new();
        let path = scene.tar(|tar| {
            let mut header = header(EntryType::Regular, size);
            header.set_path("metadata/1.root.json").unwrap();
            header.set_cksum();
            tar.append(&header, &b""[..]).unwrap();
        });
        refused(&path);
    }
}

#[tokio::test]
async fn what_is_cut_later_is_an_error_and_no_short_answer() {
    let scene = Scene::new();
    let bundle = Bundle::open(&scene.written()).unwrap();
    fs::OpenOptions::new().write(true).open(scene.path()).unwrap().set_len(2048).unwrap();
    let body = bundle.open(&long()).await.unwrap().body;
    assert!(body.collect().await.is_err());
    assert!(bundle.metadata("timestamp.json", 100).await.is_err());
}

/// What can be read of a bundle, whatever it holds.
async fn read_all(bundle: &Bundle) {
    for name in ["1.root.json", "timestamp.json", "2.root.json"] {
        let _ = bundle.metadata(name, 1000).await;
    }
    let _ = bundle.target("simple/six/page.json", 1000).await;
    if let Ok(reply) = bundle.open(&long()).await {
        let _ = reply.body.collect().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Nobody's bytes break it, or make it use more than they are themselves.
    #[test]
    fn altered_anyhow_it_is_refused_or_read(
        changes in vec((any::<Index>(), any::<u8>()), 1..8),
        headers_only in any::<bool>(),
    ) {
        let scene = Scene::new();
        let mut file = fs::OpenOptions::new().read(true).write(true).open(scene.written()).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        for (at, to) in changes {
            let range = if headers_only { 4096 } else { bytes.len() };
            let at = at.index(range);
            file.seek(SeekFrom::Start(at as u64)).unwrap();
            file.write_all(&[to]).unwrap();
        }
        drop(file);
        if let Ok(bundle) = Bundle::open(&scene.path()) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(read_all(&bundle));
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in vec(any::<u8>(), 0..4096)) {
        refused(&Scene::new().bytes(&bytes));
    }
}
