//! A repository on offline roles that people made and signed in a ceremony: no private key of theirs is needed here.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use bytes::Bytes;
use jiff::Timestamp;

use super::check::{self, Next};
use super::file::Kind;
use super::given::{
    Given, Numbers, Offline, delegated, not_expired, told, undelegable, unusable, verified,
};
use super::{Founded, Founding, InitError};
use crate::tuf::{Delegations, MetaFile, Root, Signed, Targets};

/// Founds a repository on `root.json` (or `1.root.json` …), `targets.json` and `bins.json` of `folder`, and one `NAME.json` for
/// each role that targets delegates to beside bins. `progress` is told how many bins are done, and of how many.
///
/// # Errors
/// [`InitError`]: there is a repository, what was signed cannot be published, the online keys may not sign, or something
/// cannot be read or written.
pub async fn init_signed(
    founding: &Founding<'_>,
    folder: &Path,
    progress: impl Fn(u64, u64),
) -> Result<Founded, InitError> {
    founding.is_free().await?;
    let now = founding.now;
    let Chain { roots, root, mut checked } = Chain::read(folder, now)?;
    let targets = Given::<Targets>::read(&folder.join("targets.json"), Kind::Targets)?;
    let passed = check::targets(&root.signed, None, &targets.role, Next::One, now)?;
    checked.push(told(&targets.role, &passed.standings));
    let bins = Given::<Targets>::read(&folder.join("bins.json"), Kind::Bins)?;
    let passed = check::bins(&targets.role.signed, None, &bins.role, Next::One, now)?;
    checked.push(told(&bins.role, &passed.standings));
    checked.push(founding.can_sign(&root.signed, &bins.role.signed)?);
    let others = others(folder, &targets.role.signed, now)?;
    let offline = Offline { roots, root, targets, bins, others };
    offline.leads_somewhere()?;
    let numbers = Numbers { snapshot: 1, timestamp: 1 };
    founding.found(&offline, numbers, "init --signed", checked, progress).await
}

/// Every root from the first, and the newest.
struct Chain {
    roots: Vec<Bytes>,
    root: Signed<Root>,
    /// What people are told of each.
    checked: Vec<String>,
}

impl Chain {
    /// Those before the newest may have expired.
    fn read(folder: &Path, now: Timestamp) -> Result<Self, InitError> {
        let numbered = (1_u64..).map(|version| folder.join(format!("{version}.root.json")));
        let mut paths: Vec<_> = numbered.take_while(|path| path.exists()).collect();
        let plain = folder.join("root.json");
        if paths.is_empty() || plain.exists() {
            paths.push(plain);
        }
        let mut all: Vec<Given<Root>> = Vec::new();
        for path in paths {
            let root = Given::<Root>::read(&path, Kind::Root)?;
            // root.json may be a copy of the newest.
            if all.last().is_none_or(|last| last.bytes != root.bytes) {
                all.push(root);
            }
        }
        let (mut checked, mut old) = (Vec::new(), None);
        for (given, left) in all.iter().zip((0..all.len()).rev()) {
            let when = if left == 0 { now } else { Timestamp::MIN };
            let passed = check::root(old, &given.role, when)?;
            checked.push(told(&given.role, &passed.standings));
            old = Some(&given.role);
        }
        let root = old.cloned().ok_or_else(|| unusable(folder, "it has no root.json"))?;
        Ok(Self { roots: all.into_iter().map(|given| given.bytes).collect(), root, checked })
    }
}

/// The roles beside bins, however deep: each in its own file.
fn others(
    folder: &Path,
    targets: &Targets,
    now: Timestamp,
) -> Result<BTreeMap<String, (MetaFile, Bytes)>, InitError> {
    let mut others = BTreeMap::new();
    let mut queue = VecDeque::new();
    let to_read = |role: &Targets| -> Vec<(String, Delegations)> {
        let Some(by) = &role.delegations else { return Vec::new() };
        delegated(role).into_iter().map(|name| (name, by.clone())).collect()
    };
    queue.extend(to_read(targets));
    while let Some((name, by)) = queue.pop_front() {
        if others.contains_key(&name) {
            continue;
        }
        if check::bad_name(&name).is_some() {
            return Err(undelegable(&name, "which is no name that a delegated role can have here"));
        }
        let path = folder.join(format!("{name}.json"));
        if !path.exists() {
            return Err(undelegable(
                &name,
                "of which the folder has no NAME.json, and no metadata of its own would be served",
            ));
        }
        let Given { role, bytes } = Given::<Targets>::read(&path, Kind::Targets)?;
        verified(&path, &by, &name, &role)?;
        not_expired(&path, role.signed.expires, now)?;
        queue.extend(to_read(&role.signed));
        others.insert(name, (MetaFile::version(role.signed.version), bytes));
    }
    Ok(others)
}
