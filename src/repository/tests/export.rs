//! Exporting: what lies in the folder, what is refused, and what is never seen half done.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use tempfile::TempDir;

use crate::index::{Source, Sources};
use crate::repository::export::{Event, ExportError, Exported, export};
use crate::repository::{RepositoryError, load};
use crate::store::layout;
use crate::tuf::{Digest, Signed, Targets};
use crate::upstream::Upstream;
use crate::upstream::testing::{Mirror, ok, status};

use super::support::{Bench, page, project};

async fn to(bench: &Bench, folder: &Path) -> Result<Exported, ExportError> {
    export(&bench.store, folder, None, &|_| ()).await
}

async fn with_files(bench: &Bench, folder: &Path, upstream: &Upstream) -> (Exported, Vec<String>) {
    let failed = Mutex::new(Vec::new());
    let tell = |event: Event<'_>| {
        if let Event::Failed(path, reason) = event {
            failed.lock().unwrap().push(format!("{path}: {reason}"));
        }
    };
    let exported = export(&bench.store, folder, Some(upstream), &tell).await.unwrap();
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    (exported, failed)
}

async fn scene() -> (Bench, TempDir) {
    let bench = Bench::new().await;
    publish(&bench, &["demo-1.0.tar.gz", "demo-2.0.tar.gz"]).await;
    (bench, tempfile::tempdir().unwrap())
}

/// Publishes files of `demo`, whose bytes are their names.
async fn publish(bench: &Bench, files: &[&str]) {
    let running = bench.open().await.unwrap();
    let files: Vec<_> = files.iter().map(|name| (*name, *name)).collect();
    running.publish(&page("demo", &files)).await.unwrap();
    running.stop().await;
}

fn timestamp(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("metadata/timestamp.json")).unwrap()
}

/// Goes through the folder as a client does, by nothing but what it reads there; how many targets are there.
async fn verify(bench: &Bench, folder: &Path) -> usize {
    let read = |name: String| fs::read(folder.join(&name)).unwrap_or_else(|_| panic!("{name}"));
    let root = load::root(&bench.store).await.unwrap().signed;
    let there = Signed::<crate::tuf::Timestamp>::parse(&timestamp(folder)).unwrap();
    root.verify("timestamp", &there).unwrap();
    let entry = &there.signed.meta["snapshot.json"];
    let snapshot = read(format!("metadata/{}.snapshot.json", entry.version));
    assert_eq!(entry.hashes.as_ref().unwrap()["sha256"], Digest::of(&snapshot).to_string());
    let snapshot = Signed::<crate::tuf::Snapshot>::parse(&snapshot).unwrap().signed;
    let mut targets = 0;
    for (file, entry) in &snapshot.meta {
        let bytes = read(format!("metadata/{}.{file}", entry.version));
        let role = Signed::<Targets>::parse(&bytes).unwrap().signed;
        assert_eq!(role.version, entry.version);
        for (path, target) in role.targets {
            let (at, name) = path.rsplit_once('/').unwrap();
            let digest = target.sha256().unwrap();
            let file = folder.join(format!("targets/{at}/{digest}.{name}"));
            if path.starts_with("simple/") || file.exists() {
                let bytes = fs::read(file).unwrap();
                assert_eq!((Digest::of(&bytes), bytes.len() as u64), (digest, target.length));
                targets += 1;
            }
        }
    }
    targets
}

#[tokio::test]
async fn a_folder_has_all_that_is_published_and_is_brought_up_to_date() {
    let (bench, folder) = scene().await;
    let folder = folder.path().join("www/tuf");
    let exported = to(&bench, &folder).await.unwrap();
    assert_eq!((exported.bins, exported.pages), (16, 2));
    assert_eq!((exported.files, exported.left_out, exported.failed), (0, 2, 0));
    assert_eq!(verify(&bench, &folder).await, 2);
    let root = bench.store.read(&layout::root(1)).await.unwrap().unwrap();
    assert_eq!(fs::read(folder.join("metadata/1.root.json")).unwrap(), root);

    let before = timestamp(&folder);
    to(&bench, &folder).await.unwrap();
    assert_eq!(timestamp(&folder), before);
    publish(&bench, &["demo-3.0.tar.gz"]).await;
    assert_eq!(to(&bench, &folder).await.unwrap().timestamp, exported.timestamp + 1);
    assert_eq!(verify(&bench, &folder).await, 2);
    assert_ne!(timestamp(&folder), before);
}

#[tokio::test]
async fn folders_that_are_not_its_own_are_refused() {
    let (bench, folder) = scene().await;
    fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
    let refused = to(&bench, folder.path()).await;
    assert!(matches!(refused, Err(ExportError::NotEmpty(_))), "{refused:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let (other, folder) = scene().await;
    to(&other, folder.path()).await.unwrap();
    let refused = to(&bench, folder.path()).await;
    assert!(matches!(refused, Err(ExportError::Another(_))), "{refused:?}");
    assert!(verify(&other, folder.path()).await > 0);
}

/// Clients of the folder would see the repository go back.
#[tokio::test]
async fn an_earlier_state_is_refused() {
    let (bench, folder) = scene().await;
    to(&bench, folder.path()).await.unwrap();
    let newest = load::newest_timestamp(&bench.store).await.unwrap().unwrap();
    bench.store.delete(vec![layout::timestamp(newest)]).await.unwrap();
    let before = timestamp(folder.path());
    let refused = to(&bench, folder.path()).await;
    assert!(matches!(refused, Err(ExportError::Newer { .. })), "{refused:?}");
    assert_eq!(timestamp(folder.path()), before);
}

#[tokio::test]
async fn what_is_damaged_is_not_shown() {
    let (bench, folder) = scene().await;
    to(&bench, folder.path()).await.unwrap();
    let before = timestamp(folder.path());
    publish(&bench, &["demo-3.0.tar.gz"]).await;
    for listed in bench.store.list(layout::PAGES).await.unwrap() {
        bench.store.put(&format!("pages/{}", listed.name), "broken").await.unwrap();
    }
    let failed = to(&bench, folder.path()).await;
    let damaged = matches!(failed, Err(ExportError::Repository(RepositoryError::Damaged { .. })));
    assert!(damaged, "{failed:?}");
    assert_eq!(timestamp(folder.path()), before);
    assert_eq!(verify(&bench, folder.path()).await, 2);
}

#[tokio::test]
async fn files_come_from_the_mirror_and_only_the_right_ones() {
    let (bench, folder) = scene().await;
    let files = ["demo-1.0.tar.gz", "demo-2.0.tar.gz", "demo-3.0.tar.gz", "demo-4.0.tar.gz"];
    publish(&bench, &files).await;
    let mirror = Mirror::start(|_, request| {
        let name = request.split_whitespace().nth(1).unwrap().rsplit('/').next().unwrap();
        match name {
            "demo-2.0.tar.gz" => ok("", "DEMO-2.0.TAR.GZ"),
            "demo-3.0.tar.gz" => status("404 Not Found"),
            name => ok("", name),
        }
    })
    .await;
    let source = |name: &str| Source { url: mirror.url(&format!("/p/{name}")), provenance: None };
    let known = |names: &[&str]| -> Vec<u8> {
        let sources: Sources =
            names.iter().map(|name| ((*name).to_owned(), source(name))).collect();
        serde_json::to_vec(&sources).unwrap()
    };
    let sources = layout::sources(&project("demo"));
    bench.store.put(&sources, known(&files[..3])).await.unwrap();
    let (exported, failed) = with_files(&bench, folder.path(), &mirror.client()).await;
    assert_eq!((exported.files, exported.left_out, exported.failed), (1, 0, 3));
    assert!(failed[0].starts_with("files/demo/demo-2.0.tar.gz: expected SHA-256"), "{failed:?}");
    assert!(failed[1].starts_with("files/demo/demo-3.0.tar.gz: "), "{failed:?}");
    assert!(failed[2].ends_with("where it lies upstream is not known"), "{failed:?}");
    assert_eq!(verify(&bench, folder.path()).await, 3);
    let left = fs::read_dir(folder.path().join(".countersign-export")).unwrap().count();
    assert_eq!(left, 0);

    // What is there is not fetched again.
    let fetched = |name: &str| mirror.requests().iter().filter(|r| r.contains(name)).count();
    let before = fetched(files[0]);
    bench.store.put(&sources, known(&files)).await.unwrap();
    let (exported, _) = with_files(&bench, folder.path(), &mirror.client()).await;
    assert_eq!((exported.files, exported.failed), (2, 2));
    assert_eq!(fetched(files[0]), before);
    assert_eq!(verify(&bench, folder.path()).await, 4);
}
