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
pub async fn root(store: &Store) -> Result<Signed<Root>, RepositoryError> {
    let roots = store.list(layout::ROOT).await?;
    let newest = roots.iter().filter_map(|r| layout::number(&r.name)).max();
    let name = layout::root(newest.ok_or(RepositoryError::Missing)?);
    let (root, _) = role::<Root>(store, &name).await?;
    root.signed.verify("root", &root).map_err(RepositoryError::metadata(&name))?;
    Ok(root)
}

/// The number of the newest commit.
pub async fn newest_commit(store: &Store) -> Result<Option<u64>, RepositoryError> {
    let commits = store.list(layout::JOURNAL).await?;
    Ok(commits.iter().filter_map(|c| layout::number(&c.name)).max())
}

/// Commit `number`.
pub async fn commit(store: &Store, number: u64) -> Result<Commit, RepositoryError> {
    let name = layout::commit(number);
    let bytes = object(store, &name).await?;
    serde_json::from_slice(&bytes).map_err(|error| RepositoryError::damaged(name, error))
}

/// What commit `number` names, each role verified.
pub async fn base(store: &Store, number: u64) -> Result<Base, RepositoryError> {
    let root = root(store).await?;
    let commit = commit(store, number).await?;
    let name = layout::metadata(commit.snapshot.version, "snapshot");
    let (snapshot, snapshot_document) = role::<Snapshot>(store, &name).await?;
    if snapshot_document.digest != commit.snapshot.sha256 {
        return Err(RepositoryError::damaged(name, "its SHA-256 is not the one of its commit"));
    }
    root.signed.verify("snapshot", &snapshot).map_err(RepositoryError::metadata(&name))?;

    let version = |role: &str| {
        let entry = snapshot.signed.meta.get(&format!("{role}.json")).map(|meta| meta.version);
        entry.ok_or_else(|| RepositoryError::damaged(&name, format!("it does not list {role}")))
    };
    let targets_name = layout::metadata(version("targets")?, "targets");
    let (targets, _) = role::<Targets>(store, &targets_name).await?;
    root.signed.verify("targets", &targets).map_err(RepositoryError::metadata(&targets_name))?;

    let bins_name = layout::metadata(version("bins")?, "bins");
    let (bins, _) = role::<Targets>(store, &bins_name).await?;
    delegations(&targets, &targets_name)?
        .verify("bins", &bins)
        .map_err(RepositoryError::metadata(&bins_name))?;
    let succinct: Option<SuccinctRoles> = delegations(&bins, &bins_name)?.succinct_roles.clone();
    let succinct =
        succinct.ok_or_else(|| RepositoryError::damaged(&bins_name, "it has no succinct_roles"))?;

    Ok(Base {
        commit: number,
        root: Arc::new(root),
        targets: Arc::new(targets),
        bins: Arc::new(bins),
        succinct: Arc::new(succinct),
        snapshot: Arc::new(snapshot),
        snapshot_document,
    })
}

fn delegations<'a>(
    role: &'a Signed<Targets>,
    name: &str,
) -> Result<&'a Delegations, RepositoryError> {
    let delegations = role.signed.delegations.as_ref();
    delegations.ok_or_else(|| RepositoryError::damaged(name, "it delegates nothing"))
}

/// The newest timestamp, verified by `root`.
pub async fn timestamp(
    store: &Store,
    root: &Root,
) -> Result<Option<(Signed<Timestamp>, Arc<Document>)>, RepositoryError> {
    let timestamps = store.list(layout::TIMESTAMPS).await?;
    let Some(newest) = timestamps.iter().filter_map(|t| layout::number(&t.name)).max() else {
        return Ok(None);
    };
    let name = layout::timestamp(newest);
    let (timestamp, document) = role::<Timestamp>(store, &name).await?;
    root.verify("timestamp", &timestamp).map_err(RepositoryError::metadata(&name))?;
    Ok(Some((timestamp, document)))
}

/// The publication that the newest timestamp shows.
pub async fn published(store: &Store) -> Result<Published, RepositoryError> {
    let root = root(store).await?;
    let Some((timestamp, timestamp_document)) = timestamp(store, &root.signed).await? else {
        return Err(RepositoryError::Missing);
    };
    let name = layout::timestamp(timestamp.signed.version);
    let number = timestamp.signed.commit;
    let number = number.ok_or_else(|| RepositoryError::damaged(&name, "it names no commit"))?;
    let base = base(store, number).await?;
    let entry = timestamp.signed.meta.get("snapshot.json");
    let hash = entry.and_then(|e| e.hashes.as_ref()?.get("sha256")?.parse::<Digest>().ok());
    if hash != Some(base.snapshot_document.digest) {
        return Err(RepositoryError::damaged(name, "its snapshot is not the one of its commit"));
    }
    Ok(Published { base, timestamp: Arc::new(timestamp), timestamp_document })
}
