//! What comes of a repository, whatever it answers.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use crate::client::bundle::create::not_older;
use crate::client::bundle::{
    AsOf, BundleError, CreateError, Created, Offline, OfflineError, OfflineOptions, Order,
    PinnedRoot, create,
};
use crate::client::tests::world::{Liar, Mood, World};
use crate::client::{ClientError, Remote, RemoteError, Settings, State, Updater};
use crate::config::UpstreamConfig;
use crate::index::ProjectName;
use crate::time::Clock;
use crate::tuf::Digest;
use crate::upstream::testing::client;
use crate::upstream::{FileReply, UpstreamError, body};

const PROJECTS: [&str; 3] = ["qx-a", "qx-b", "qx-c"];

struct Scene {
    world: World,
    folder: TempDir,
    root: Bytes,
}

impl Scene {
    async fn new() -> Self {
        let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
        let root = world.first_root().await;
        fs::write(folder.path().join("1.root.json"), &root).unwrap();
        for project in PROJECTS {
            world.publish(project, Some(&format!("the file of {project}"))).await;
        }
        Self { world, folder, root }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("out/qx.bundle")
    }

    /// Whoever makes it knows the root alone.
    async fn create(&self, remote: Arc<dyn Remote>) -> Result<Created, CreateError> {
        let settings = Settings { clock: self.world.clock.clone(), ..Settings::default() };
        let known = tempfile::tempdir().unwrap();
        let state = State::init(known.path(), &self.root).unwrap();
        let nowhere = "http://127.0.0.1:9/simple/".to_owned();
        let config = UpstreamConfig { url: Some(nowhere.clone()), ..UpstreamConfig::default() };
        let order = Order {
            index: nowhere.parse().unwrap(),
            tuf: "/tuf/".into(),
            root: self.root.clone(),
            updater: Updater::new(state, remote.clone(), settings.clone()),
            remote,
            upstream: client(&config),
            projects: PROJECTS.map(|name| ProjectName::parse(name).unwrap()).to_vec(),
            files: Vec::new(),
            settings,
        };
        fs::create_dir_all(self.path().parent().unwrap()).unwrap();
        create(order, &self.path(), &|_, _| ()).await
    }

    async fn open(&self, expiry: AsOf) -> Result<Offline, OfflineError> {
        let options = OfflineOptions {
            bundle: self.path(),
            root: PinnedRoot::File(self.folder.path().join("1.root.json")),
            data: self.folder.path().join("data"),
            expiry,
        };
        Offline::open(options).await
    }

    /// All of it is what is published.
    async fn is_right(&self) {
        let Offline { bundle, view, .. } =
            self.open(AsOf::Now(self.world.clock.clone())).await.unwrap();
        let snapshot = view.snapshot().version;
        for project in PROJECTS {
            let page = format!("simple/{project}/vnd.pypi.simple.v1.json");
            let target = view.target(&page).await.unwrap().unwrap();
            assert_eq!(Some(&target), self.world.signed(snapshot, &page).await.as_ref());
            let bytes = bundle.target(&view.fetched_as(&page, &target), u64::MAX).await.unwrap();
            target.check(&page, &bytes).unwrap();
            let content = format!("the file of {project}");
            let path =
                format!("files/{project}/{}.{project}-1.0.tar.gz", Digest::of(content.as_bytes()));
            let body = bundle.open(&path).await.unwrap().body;
            assert_eq!(body.collect().await.unwrap().to_bytes(), content);
        }
    }

    fn left_nothing(&self) {
        let left = fs::read_dir(self.path().parent().unwrap()).unwrap();
        assert_eq!(left.count(), 0);
    }
}

/// Changes one byte of what lies at a path with this in it.
struct Altering {
    inner: Liar,
    part: &'static str,
}

impl Altering {
    fn alter(&self, path: &str, bytes: Bytes) -> Bytes {
        let mut bytes = bytes.to_vec();
        if path.contains(self.part) {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        bytes.into()
    }
}

impl Remote for Altering {
    fn metadata<'a>(
        &'a self,
        name: &'a str,
        limit: u64,
    ) -> BoxFuture<'a, Result<Bytes, RemoteError>> {
        async move { Ok(self.alter(name, self.inner.metadata(name, limit).await?)) }.boxed()
    }

    fn target<'a>(
        &'a self,
        path: &'a str,
        limit: u64,
    ) -> BoxFuture<'a, Result<Bytes, RemoteError>> {
        async move { Ok(self.alter(path, self.inner.target(path, limit).await?)) }.boxed()
    }

    fn open<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<FileReply, UpstreamError>> {
        async move {
            let bytes = self.inner.open(path).await?.body.collect().await.unwrap().to_bytes();
            Ok(FileReply { length: None, body: body::full(self.alter(path, bytes)) })
        }
        .boxed()
    }
}

/// Its files never come.
struct Stuck {
    inner: Liar,
    asked: Notify,
}

impl Remote for Stuck {
    fn metadata<'a>(
        &'a self,
        name: &'a str,
        limit: u64,
    ) -> BoxFuture<'a, Result<Bytes, RemoteError>> {
        self.inner.metadata(name, limit)
    }

    fn target<'a>(
        &'a self,
        path: &'a str,
        limit: u64,
    ) -> BoxFuture<'a, Result<Bytes, RemoteError>> {
        self.inner.target(path, limit)
    }

    fn open<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<FileReply, UpstreamError>> {
        self.asked.notify_one();
        std::future::pending().boxed()
    }
}

/// As a signal ends it.
#[test]
fn one_that_is_given_up_leaves_nothing() {
    let runtime = Runtime::new().unwrap();
    let scene = runtime.block_on(async {
        let scene = Scene::new().await;
        let stuck = Arc::new(Stuck { inner: Liar::new(&scene.world), asked: Notify::new() });
        tokio::select! {
            made = scene.create(stuck.clone()) => panic!("{made:?}"),
            () = stuck.asked.notified() => {}
        }
        scene
    });
    // Waits for what blocks.
    drop(runtime);
    scene.left_nothing();
}

#[tokio::test]
async fn what_is_no_file_is_refused_before_anything_is_fetched() {
    let scene = Scene::new().await;
    fs::create_dir_all(scene.path()).unwrap();
    let stuck = Stuck { inner: Liar::new(&scene.world), asked: Notify::new() };
    let error = scene.create(Arc::new(stuck)).await.unwrap_err();
    assert!(matches!(error, CreateError::Bundle(BundleError::Occupied { .. })), "{error}");
}

#[tokio::test]
async fn it_holds_all_that_is_needed() {
    let scene = Scene::new().await;
    scene.world.new_root().await;
    let created = scene.create(Arc::new(Liar::new(&scene.world))).await.unwrap();
    assert_eq!((created.projects, created.files, created.left_out), (3, 3, 0));
    assert_eq!(created.length, fs::metadata(scene.path()).unwrap().len());
    scene.is_right().await;
}

#[tokio::test]
async fn altered_bytes_end_it() {
    let scene = Scene::new().await;
    for (part, wrong) in [
        ("timestamp.json", "timestamp"),
        ("snapshot.json", "snapshot"),
        ("targets.json", "targets"),
        (".bins.json", "bins"),
        ("simple/qx-b/", "simple/qx-b/vnd.pypi.simple.v1.json"),
        ("files/qx-b/", "qx-b-1.0.tar.gz"),
    ] {
        let remote = Altering { inner: Liar::new(&scene.world), part };
        let error = scene.create(Arc::new(remote)).await.unwrap_err();
        let distrust = matches!(&error, CreateError::Client(error) if error.is_distrust());
        assert!(distrust || matches!(error, CreateError::Mismatch { .. }), "{part}: {error}");
        assert!(error.to_string().contains(wrong), "{part}: {error}");
        scene.left_nothing();
    }
}

/// What was trusted before is the measure, though a bundle begins at the pinned root.
#[tokio::test]
async fn it_is_not_older_than_what_was_seen() {
    let scene = Scene::new().await;
    let known = scene.folder.path().join("known");
    let settings = Settings { clock: scene.world.clock.clone(), ..Settings::default() };
    let state = State::init(&known, &scene.root).unwrap();
    let updater = Updater::new(state, Arc::new(Liar::new(&scene.world)), settings);
    let before = updater.refresh().await.unwrap();
    scene.world.publish("qx-a", Some("the file of qx-a, again")).await;
    let after = updater.refresh().await.unwrap();
    not_older(&before, &after).unwrap();
    not_older(&after, &after).unwrap();
    let error = not_older(&after, &before).unwrap_err();
    assert!(matches!(&error, ClientError::Distrust(_)) && error.to_string().contains("rollback"));
}

#[tokio::test]
async fn expiry_counts_unless_it_is_waived() {
    let scene = Scene::new().await;
    scene.create(Arc::new(Liar::new(&scene.world))).await.unwrap();
    let made = scene.world.clock.now();
    scene.world.pass(24 * 400);
    let now = || AsOf::Now(scene.world.clock.clone());
    let error = scene.open(now()).await.map(drop).unwrap_err();
    assert!(matches!(error, OfflineError::Expired { .. }), "{error}");
    let offline = scene.open(AsOf::Bundle).await.unwrap();
    let off = offline.clock.now().duration_until(made).abs();
    assert!(off < jiff::SignedDuration::from_mins(1), "{off}");
    let page = "simple/qx-a/vnd.pypi.simple.v1.json";
    assert!(offline.view.target(page).await.unwrap().is_some());
    // It was looked at before its time.
    let early = AsOf::Now(Clock::at(made - jiff::SignedDuration::from_hours(24)));
    assert!(scene.open(early).await.is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Either it is right, or there is none.
    #[test]
    fn lies_end_it_or_do_no_harm(seed in any::<u64>(), lies in prop_oneof![Just(3u64), Just(10), Just(40)]) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(async {
            let scene = Scene::new().await;
            let liar = Liar::new(&scene.world);
            liar.set(Mood { seed, lies });
            match scene.create(Arc::new(liar)).await {
                Ok(_) => scene.is_right().await,
                Err(_) => scene.left_nothing(),
            }
        });
    }
}
