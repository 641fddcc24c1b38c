//! The good state: a snapshot that was published once, with all that it names.

use std::sync::Arc;

use bytes::Bytes;

use crate::store::{Store, layout};
use crate::tuf::{Root, Signed, Snapshot, Targets};

use super::super::{Base, Document, RepositoryError, load};
use super::RecoverError;

/// Snapshot `version` of `source`, as the journal there committed it, verified by the roots of `store`: by the newest that
/// vouches for it, since the keys may have been replaced because they were stolen.
pub(super) async fn load(
    store: &Store,
    source: &Store,
    version: u64,
) -> Result<Base, RecoverError> {
    let claim = layout::root(1);
    if load::object(store, &claim).await? != read(source, &claim).await? {
        return Err(RecoverError::Another);
    }
    let roots = roots(store).await?;
    let name = layout::metadata(version, "snapshot");
    let bytes = read(source, &name).await?;
    let snapshot = Signed::<Snapshot>::parse(&bytes).map_err(RepositoryError::metadata(&name))?;
    let unpublished = |reason: &str| RecoverError::Unpublished { version, reason: reason.into() };
    if snapshot.signed.version != version {
        return Err(unpublished("the object of that name holds another version"));
    }
    let vouching = roots.iter().rev().find(|root| root.verify("snapshot", &snapshot).is_ok());
    let root = vouching.ok_or_else(|| RecoverError::Unsigned { object: name.clone() })?;
    // A snapshot that nobody committed is what an interrupted attempt left, or what somebody put there.
    let number = snapshot.signed.commit.ok_or_else(|| unpublished("it names no commit"))?;
    read(source, &layout::commit(number)).await?;
    let commit = load::commit(source, number).await?;
    let document = Document::new(bytes);
    if commit.snapshot.version != version || commit.snapshot.sha256 != document.digest {
        return Err(unpublished("its commit names another one"));
    }
    let version_of = |role: &str| {
        let entry = snapshot.signed.meta.get(&format!("{role}.json")).map(|entry| entry.version);
        entry.ok_or_else(|| RepositoryError::damaged(&name, format!("it does not list {role}")))
    };
    let (object, targets) = offline(source, version_of("targets")?, "targets").await?;
    if !roots.iter().any(|root| root.verify("targets", &targets).is_ok()) {
        return Err(RecoverError::Unsigned { object });
    }
    let (object, bins) = offline(source, version_of("bins")?, "bins").await?;
    let trusted = targets.signed.delegations.as_ref();
    if trusted.is_none_or(|to| to.verify("bins", &bins).is_err()) {
        return Err(RecoverError::Unsigned { object });
    }
    let succinct = bins.signed.delegations.as_ref().and_then(|to| to.succinct_roles.clone());
    let none = || RepositoryError::damaged(&object, "it has no succinct_roles");
    let succinct = Arc::new(succinct.ok_or_else(none)?);
    Ok(Base {
        commit: number,
        root: Arc::new(Signed { signatures: Vec::new(), signed: root.clone() }),
        targets: Arc::new(targets),
        bins: Arc::new(bins),
        succinct,
        snapshot: Arc::new(snapshot),
        snapshot_document: Arc::new(document),
        beside: None,
        outdated: false,
    })
}

/// What must be in the copy.
pub(super) async fn read(source: &Store, object: &str) -> Result<Bytes, RecoverError> {
    let read = source.read(object).await.map_err(RepositoryError::from)?;
    read.ok_or_else(|| RecoverError::Gone { object: object.to_owned() })
}

/// Every root, each verified by itself and by the one before it.
async fn roots(store: &Store) -> Result<Vec<Root>, RecoverError> {
    let newest = load::root(store).await?.signed.version;
    let mut all: Vec<Root> = Vec::new();
    for version in 1..=newest {
        let name = layout::root(version);
        let bytes = load::object(store, &name).await?;
        let verified = match all.last() {
            None => crate::tuf::workflow::first_root(&bytes),
            Some(last) => crate::tuf::workflow::next_root(last, &bytes),
        };
        all.push(verified.map_err(|error| RepositoryError::damaged(&name, error))?);
    }
    Ok(all)
}

async fn offline(
    source: &Store,
    version: u64,
    role: &str,
) -> Result<(String, Signed<Targets>), RecoverError> {
    let object = layout::metadata(version, role);
    let bytes = read(source, &object).await?;
    let read = Signed::<Targets>::parse(&bytes).map_err(RepositoryError::metadata(&object))?;
    if read.signed.version != version {
        return Err(RepositoryError::damaged(object, "it holds another version").into());
    }
    Ok((object, read))
}
