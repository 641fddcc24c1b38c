//! Who acts: writers, which are replicas, too; a client; a garbage collector.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::{StoreConfig, TargetsMode, ValidityConfig};
use crate::index::{Format, Links, ProjectName, ProjectPage};
use crate::repository::renewal::Renewal;
use crate::repository::writer::{Renewals, Writer};
use crate::repository::{
    Collector, Contents, Edit, Mode, PublisherConfig, Repository, RepositoryError, Seen, page_path,
};
use crate::signer::{Keyring, Signer};
use crate::store::Store;
use crate::time::Clock;
use crate::tuf::{self, Digest, Signed, Snapshot, Targets};

use super::super::support::{Exactly, page, project};
use super::checks::Checks;
use super::world::{Process, World};

pub const GRACE: Duration = Duration::from_secs(3600);
pub const PROJECTS: usize = 3;

/// What all know of one another.
pub struct Shared {
    pub world: Arc<World>,
    pub signer: Arc<dyn Signer>,
    pub upstream: Mutex<[u64; PROJECTS]>,
    /// The replicas that are up, by actor.
    pub replicas: Mutex<BTreeMap<usize, (Repository, CancellationToken)>>,
    pub checks: Mutex<Checks>,
    /// What each writer has seen published: writer, project and state.
    pub reported: Mutex<BTreeMap<(usize, usize), u64>>,
    /// What went wrong, in the words of who saw it.
    pub complaints: Mutex<Vec<String>>,
    /// Errors that are allowed, and how often.
    pub errors: Mutex<BTreeMap<String, u64>>,
}

impl Shared {
    pub fn complain(&self, complaint: String) {
        self.complaints.lock().unwrap().push(complaint);
    }

    /// Notes an error that says "try again"; any other is a complaint.
    pub fn excuse(&self, who: &str, error: &RepositoryError, damaged: bool) {
        use RepositoryError::{Contended, Damaged, Lost, Slow, Stale, Store};
        let kind = match error {
            Store(_) => "store",
            Contended(_) => "contended",
            Slow | Lost => "slow",
            Stale { .. } => "stale",
            Damaged { .. } if damaged => "damaged",
            _ => return self.complain(format!("{who}: {error}")),
        };
        *self.errors.lock().unwrap().entry(kind.into()).or_default() += 1;
    }
}

/// Numbers without end, the same for the same seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % sides.max(1)
    }
}

pub fn name_of(of: usize) -> ProjectName {
    project(&format!("p{of}"))
}

/// What the upstream says of project `of` in its state `state`. The last project goes back and forth, and away.
pub fn upstream_page(of: usize, state: u64) -> ProjectPage {
    let name = format!("p{of}");
    let shown = if of + 1 == PROJECTS { state % 3 } else { state };
    let file = format!("{name}-{shown}.tar.gz");
    let fixed = format!("{name}-fixed.tar.gz");
    match state {
        0 => page(&name, &[]),
        _ if shown == 0 => page(&name, &[]),
        _ => page(&name, &[(&fixed, "fixed"), (&file, &file)]),
    }
}

pub fn config(shared: &Shared, memory: u64, clock: Clock) -> PublisherConfig {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    PublisherConfig {
        memory,
        keyring: Keyring::of(vec![shared.signer.clone()]),
        contents: Contents {
            targets: TargetsMode::All,
            html: false,
            links: Links { tuf: "../../tuf/".into() },
        },
        validity: ValidityConfig {
            bin: hours(30),
            snapshot: hours(9),
            timestamp: hours(6),
            ..ValidityConfig::default()
        },
        store: StoreConfig { grace: GRACE, ..StoreConfig::default() },
        clock,
        readiness: Arc::default(),
        metrics: Arc::new(crate::telemetry::Metrics::new().unwrap()),
    }
}

/// Publishes what the upstream says, for ever, and answers clients meanwhile.
pub async fn write(shared: Arc<Shared>, process: Process, actor: usize, clock: Clock, seed: u64) {
    let mut dice = Dice::new(seed);
    let store = Store::over_shared(Arc::new(process.clone()));
    let memory = if dice.roll(3) == 0 { 0 } else { 1 << 20 };
    let mut writer = loop {
        process.think("start").await;
        match Writer::start(store.clone(), config(&shared, memory, clock.clone())).await {
            Ok(writer) => break writer,
            Err(error) => shared.excuse("a writer that starts", &error, true),
        }
    };
    writer.id = format!("writer-{actor}-{seed}");
    let repository = writer.repository().clone();
    let up = CancellationToken::new();
    tokio::spawn(repository.clone().keep_looking(CancellationToken::new()));
    shared.replicas.lock().unwrap().insert(actor, (repository.clone(), up));
    let mut renewal = Renewal::default();
    let mut looks = Vec::new();
    loop {
        process.think("publish").await;
        let renewed = match dice.roll(8) {
            0 => renewal.run(&mut writer, clock.now()).await,
            1 if dice.roll(4) == 0 => writer.watch_clock().await,
            _ => {
                while looks.is_empty() || (looks.len() < 3 && dice.roll(2) == 0) {
                    looks.push(look(&shared, &process, &repository, &mut dice).await);
                }
                publish(&shared, &mut writer, actor, &mut looks, &mut dice).await
            }
        };
        if let Err(error) = renewed {
            shared.excuse("a writer", &error, true);
        }
    }
}

/// A look at the upstream that waits for its publication.
struct Look {
    of: usize,
    state: u64,
    commit: u64,
}

async fn look(
    shared: &Shared,
    process: &Process,
    repository: &Repository,
    dice: &mut Dice,
) -> Look {
    let of = dice.roll(PROJECTS);
    let commit = repository.newest_commit();
    process.think("look at the upstream").await;
    let state = shared.upstream.lock().unwrap()[of];
    if dice.roll(4) == 0 {
        process.think("decide").await;
    }
    Look { of, state, commit }
}

/// Publishes some of `looks`, each project once. Those that failed may be tried again as they are.
async fn publish(
    shared: &Shared,
    writer: &mut Writer,
    actor: usize,
    looks: &mut Vec<Look>,
    dice: &mut Dice,
) -> Result<(), RepositoryError> {
    let mut chosen: Vec<Look> = Vec::new();
    let mut later = Vec::new();
    for look in looks.drain(..) {
        let twice = chosen.iter().any(|other| other.of == look.of);
        let waits = !chosen.is_empty() && dice.roll(2) == 0;
        if twice || waits { later.push(look) } else { chosen.push(look) }
    }
    *looks = later;
    let edit = |look: &Look| -> Arc<dyn Edit> {
        let edit = Arc::new(Exactly(upstream_page(look.of, look.state)));
        Arc::new(Seen { edit, commit: look.commit })
    };
    let edits: Vec<_> = chosen.iter().map(edit).collect();
    let outcomes = match writer.publish(&edits, &Renewals::default()).await {
        Ok(outcomes) => outcomes,
        Err(error) => {
            looks.extend(chosen.into_iter().filter(|_| dice.roll(2) == 0));
            return Err(error);
        }
    };
    let known = writer.repository().published();
    for (Look { of, state, .. }, outcome) in chosen.into_iter().zip(outcomes) {
        match outcome {
            Ok(receipt) => {
                if known.base.commit < receipt.commit {
                    shared.complain(format!("p{of} was reported before it was visible"));
                }
                shared.reported.lock().unwrap().insert((actor, of), state);
            }
            Err(error) => shared.excuse("an edit", &error, false),
        }
    }
    Ok(())
}

/// Collects garbage, for ever.
pub async fn clean(shared: Arc<Shared>, process: Process) {
    let mut collector = Collector::new(Store::over_shared(Arc::new(process.clone())), GRACE);
    loop {
        process.think("collect").await;
        if let Err(error) = collector.collect(Mode::Delete, &|_| ()).await {
            shared.excuse("the collector", &error, true);
        }
    }
}

/// A client with a state of its own, which asks another replica each time.
pub struct Client {
    shared: Arc<Shared>,
    process: Process,
    dice: Dice,
    timestamp: u64,
    snapshot: u64,
    bins: BTreeMap<String, u64>,
    /// Which replica answered last.
    asked: usize,
}

impl Client {
    pub fn new(shared: Arc<Shared>, process: Process, seed: u64) -> Self {
        let dice = Dice::new(seed);
        Self { shared, process, dice, timestamp: 0, snapshot: 0, bins: BTreeMap::new(), asked: 0 }
    }

    pub async fn run(mut self) {
        loop {
            self.process.think("refresh").await;
            // An error: it tries again.
            let _ = self.refresh().await;
        }
    }

    /// One request to any replica; `None` where that one is not up, fails, or dies over it.
    async fn ask<T, F>(&mut self, what: &str, ask: impl FnOnce(Repository) -> F) -> Option<T>
    where
        F: Future<Output = Result<T, RepositoryError>>,
    {
        if self.dice.roll(4) == 0 {
            self.process.think(what).await;
        }
        let (number, (replica, up)) = {
            let replicas = self.shared.replicas.lock().unwrap();
            let at = self.dice.roll(replicas.len());
            replicas.iter().nth(at).map(|(number, replica)| (*number, replica.clone()))?
        };
        self.asked = number;
        let answer = tokio::select! {
            biased;
            () = up.cancelled() => return None,
            answer = ask(replica) => answer,
        };
        match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.shared.excuse(&format!("a client that asks for {what}"), &error, false);
                None
            }
        }
    }

    async fn refresh(&mut self) -> Option<()> {
        let timestamp =
            self.ask("the timestamp", |replica| async move { replica.timestamp().await });
        let timestamp = Signed::<tuf::Timestamp>::parse(&timestamp.await?.bytes).unwrap().signed;
        if timestamp.version < self.timestamp {
            let (seen, now) = (self.timestamp, timestamp.version);
            self.shared.complain(format!("a client saw timestamp {now} after {seen}"));
        }
        self.timestamp = timestamp.version;
        let entry = &timestamp.meta["snapshot.json"];
        if entry.version < self.snapshot {
            self.shared.complain(format!("a client saw snapshot {} go back", entry.version));
        }
        self.snapshot = entry.version;
        let snapshot = self.metadata(entry.version, "snapshot").await?;
        let snapshot = Signed::<Snapshot>::parse(&snapshot).unwrap().signed;
        for index in 0..2 {
            let name = format!("bins-{index}");
            let version = snapshot.meta[&format!("{name}.json")].version;
            let seen = self.bins.entry(name.clone()).or_default();
            if version < *seen {
                self.shared.complain(format!("a client saw {name} {version} after {seen}"));
            }
            *seen = version;
        }
        let name = format!("bins-{}", self.dice.roll(2));
        let version = snapshot.meta[&format!("{name}.json")].version;
        let bin = self.metadata(version, &name).await?;
        let bin = Signed::<Targets>::parse(&bin).unwrap().signed;
        for of in 0..PROJECTS {
            let path = page_path(&name_of(of), Format::Json).unwrap();
            if let Some(digest) = bin.targets.get(path.as_str()).and_then(|t| t.sha256()) {
                self.page(of, digest).await?;
            }
        }
        Some(())
    }

    async fn metadata(&mut self, version: u64, role: &str) -> Option<bytes::Bytes> {
        let what = format!("{version}.{role}.json");
        let name = role.to_owned();
        let ask = |replica: Repository| async move { replica.metadata(version, &name).await };
        let answer = self.ask(&what, ask).await?;
        let bytes = answer.map(|document| document.bytes.clone());
        let now = self.shared.world.now();
        let judged = self.shared.checks.lock().unwrap().judge(version, role, bytes.as_ref(), now);
        if let Err(complaint) = judged {
            self.shared.complain(format!("replica {}: {complaint}", self.asked));
            return None;
        }
        bytes
    }

    async fn page(&mut self, of: usize, digest: Digest) -> Option<()> {
        let name = name_of(of);
        let ask = |replica: Repository| async move {
            match replica.pinned_page(&name, Format::Json, digest).await {
                // It forgets by the machine's clock, which does not go on with the simulated one.
                Err(RepositoryError::Damaged { .. }) => Ok(None),
                answer => answer,
            }
        };
        let answer = self.ask(&format!("the page of p{of}"), ask).await?;
        let now = self.shared.world.now();
        let checks = self.shared.checks.lock().unwrap();
        match answer {
            Some(page) if page.digest != digest => {
                self.shared.complain(format!("p{of} has another page than was asked for"));
            }
            None if checks.must_have_page(of, digest, now) => {
                self.shared.complain(format!(
                    "replica {} does not answer the page {digest} of p{of}",
                    self.asked
                ));
            }
            _ => {}
        }
        Some(())
    }
}
