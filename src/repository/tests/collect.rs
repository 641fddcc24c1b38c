//! Garbage collection: what it keeps, what it deletes, and when it does neither.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use proptest::prelude::*;

use crate::repository::{Collected, Collector, Mode, RepositoryError, load};
use crate::store::{Durable, Store, layout};
use crate::time::Clock;
use crate::tuf::{Digest, Signed, Targets};

use super::dated::Dated;
use super::support::{Bench, Running, page};

const GRACE: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// A repository in a store whose clock can be turned.
struct Scene {
    bench: Bench,
    dated: Arc<Dated>,
    clock: Clock,
    running: Running,
}

impl Scene {
    async fn new() -> Self {
        let mut bench = Bench::unmade();
        let clock = Clock::at(Timestamp::now());
        let dated = Dated::over(bench.faulty.clone(), clock.clone());
        bench.store = dated.store();
        bench.init().await.unwrap();
        let running = bench.open().await.unwrap();
        Self { bench, dated, clock, running }
    }

    fn store(&self) -> &Store {
        &self.bench.store
    }

    fn pass(&self, time: Duration) {
        self.clock.set(self.clock.now() + time);
    }

    /// Publishes one file of `project`, whose bytes are `text`.
    async fn publish(&self, project: &str, text: &str) {
        let file = format!("{project}-{text}.tar.gz");
        self.running.publish(&page(project, &[(&file, text)])).await.unwrap();
    }

    async fn collect(&self) -> Collected {
        Collector::new(self.store().clone(), GRACE).collect(Mode::Delete, &|_| ()).await.unwrap()
    }

    async fn orphan(&self, name: &str) {
        self.store().create(name, "orphan", Durable::Now).await.unwrap();
    }

    async fn has(&self, name: &str) -> bool {
        self.store().read(name).await.unwrap().is_some()
    }
}

async fn names(store: &Store, folder: &str) -> BTreeSet<String> {
    store.each(folder).map_ok(|listed| listed.name).try_collect().await.unwrap()
}

/// All objects but the probes of the clock.
async fn everything(store: &Store) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for folder in ["root", "journal", "metadata", "timestamps", "pages", "sources", "watch"] {
        all.extend(names(store, folder).await.into_iter().map(|name| format!("{folder}/{name}")));
    }
    all
}

/// All objects that timestamp `version` reaches; each must be there and be what it should.
async fn reached(store: &Store, version: u64) -> BTreeSet<String> {
    let published = load::shown(store, version, None).await.expect("it is whole");
    let base = &published.base;
    let mut reached = BTreeSet::from([
        layout::timestamp(version),
        layout::metadata(base.snapshot.signed.version, "snapshot"),
    ]);
    for name in base.succinct.names() {
        let object = layout::metadata(base.version_of(&name).unwrap(), &name);
        let bytes = store.read(&object).await.unwrap().unwrap_or_else(|| panic!("{object}"));
        let bin = Signed::<Targets>::parse(&bytes).unwrap();
        for (path, target) in bin.signed.targets.iter().filter(|(p, _)| p.starts_with("simple/")) {
            let page = layout::page(&target.sha256().unwrap(), target.commit().unwrap());
            assert!(store.read(&page).await.unwrap().is_some(), "{path} has lost its page");
            reached.insert(page);
        }
        reached.insert(object);
    }
    reached
}

/// What garbage collection is about.
fn collectable(all: BTreeSet<String>) -> BTreeSet<String> {
    let about = |name: &String| {
        ["timestamps/", "pages/"].iter().any(|folder| name.starts_with(folder))
            || name.ends_with(".snapshot.json")
            || name.contains(".bins-")
    };
    all.into_iter().filter(about).collect()
}

#[tokio::test]
async fn what_was_superseded_goes_once_the_grace_period_is_over() {
    let scene = Scene::new().await;
    scene.publish("demo", "1").await;
    scene.pass(30 * MINUTE);
    scene.publish("demo", "2").await;
    scene.publish("other", "1").await;
    let before = everything(scene.store()).await;

    scene.pass(59 * MINUTE);
    let collected = scene.collect().await;
    // What came before demo 1 was superseded long ago; demo 1 itself was visible within the last hour.
    assert_eq!((collected.timestamps, collected.snapshots, collected.pages), (1, 1, 0));
    reached(scene.store(), 2).await;

    scene.pass(2 * MINUTE);
    let collected = scene.collect().await;
    assert_eq!((collected.timestamps, collected.snapshots), (2, 2));
    assert!(collected.bins > 0 && !collected.overtaken);
    assert_eq!(collected.pages, 2, "the old JSON and HTML of demo");
    let after = everything(scene.store()).await;
    assert_eq!(collectable(after.clone()), reached(scene.store(), 4).await);
    let gone: Vec<_> = before.difference(&after).collect();
    assert!(gone.iter().all(|name| !name.starts_with("root/") && !name.starts_with("journal/")));
    assert_eq!(scene.collect().await, Collected::default(), "nothing is left to do");
}

#[tokio::test]
async fn a_dry_run_tells_all_and_deletes_nothing() {
    let scene = Scene::new().await;
    scene.publish("demo", "1").await;
    scene.publish("demo", "2").await;
    scene.pass(2 * GRACE);
    let before = everything(scene.store()).await;
    let told = Mutex::new(BTreeSet::new());
    let mut collector = Collector::new(scene.store().clone(), GRACE);
    let tell = |progress: crate::repository::Progress<'_>| {
        if let crate::repository::Progress::Garbage(name) = progress {
            told.lock().unwrap().insert(name.to_owned());
        }
    };
    let would = collector.collect(Mode::DryRun, &tell).await.unwrap();
    assert_eq!(everything(scene.store()).await, before);
    assert_eq!(would.objects(), told.lock().unwrap().len() as u64);
    let did = collector.collect(Mode::Delete, &|_| ()).await.unwrap();
    assert_eq!(did, would);
    let after = everything(scene.store()).await;
    assert_eq!(before.difference(&after).cloned().collect::<BTreeSet<_>>(), *told.lock().unwrap());
}

#[tokio::test]
async fn nothing_is_superseded_in_a_young_repository() {
    let scene = Scene::new().await;
    scene.publish("demo", "1").await;
    scene.publish("demo", "2").await;
    let before = everything(scene.store()).await;
    assert_eq!(scene.collect().await, Collected::default());
    assert_eq!(everything(scene.store()).await, before);
}

#[tokio::test]
async fn orphans_go_by_the_same_rule_and_not_before() {
    let scene = Scene::new().await;
    scene.publish("demo", "1").await;
    let bin = |version| layout::metadata(version, "bins-0");
    let digest = Digest::of(b"orphan");
    let (below, above) = (layout::page(&digest, 2), layout::page(&digest, 99));
    let snapshots = [2, 3, 99].map(|version| layout::metadata(version, "snapshot"));
    for name in [&below, &above, &bin(50), &snapshots[2]] {
        scene.orphan(name).await;
    }
    scene.pass(2 * GRACE);
    scene.collect().await;
    assert!(!scene.has(&below).await, "no commit up to T*'s names it");
    assert!(scene.has(&above).await, "its commit is still to come");
    assert!(scene.has(&bin(50)).await && scene.has(&snapshots[2]).await, "T* is below");
    assert!(scene.has(&snapshots[0]).await, "T* names it");
}

/// A→B→A: the page of now is another object than the first one.
#[tokio::test]
async fn a_page_that_comes_back_is_kept_and_its_first_object_goes() {
    let scene = Scene::new().await;
    for text in ["1", "2", "1"] {
        scene.publish("demo", text).await;
    }
    let pages = names(scene.store(), layout::PAGES).await.len();
    scene.pass(2 * GRACE);
    scene.collect().await;
    assert_eq!(pages, 6);
    assert_eq!(names(scene.store(), layout::PAGES).await.len(), 2);
    reached(scene.store(), 4).await;
}

/// Versions of targets and bins are signed by people and stay, as roots and commits do.
#[tokio::test]
async fn what_people_signed_stays() {
    let scene = Scene::new().await;
    let old = layout::metadata(0, "targets");
    scene.orphan(&old).await;
    scene.publish("demo", "1").await;
    scene.pass(2 * GRACE);
    scene.collect().await;
    assert!(scene.has(&old).await);
    assert!(scene.has(&layout::root(1)).await && scene.has(&layout::commit(1)).await);
}

#[tokio::test]
async fn a_pass_that_is_overtaken_again_and_again_deletes_nothing() {
    let scene = Scene::new().await;
    for n in 0..12 {
        scene.publish("demo", &n.to_string()).await;
        scene.pass(10 * MINUTE);
    }
    let before = everything(scene.store()).await;
    // Whenever a timestamp is read, the next one comes of age.
    let clock = scene.clock.clone();
    scene.dated.on_read(move |name| {
        if name.starts_with("timestamps/") {
            clock.set(clock.now() + 10 * MINUTE);
        }
    });
    let collected = scene.collect().await;
    assert_eq!(collected, Collected { overtaken: true, ..Collected::default() });
    assert_eq!(everything(scene.store()).await, before);
}

#[tokio::test]
async fn a_pass_that_is_overtaken_once_looks_again() {
    let scene = Scene::new().await;
    for n in 0..8 {
        scene.publish("demo", &n.to_string()).await;
        scene.pass(10 * MINUTE);
    }
    let clock = scene.clock.clone();
    let mut first = true;
    scene.dated.on_read(move |name| {
        if name.starts_with("timestamps/") && std::mem::take(&mut first) {
            clock.set(clock.now() + 10 * MINUTE);
        }
    });
    let collected = scene.collect().await;
    assert!(!collected.overtaken && collected.pages > 0);
    for version in 4..=9 {
        reached(scene.store(), version).await;
    }
}

/// Somebody who slept created T*'s name again, with who knows what in it.
#[tokio::test]
async fn a_timestamp_of_another_date_is_not_what_was_read() {
    let scene = Scene::new().await;
    scene.publish("demo", "1").await;
    scene.publish("demo", "2").await;
    scene.pass(2 * GRACE);
    let before = everything(scene.store()).await;
    let dated = scene.dated.clone();
    scene.dated.on_read(move |name| {
        if name.starts_with("metadata/") {
            for version in 1..=3 {
                dated.touch(&layout::timestamp(version));
            }
        }
    });
    assert_eq!(scene.collect().await.objects(), 0);
    assert_eq!(everything(scene.store()).await, before);
}

#[tokio::test]
async fn damage_ends_the_pass() {
    let scene = Scene::new().await;
    scene.publish("demo", "1").await;
    scene.publish("demo", "2").await;
    scene.pass(2 * GRACE);
    let base = load::published(scene.store()).await.unwrap().base;
    let bin_of = |path: &str| {
        let name = base.succinct.bin_of(path);
        layout::metadata(base.version_of(&name).unwrap(), &name)
    };
    let object = bin_of("simple/demo/vnd.pypi.simple.v1.json");
    let read = async |name: &str| scene.store().read(name).await.unwrap().unwrap();
    let mut bad = read(&object).await.to_vec();
    let at = bad.iter().position(|byte| *byte == b'2').unwrap();
    bad[at] = b'3';
    let other = read(&bin_of("simple/demo/vnd.pypi.simple.v1.html")).await;
    let snapshot = layout::metadata(base.snapshot.signed.version, "snapshot");
    let snapshot = read(&snapshot).await;
    for content in [Some(bad.into()), Some(snapshot), None, Some(other)] {
        match content {
            Some(bytes) => scene.store().put(&object, bytes).await.unwrap(),
            None => drop(scene.store().delete(vec![object.clone()]).await.unwrap()),
        }
        let before = everything(scene.store()).await;
        let mut collector = Collector::new(scene.store().clone(), GRACE);
        let result = collector.collect(Mode::Delete, &|_| ()).await;
        assert!(matches!(result, Err(RepositoryError::Damaged { .. })), "{result:?}");
        assert_eq!(everything(scene.store()).await, before);
    }
}

/// What may happen next.
#[derive(Debug, Clone)]
enum Step {
    Publish(u8, u8),
    Pass(u64),
    Collect(usize),
    Orphan(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_u8, 0..3_u8).prop_map(|(project, text)| Step::Publish(project, text)),
        3 => (1..50_u64).prop_map(Step::Pass),
        3 => (0..2_usize).prop_map(Step::Collect),
        1 => (1..12_u64).prop_map(Step::Orphan),
    ]
}

/// Every publication is whole while it is visible and for the grace period after, whatever is collected.
async fn run(steps: Vec<Step>) {
    let scene = Scene::new().await;
    let mut collectors = [(); 2].map(|()| Collector::new(scene.store().clone(), GRACE));
    // Timestamps in order, with when each became visible.
    let mut visible = vec![(1, scene.clock.now())];
    for step in steps {
        match step {
            Step::Publish(project, text) => {
                scene.publish(&format!("p{project}"), &text.to_string()).await;
                let newest = load::newest_timestamp(scene.store()).await.unwrap().unwrap();
                if visible.last().is_some_and(|(version, _)| *version < newest) {
                    visible.push((newest, scene.clock.now()));
                }
            }
            Step::Pass(minutes) => scene.pass(Duration::from_secs(minutes * 60)),
            Step::Collect(which) => {
                collectors[which].collect(Mode::Delete, &|_| ()).await.unwrap();
            }
            Step::Orphan(number) => {
                scene.orphan(&layout::page(&Digest::of(&number.to_le_bytes()), number)).await;
                scene.orphan(&layout::metadata(number, "bins-7")).await;
            }
        }
        let ends = visible.iter().skip(1).map(|(_, since)| Some(*since)).chain([None]);
        for ((version, _), end) in visible.iter().zip(ends) {
            if end.is_none_or(|end| scene.clock.now() <= end + GRACE) {
                reached(scene.store(), *version).await;
            }
        }
    }
    scene.pass(2 * GRACE);
    collectors[0].collect(Mode::Delete, &|_| ()).await.unwrap();
    let newest = visible.last().unwrap().0;
    let named = reached(scene.store(), newest).await;
    let base = load::published(scene.store()).await.unwrap().base;
    for left in collectable(everything(scene.store()).await).difference(&named) {
        let number = |text: &str| text.parse::<u64>().unwrap();
        let (_, file) = left.split_once('/').unwrap();
        let above = match left.strip_prefix("pages/") {
            Some(page) => number(page.split_once('.').unwrap().1) > base.commit,
            None => number(file.split('.').next().unwrap()) > base.version_of("bins-7").unwrap(),
        };
        assert!(above, "{left} is garbage");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_visible_stays_for_the_grace_period(steps in prop::collection::vec(step(), 1..25)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
            .block_on(run(steps));
    }
}
