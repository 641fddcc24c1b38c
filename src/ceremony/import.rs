//! Taking over a TUF repository that was made elsewhere: its clients go on, with what they remember.
//!
//! They know its root, and hold versions of its roles. So the root chain is taken as it is; timestamp and snapshot get the
//! next versions; the snapshot keeps every entry, since a client refuses one from which a role is gone; and all of these
//! roles are copied. Added are the next `targets`, which delegates to `bins`, and `bins`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;

use super::check::{self, Next, Refusal};
use super::file::{Kind, bounded};
use super::given::{Given, Numbers, Offline, told, unusable};
use super::{Founded, Founding, InitError};
use crate::tuf::{Distrust, Flaw, MetaFile, Root, Signed, Snapshot, Targets, workflow};

/// The most bytes of a timestamp and of a snapshot that clients take.
const LARGEST_TIMESTAMP: u64 = 16_384;
const LARGEST_SNAPSHOT: u64 = 2_000_000;
/// No version may be so high that the next ones do not fit into what clients count with.
const HIGHEST: u64 = crate::repository::HIGHEST;

/// A repository that was taken over.
#[derive(Debug, Clone)]
pub struct Imported {
    /// What was made of it.
    pub founded: Founded,
    /// The timestamp's version.
    pub timestamp: u64,
    /// The snapshot's version.
    pub snapshot: u64,
    /// The roles whose metadata goes on being served as it was.
    pub kept: Vec<String>,
}

/// Takes over the repository whose metadata lies in `from`, as it is served. `targets` is its next targets, `bins` the first bins.
/// `progress` is told how many bins are done, and of how many.
///
/// # Errors
/// [`InitError`]: the store has a repository, the old one does not verify, what was signed cannot be published, the online
/// keys may not sign, or something cannot be read or written.
pub async fn import(
    founding: &Founding<'_>,
    from: &Path,
    targets: &Path,
    bins: &Path,
    progress: impl Fn(u64, u64),
) -> Result<Imported, InitError> {
    founding.is_free().await?;
    let now = founding.now;
    let old = Old::read(from, now)?;
    let root = &old.root.signed;
    let targets = Given::<Targets>::read(targets, Kind::Targets)?;
    // Any later number: where one was published meanwhile, the one that was signed for here may skip it.
    let before = Some(&old.targets);
    let passed = check::targets(root, before, &targets.role, Next::Later, now)?;
    let mut checked = old.checked();
    checked.push(told(&targets.role, &passed.standings));
    let bins = Given::<Targets>::read(bins, Kind::Bins)?;
    let passed = check::bins(&targets.role.signed, None, &bins.role, Next::One, now)?;
    checked.push(told(&bins.role, &passed.standings));
    checked.push(founding.can_sign(root, &bins.role.signed)?);
    let Old { roots, root, timestamp, snapshot, others, .. } = old;
    let kept = others.keys().cloned().collect();
    let offline = Offline { roots, root, targets, bins, others };
    offline.leads_somewhere()?;
    let numbers = Numbers { snapshot: snapshot + 1, timestamp: timestamp + 1 };
    let founded = founding.found(&offline, numbers, "import", checked, progress).await?;
    Ok(Imported { founded, timestamp: timestamp + 1, snapshot: snapshot + 1, kept })
}

/// The repository as it was served last.
struct Old {
    roots: Vec<Bytes>,
    root: Signed<Root>,
    timestamp: u64,
    snapshot: u64,
    targets: Signed<Targets>,
    /// All other roles that the snapshot lists.
    others: BTreeMap<String, (MetaFile, Bytes)>,
}

impl Old {
    fn read(from: &Path, now: Timestamp) -> Result<Self, InitError> {
        let roots = Roots::read(from)?;
        let newest = roots.newest(now)?;
        let path = from.join("timestamp.json");
        let bytes = bounded(&path, LARGEST_TIMESTAMP)?;
        let timestamp = roots.any(|root| workflow::timestamp(root, &bytes))?;
        let entry = workflow::announced_snapshot(&timestamp)?;
        let (_, bytes) = file(from, entry.version, "snapshot", LARGEST_SNAPSHOT)?;
        // It may have expired: nobody serves it any more.
        let snapshot = roots.any(|root| workflow::snapshot(root, entry, &bytes, Timestamp::MIN))?;
        let mut others = roles(from, &snapshot)?;
        let (_, targets) = others.remove("targets").ok_or_else(|| Flaw::NotListed.of("targets"))?;
        let targets = Signed::parse(&targets)?;
        low_enough("timestamp", timestamp.version)?;
        low_enough("snapshot", snapshot.version)?;
        Ok(Self {
            root: newest,
            roots: roots.bytes,
            timestamp: timestamp.version,
            snapshot: snapshot.version,
            targets,
            others,
        })
    }

    fn checked(&self) -> Vec<String> {
        let roots = self.roots.len();
        let (timestamp, snapshot, others) = (self.timestamp, self.snapshot, self.others.len());
        vec![
            format!("each of {roots} roots is signed by itself and by the one before it"),
            format!(
                "timestamp {timestamp} and snapshot {snapshot} are signed; all {others} other roles are there"
            ),
        ]
    }
}

/// The chain, each verified.
struct Roots {
    bytes: Vec<Bytes>,
    roots: Vec<Root>,
}

impl Roots {
    fn read(from: &Path) -> Result<Self, InitError> {
        let mut all = Self { bytes: Vec::new(), roots: Vec::new() };
        for version in 1_u64.. {
            let path = from.join(format!("{version}.root.json"));
            if version > 1 && !path.exists() {
                break;
            }
            let bytes = bounded(&path, Kind::Root.largest())?;
            let root = match all.roots.last() {
                None => workflow::first_root(&bytes)?,
                Some(last) => workflow::next_root(last, &bytes)?,
            };
            if root.version != version {
                return Err(unusable(&path, format!("it holds version {}", root.version)));
            }
            all.roots.push(root);
            all.bytes.push(bytes.into());
        }
        Ok(all)
    }

    fn newest(&self, now: Timestamp) -> Result<Signed<Root>, InitError> {
        let (bytes, root) = self.bytes.last().zip(self.roots.last()).ok_or(InitError::OtherKeys)?;
        workflow::not_expired("root", root.expires, now)?;
        if !root.consistent_snapshot {
            return Err(Refusal::NotConsistent.into());
        }
        let newest = Signed::<Root>::parse(bytes)?;
        newest.signed.verify("root", &newest)?;
        Ok(newest)
    }

    /// What the newest root vouches for, or the newest that does: keys may have been replaced since it was signed.
    fn any<T>(&self, verify: impl Fn(&Root) -> Result<T, Distrust>) -> Result<T, InitError> {
        let mut first = None;
        for root in self.roots.iter().rev() {
            match verify(root) {
                Ok(verified) => return Ok(verified),
                Err(distrust) => drop(first.get_or_insert(distrust)),
            }
        }
        Err(first.map_or(InitError::OtherKeys, InitError::from))
    }
}

/// A file of `from`: under its version, or without consistent snapshots under its plain name.
fn file(from: &Path, version: u64, role: &str, most: u64) -> Result<(PathBuf, Vec<u8>), InitError> {
    let numbered = from.join(format!("{version}.{role}.json"));
    let plain = from.join(format!("{role}.json"));
    let path = if numbered.exists() || !plain.exists() { numbered } else { plain };
    let bytes = bounded(&path, most)?;
    Ok((path, bytes))
}

/// Every role that the snapshot lists, as it says.
fn roles(
    from: &Path,
    snapshot: &Snapshot,
) -> Result<BTreeMap<String, (MetaFile, Bytes)>, InitError> {
    let mut roles = BTreeMap::new();
    for (name, entry) in &snapshot.meta {
        let role = name.strip_suffix(".json").unwrap_or(name);
        // Before its name is one of a file.
        if role.contains(['/', '\\']) || role.starts_with('.') {
            return Err(super::given::undelegable(role, "whose name no object can have"));
        }
        let (path, bytes) = file(from, entry.version, role, Kind::Targets.largest())?;
        entry.check(role, &bytes)?;
        let held = Signed::<Targets>::parse(&bytes).map_err(|error| unusable(&path, error))?;
        if held.signed.version != entry.version {
            let reason = format!(
                "it holds version {}, the snapshot lists {}",
                held.signed.version, entry.version
            );
            return Err(unusable(&path, reason));
        }
        low_enough(role, entry.version)?;
        roles.insert(role.to_owned(), (entry.clone(), bytes.into()));
    }
    Ok(roles)
}

fn low_enough(role: &str, version: u64) -> Result<(), InitError> {
    if version < HIGHEST {
        return Ok(());
    }
    Err(InitError::TooHigh { role: role.to_owned(), version })
}
