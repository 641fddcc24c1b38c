//! Whatever is published, and whatever of it is answered when: what the client has trusted never goes back.

use std::path::Path;
use std::sync::Arc;

use futures::future::join;
use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;

use super::world::{Liar, Mood, Versions, World, digest};
use crate::client::{ClientError, Remote as _, Settings, State, Updater, View};
use crate::tuf::{Digest, Role, Root, Signed, Snapshot, Targets, Timestamp};

const PROJECTS: [&str; 3] = ["qx-a", "qx-b", "qx-c"];

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// A project gets a file of another content, or goes.
    Publish {
        project: usize,
        content: Option<u8>,
    },
    NewRoot,
    Pass {
        hours: i64,
    },
    /// The client asks somebody.
    Refresh(Mood),
    /// Two processes with one folder ask, at once.
    Both([Mood; 2]),
    /// The client is started again: all that it knows is on disk.
    Restart,
}

fn mood() -> impl Strategy<Value = Mood> {
    let lies = prop_oneof![Just(0), Just(15), Just(50), Just(100)];
    (any::<u64>(), lies).prop_map(|(seed, lies)| Mood { seed, lies })
}

fn step() -> impl Strategy<Value = Step> {
    let publish = (0..PROJECTS.len(), proptest::option::weighted(0.8, any::<u8>()));
    prop_oneof![
        5 => publish.prop_map(|(project, content)| Step::Publish { project, content }),
        1 => Just(Step::NewRoot),
        1 => (0..10i64).prop_map(|hours| Step::Pass { hours }),
        6 => mood().prop_map(Step::Refresh),
        4 => [mood(), mood()].prop_map(Step::Both),
        1 => Just(Step::Restart),
    ]
}

/// A process.
struct Process {
    updater: Updater,
    liar: Arc<Liar>,
}

impl Process {
    fn start(world: &World, folder: &Path) -> Self {
        let liar = Arc::new(Liar::new(world));
        let settings = Settings { clock: world.clock.clone(), ..Settings::default() };
        let state = State::open(folder).unwrap();
        Self { updater: Updater::new(state, liar.clone(), settings), liar }
    }

    /// Refreshes, and looks at all that the view says.
    async fn refresh(&self, world: &World, mood: Mood) {
        self.liar.set(mood);
        match self.updater.refresh().await {
            Ok(view) => self.agrees(world, &view).await,
            Err(ClientError::Distrust(_) | ClientError::Unavailable(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// All that a view says is what one publication said.
    async fn agrees(&self, world: &World, view: &View) {
        let snapshot = view.snapshot().version;
        assert!(world.published().await.contains(&snapshot), "{snapshot} was never published");
        for project in PROJECTS {
            let page = format!("simple/{project}/vnd.pypi.simple.v1.json");
            let file = format!("files/{project}/{project}-1.0.tar.gz");
            for path in [&page, &file] {
                let signed = world.signed(snapshot, path).await;
                match view.target(path).await {
                    Ok(target) => {
                        assert_eq!(digest(target.as_ref()), digest(signed.as_ref()), "{path}");
                    }
                    // It was lied to on the way to the bin.
                    Err(ClientError::Distrust(_) | ClientError::Unavailable(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            let Some(target) = world.signed(snapshot, &page).await else { continue };
            let fetched = view.fetched_as(&page, &target);
            if let Ok(bytes) = self.liar.target(&fetched, u64::MAX).await {
                let right = target.sha256() == Some(Digest::of(&bytes));
                assert_eq!(target.check(&page, &bytes).is_ok(), right, "{page}");
            }
        }
    }
}

/// What a folder of trusted metadata was seen to hold.
struct Watched {
    folder: TempDir,
    trusted: Versions,
}

impl Watched {
    /// Nothing on the disk is older than what was there before.
    fn has_not_gone_back(&mut self) {
        let now = on_disk(self.folder.path());
        for (role, version) in &self.trusted {
            let now = now.get(role).copied();
            assert!(now >= Some(*version), "{role}: {now:?} after {version}");
        }
        self.trusted = now;
    }
}

/// The versions that the files of a state folder stand for: their own, and those that the snapshot names.
fn on_disk(folder: &Path) -> Versions {
    let state = State::open(folder).unwrap();
    fn version<R: Role>(state: &State, role: &str) -> Option<R> {
        let bytes = state.get(role).unwrap()?;
        Some(Signed::<R>::parse(&bytes).unwrap().signed)
    }
    let mut versions = Versions::new();
    let mut note = |name: &str, version: Option<u64>| {
        versions.extend(version.map(|version| (name.to_owned(), version)));
    };
    note("root", version::<Root>(&state, "root").map(|role| role.version));
    note("timestamp", version::<Timestamp>(&state, "timestamp").map(|role| role.version));
    note("targets", version::<Targets>(&state, "targets").map(|role| role.version));
    if let Some(snapshot) = version::<Snapshot>(&state, "snapshot") {
        note("snapshot", Some(snapshot.version));
        for (name, entry) in &snapshot.meta {
            note(&format!("listed {name}"), Some(entry.version));
        }
    }
    versions
}

async fn never_back(steps: Vec<Step>) {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    State::init(folder.path(), &world.first_root().await).unwrap();
    let mut watched = Watched { folder, trusted: Versions::new() };
    let start = |watched: &Watched| Process::start(&world, watched.folder.path());
    let (mut one, other) = (start(&watched), start(&watched));
    for step in steps {
        match step {
            Step::Publish { project, content } => {
                let content = content.map(|content| content.to_string());
                world.publish(PROJECTS[project], content.as_deref()).await;
            }
            Step::NewRoot => world.new_root().await,
            Step::Pass { hours } => world.pass(hours),
            Step::Refresh(mood) => one.refresh(&world, mood).await,
            Step::Both([mine, its]) => {
                join(one.refresh(&world, mine), other.refresh(&world, its)).await;
            }
            Step::Restart => one = start(&watched),
        }
        watched.has_not_gone_back();
    }
    // No lie keeps it from the newest for longer than it is told.
    world.publish(PROJECTS[0], Some("the last one")).await;
    one.liar.set(Mood::HONEST);
    let view = one.updater.refresh().await.unwrap();
    assert_eq!(Some(&view.snapshot().version), world.published().await.last());
    watched.has_not_gone_back();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_trusted_never_goes_back(steps in vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(never_back(steps));
    }
}
