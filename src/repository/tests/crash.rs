//! Crashes, lost answers and failing writes at every step: versions never go back, what is visible is whole.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::repository::load;
use crate::store::{Store, layout};
use crate::tuf::{Signed, Targets};

use super::support::{Bench, Fault, page};

/// What a client saw of the roles so far.
#[derive(Default)]
struct Seen {
    timestamp: u64,
    snapshot: u64,
    bins: BTreeMap<String, u64>,
}

impl Seen {
    /// Refreshes as a client would, and checks that nothing went back and nothing is missing.
    async fn refresh(&mut self, store: &Store) {
        let published = load::published(store).await.expect("the newest timestamp is whole");
        let base = &published.base;
        assert!(published.timestamp.signed.version >= self.timestamp);
        assert!(base.snapshot.signed.version >= self.snapshot);
        self.timestamp = published.timestamp.signed.version;
        self.snapshot = base.snapshot.signed.version;
        for name in base.succinct.names() {
            let version = base.version_of(&name).expect("every bin is listed");
            let seen = self.bins.entry(name.clone()).or_default();
            assert!(version >= *seen, "{name} went back from {seen} to {version}");
            *seen = version;
            let bytes = store.read(&layout::metadata(version, &name)).await.unwrap();
            let bin = Signed::<Targets>::parse(&bytes.expect("every bin is there")).unwrap();
            base.bins.signed.delegations.as_ref().unwrap().verify(&name, &bin).unwrap();
            assert_eq!(bin.signed.version, version);
            for (path, target) in &bin.signed.targets {
                if path.starts_with("simple/") {
                    let name = layout::page(&target.sha256().unwrap(), target.commit().unwrap());
                    assert!(store.read(&name).await.unwrap().is_some(), "{path} has its page");
                }
            }
        }
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::CrashBefore),
        Just(Fault::CrashAfter),
        Just(Fault::Fails),
        Just(Fault::LosesReply),
    ]
}

/// One change: which project, which of its files are there; and a fault after so many writes.
type Step = (usize, Vec<bool>, Option<(u64, Fault)>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step =
        (0..3usize, prop::collection::vec(any::<bool>(), 3), prop::option::of((0..14u64, fault())));
    prop::collection::vec(step, 1..12)
}

async fn run(steps: Vec<Step>) {
    let bench = Bench::new().await;
    let mut seen = Seen::default();
    let mut running = bench.open().await.unwrap();
    let mut wanted = BTreeMap::new();
    for (project, present, plan) in steps {
        let name = format!("p{project}");
        let names: Vec<_> = (0..present.len()).map(|n| format!("{name}-{n}.0.tar.gz")).collect();
        let files: Vec<_> = names
            .iter()
            .zip(&present)
            .filter_map(|(name, present)| present.then_some((name.as_str(), "bytes")))
            .collect();
        let page = page(&name, &files);
        bench.faulty.plan(plan);
        let first = running.publish(&page).await;
        seen.refresh(&bench.store).await;
        bench.faulty.plan(None);
        if first.is_err() {
            if matches!(plan, Some((_, Fault::CrashBefore | Fault::CrashAfter))) {
                running = bench.open().await.expect("it starts after a crash");
            }
            running.publish(&page).await.expect("it succeeds the second time");
        }
        seen.refresh(&bench.store).await;
        wanted.insert(page.name.clone(), page);
    }
    for (name, page) in wanted {
        let published = running.repository.model(&name).await.unwrap();
        let expected = Some(page).filter(|page| !page.files.is_empty());
        assert_eq!(published.as_deref(), expected.as_ref());
    }
}

fn in_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_goes_back_and_nothing_is_lost(steps in steps()) {
        in_runtime(run(steps));
    }
}

/// Every write of a publication, one after the other, with every fault.
#[tokio::test]
async fn a_fault_at_each_write_of_a_publication() {
    for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::Fails, Fault::LosesReply] {
        for writes in 0..10 {
            let all = vec![true; 3];
            run(vec![
                (0, all.clone(), None),
                (0, vec![true, false, true], Some((writes, fault))),
                (1, all, None),
            ])
            .await;
        }
    }
}

/// An init that dies anywhere is finished by the next one, with the same root.
#[tokio::test]
async fn an_interrupted_init_goes_on() {
    for writes in 0..22 {
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            let bench = Bench::unmade();
            bench.faulty.plan(Some((writes, fault)));
            assert!(bench.init().await.is_err());
            let root = bench.store.read(&layout::root(1)).await.unwrap();
            bench.faulty.plan(None);
            match bench.init().await {
                Ok(_) => {
                    let now = bench.store.read(&layout::root(1)).await.unwrap();
                    assert!(root.is_none() || root == now, "the root that was claimed stays");
                }
                // The very last write got through.
                Err(error) => assert!(matches!(error, crate::ceremony::InitError::Exists)),
            }
            let running = bench.open().await.unwrap();
            running.publish(&page("demo", &[("demo-1.0.tar.gz", "x")])).await.unwrap();
            Seen::default().refresh(&bench.store).await;
        }
    }
}

/// A page that a power cut left torn, under a name that nobody could see yet, holds up nothing.
#[tokio::test]
async fn a_torn_orphan_is_written_anew() {
    let bench = Bench::new().await;
    let running = bench.open().await.unwrap();
    let demo = page("demo", &[("demo-1.0.tar.gz", "x")]);
    running.publish(&demo).await.unwrap();
    let served = running.repository.page(&demo.name, crate::index::Format::Json).await.unwrap();
    let digest = served.unwrap().digest;
    running.stop().await;

    let bench = Bench::new().await;
    let torn = layout::page(&digest, 2);
    bench.store.put(&torn, "").await.unwrap();
    let running = bench.open().await.unwrap();
    running.publish(&demo).await.unwrap();
    Seen::default().refresh(&bench.store).await;
    assert!(!bench.store.read(&torn).await.unwrap().unwrap().is_empty());
}
