//! Reading the store: what is newest, and whether it is whole.

use std::sync::Arc;

use bytes::Bytes;

use crate::store::{Store, layout};
use crate::tuf::{
    Delegations, Digest, Role, Root, Signed, Snapshot, SuccinctRoles, Targets, Timestamp,
};

use super::commit::Commit;
use super::published::{Base, Published};
use super::{Document, RepositoryError};

/// Reads `object`, which must exist.
pub(super) async fn object(store: &Store, object: &str) -> Result<Bytes, RepositoryError> {
    let read = store.read(object).await?;
    read.ok_or_else(|| RepositoryError::damaged(object, "it is missing"))
}

async fn role<R: Role>(
    store: &Store,
    name: &str,
) -> Result<(Signed<R>, Arc<Document>), RepositoryError> {
    let bytes = object(store, name).await?;
    let signed = Signed::parse(&bytes).map_err(RepositoryError::metadata(name))?;
    Ok((signed, Arc::new(Document::new(bytes))))
}

/// The newest root, signed by itself.
///
/// # Errors
/// [`RepositoryError`]: there is none, or it does not count.
pub async fn root(store: &Store) -> Result<Signed<Root>, RepositoryError> {
    let roots = store.list(layout::ROOT).await?;
    let newest = roots.iter().filter_map(|r| layout::root_number(&r.name)).max();
    root_version(store, newest.ok_or(RepositoryError::Missing)?).await
}

async fn root_version(store: &Store, version: u64) -> Result<Signed<Root>, RepositoryError> {
    let name = layout::root(version);
    let (root, _) = role::<Root>(store, &name).await?;
    is_version(&name, root.signed.version, version)?;
    root.signed.verify("root", &root).map_err(RepositoryError::metadata(&name))?;
    Ok(root)
}

/// The newest root, where `known` is the newest that was read. Roots have no gaps and stay for ever.
async fn root_after(
    store: &Store,
    known: &Arc<Signed<Root>>,
) -> Result<Arc<Signed<Root>>, RepositoryError> {
    let mut newest = known.clone();
    loop {
        let next = newest.signed.version + 1;
        if store.read(&layout::root(next)).await?.is_none() {
            return Ok(newest);
        }
        newest = Arc::new(root_version(store, next).await?);
    }
}

/// The numbers of the commits from `first` on, in order.
///
/// # Errors
/// [`RepositoryError`] where the store fails.
pub async fn commits_from(store: &Store, first: u64) -> Result<Vec<u64>, RepositoryError> {
    let before = layout::commit_file(first.saturating_sub(1));
    let listed = store.list_after(layout::JOURNAL, &before).await?;
    Ok(listed.iter().filter_map(|c| layout::number(&c.name)).collect())
}

/// Commit `number`.
///
/// # Errors
/// [`RepositoryError`]: it is missing, or damaged.
pub async fn commit(store: &Store, number: u64) -> Result<Commit, RepositoryError> {
    let name = layout::commit(number);
    let bytes = object(store, &name).await?;
    let commit: Commit =
        serde_json::from_slice(&bytes).map_err(|error| RepositoryError::damaged(&name, error))?;
    is_version(&name, commit.number, number)?;
    Ok(commit)
}

/// What lies under a name with a number must bear that number.
fn is_version(name: &str, held: u64, expected: u64) -> Result<(), RepositoryError> {
    if held == expected {
        return Ok(());
    }
    Err(RepositoryError::damaged(name, format!("it holds number {held}")))
}

/// Whose signatures count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Those of the keys that the newest root names.
    Newest,
    /// Also those of an earlier root: for a writer, who signs again what is left, and for the collector, who reads what was
    /// published a grace period ago. Never for what is served.
    Chain,
}

impl Trust {
    /// Whether `signed` counts only by an earlier root than `newest`.
    async fn is_outdated<R: Role>(
        self,
        store: &Store,
        newest: &Signed<Root>,
        role: &str,
        object: &str,
        signed: &Signed<R>,
    ) -> Result<bool, RepositoryError> {
        let Err(error) = newest.signed.verify(role, signed) else { return Ok(false) };
        let earlier = match self {
            Self::Newest => 0..0,
            Self::Chain => 1..newest.signed.version,
        };
        for version in earlier.rev() {
            match root_version(store, version).await {
                Ok(root) if root.signed.verify(role, signed).is_ok() => return Ok(true),
                // Old ones of a repository that was taken over may be written otherwise than here.
                Ok(_) | Err(RepositoryError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(RepositoryError::metadata(object)(error))
    }
}

/// What commit `number` names, each role verified by the newest root. What `known` holds already is not read again.
///
/// # Errors
/// [`RepositoryError`]: something is missing, damaged or not signed by the right keys.
pub async fn base(
    store: &Store,
    number: u64,
    known: Option<&Base>,
) -> Result<Base, RepositoryError> {
    base_by(store, number, known, Trust::Newest).await
}

/// As [`base`], of signatures that count by `trust`.
pub(super) async fn base_by(
    store: &Store,
    number: u64,
    known: Option<&Base>,
    trust: Trust,
) -> Result<Base, RepositoryError> {
    let root = match known {
        Some(known) => root_after(store, &known.root).await?,
        None => Arc::new(root(store).await?),
    };
    // What was verified by this very root need not be again.
    let verified =
        known.filter(|known| known.root.signed.version == root.signed.version && !known.outdated);
    if let Some(known) = known.filter(|known| known.commit == number) {
        let outdated = verified.is_none() && {
            let name = layout::metadata(known.snapshot.signed.version, "snapshot");
            let snapshot = trust.is_outdated(store, &root, "snapshot", &name, &known.snapshot);
            let name = layout::metadata(known.targets.signed.version, "targets");
            let targets = trust.is_outdated(store, &root, "targets", &name, &known.targets);
            snapshot.await? | targets.await?
        };
        return Ok(Base { root, outdated, ..known.clone() });
    }
    let commit = commit(store, number).await?;
    let name = layout::metadata(commit.snapshot.version, "snapshot");
    let (snapshot, snapshot_document) = role::<Snapshot>(store, &name).await?;
    if snapshot_document.digest != commit.snapshot.sha256 {
        return Err(RepositoryError::damaged(name, "its SHA-256 is not the one of its commit"));
    }
    is_version(&name, snapshot.signed.version, commit.snapshot.version)?;
    let mut outdated = trust.is_outdated(store, &root, "snapshot", &name, &snapshot).await?;
    let version = |role: &str| {
        let entry = snapshot.signed.meta.get(&format!("{role}.json")).map(|meta| meta.version);
        entry.ok_or_else(|| RepositoryError::damaged(&name, format!("it does not list {role}")))
    };
    let old = known.map(|known| &known.targets);
    let targets = offline(store, version("targets")?, "targets", old, |_, _| Ok(())).await?;
    if !verified.is_some_and(|known| Arc::ptr_eq(&known.targets, &targets)) {
        let name = layout::metadata(targets.signed.version, "targets");
        outdated |= trust.is_outdated(store, &root, "targets", &name, &targets).await?;
    }
    let same = known.is_some_and(|known| Arc::ptr_eq(&known.targets, &targets));
    let old = known.filter(|_| same).map(|known| &known.bins);
    let bins = offline(store, version("bins")?, "bins", old, |signed, name| {
        delegations(&targets, "targets")?
            .verify("bins", signed)
            .map_err(RepositoryError::metadata(name))
    });
    let bins = bins.await?;
    let succinct = match known {
        Some(known) if Arc::ptr_eq(&known.bins, &bins) => known.succinct.clone(),
        _ => {
            let succinct: Option<SuccinctRoles> =
                delegations(&bins, "bins")?.succinct_roles.clone();
            let none = || RepositoryError::damaged("bins", "it has no succinct_roles");
            Arc::new(succinct.ok_or_else(none)?)
        }
    };
    Ok(Base {
        commit: number,
        root,
        targets,
        bins,
        succinct,
        snapshot: Arc::new(snapshot),
        snapshot_document,
        beside: commit.beside.map(Arc::new),
        outdated,
    })
}

/// The offline role `role`: the one that is known, or the one in the store where its version differs.
async fn offline(
    store: &Store,
    version: u64,
    name: &str,
    known: Option<&Arc<Signed<Targets>>>,
    verify: impl FnOnce(&Signed<Targets>, &str) -> Result<(), RepositoryError>,
) -> Result<Arc<Signed<Targets>>, RepositoryError> {
    if let Some(known) = known.filter(|known| known.signed.version == version) {
        return Ok(known.clone());
    }
    let object = layout::metadata(version, name);
    let (read, _) = role::<Targets>(store, &object).await?;
    is_version(&object, read.signed.version, version)?;
    verify(&read, &object)?;
    Ok(Arc::new(read))
}

fn delegations<'a>(
    role: &'a Signed<Targets>,
    name: &str,
) -> Result<&'a Delegations, RepositoryError> {
    let delegations = role.signed.delegations.as_ref();
    delegations.ok_or_else(|| RepositoryError::damaged(name, "it delegates nothing"))
}

/// The publication that timestamp `version` shows. What `known` holds already is not read again.
///
/// # Errors
/// [`RepositoryError`]: something is missing, damaged or not signed by the right keys.
pub async fn shown(
    store: &Store,
    version: u64,
    known: Option<&Base>,
) -> Result<Published, RepositoryError> {
    shown_by(store, version, known, Trust::Newest).await
}

/// As [`shown`], of signatures that count by `trust`.
pub(super) async fn shown_by(
    store: &Store,
    version: u64,
    known: Option<&Base>,
    trust: Trust,
) -> Result<Published, RepositoryError> {
    let name = layout::timestamp(version);
    let (timestamp, timestamp_document) = role::<Timestamp>(store, &name).await?;
    is_version(&name, timestamp.signed.version, version)?;
    let number = timestamp.signed.commit;
    let number = number.ok_or_else(|| RepositoryError::damaged(&name, "it names no commit"))?;
    let base = base_by(store, number, known, trust).await?;
    trust.is_outdated(store, &base.root, "timestamp", &name, &timestamp).await?;
    let entry = timestamp.signed.meta.get("snapshot.json");
    let hash = entry.and_then(|e| e.hashes.as_ref()?.get("sha256")?.parse::<Digest>().ok());
    if hash != Some(base.snapshot_document.digest) {
        return Err(RepositoryError::damaged(name, "its snapshot is not the one of its commit"));
    }
    Ok(Published { base, timestamp: Arc::new(timestamp), timestamp_document })
}

/// The number of the newest timestamp.
///
/// # Errors
/// [`RepositoryError`] where the store fails.
pub async fn newest_timestamp(store: &Store) -> Result<Option<u64>, RepositoryError> {
    let timestamps = store.list(layout::TIMESTAMPS).await?;
    Ok(timestamps.iter().filter_map(|t| layout::number(&t.name)).max())
}

/// The publication that the newest timestamp shows.
///
/// # Errors
/// [`RepositoryError`]: there is none, or it is not whole.
pub async fn published(store: &Store) -> Result<Published, RepositoryError> {
    let newest = newest_timestamp(store).await?.ok_or(RepositoryError::Missing)?;
    shown(store, newest, None).await
}

/// The snapshot that timestamp `version` shows; `None` where one of them is there no more. Its signatures are those of
/// its time and are not looked at.
pub(super) async fn snapshot_of(
    store: &Store,
    version: u64,
) -> Result<Option<Arc<Signed<Snapshot>>>, RepositoryError> {
    let Some(bytes) = store.read(&layout::timestamp(version)).await? else { return Ok(None) };
    let timestamp = Signed::<Timestamp>::parse(&bytes)
        .map_err(RepositoryError::metadata(&layout::timestamp(version)))?;
    let Some(entry) = timestamp.signed.meta.get("snapshot.json") else { return Ok(None) };
    let name = layout::metadata(entry.version, "snapshot");
    let Some(bytes) = store.read(&name).await? else { return Ok(None) };
    let snapshot = Signed::parse(&bytes).map_err(RepositoryError::metadata(&name))?;
    Ok(Some(Arc::new(snapshot)))
}
