//! Garbage collection by the rule, in a few lines.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::repository::{RepositoryError, load};
use crate::store::{Listed, Store, layout};
use crate::tuf::{Signed, Targets};

/// Deletes what was superseded longer than `grace` ago. How many objects.
pub async fn collect(store: &Store, grace: Duration) -> Result<u64, RepositoryError> {
    let limit = store.now().await? - grace;
    let Some((number, date)) = last_before(&store.list(layout::TIMESTAMPS).await?, limit) else {
        return Ok(0);
    };
    let published = load::shown(store, number, None).await?;
    let base = &published.base;
    let mut oldest = BTreeMap::from([("snapshot".to_owned(), base.snapshot.signed.version)]);
    let mut named = Vec::new();
    for name in base.succinct.names() {
        let version = base.version_of(&name).unwrap_or_default();
        let bytes = load::object(store, &layout::metadata(version, &name)).await?;
        let bin = Signed::<Targets>::parse(&bytes).map_err(RepositoryError::metadata(&name))?;
        for target in bin.signed.targets.values() {
            if let (Some(digest), Some(commit)) = (target.sha256(), target.commit()) {
                named.push(layout::page(&digest, commit));
            }
        }
        oldest.insert(name, version);
    }
    let mut doomed = Vec::new();
    for listed in store.list("metadata").await? {
        let mut parts = listed.name.split('.');
        let version = parts.next().and_then(|number| number.parse::<u64>().ok());
        let oldest = parts.next().and_then(|role| oldest.get(role));
        if version.zip(oldest).is_some_and(|(version, oldest)| version < *oldest) {
            doomed.push(format!("metadata/{}", listed.name));
        }
    }
    for listed in store.list(layout::PAGES).await? {
        let name = format!("{}/{}", layout::PAGES, listed.name);
        let commit = listed.name.rsplit('.').next().and_then(|number| number.parse::<u64>().ok());
        if commit.is_some_and(|commit| commit <= base.commit) && !named.contains(&name) {
            doomed.push(name);
        }
    }
    let limit = store.now().await? - grace;
    let again = store.list(layout::TIMESTAMPS).await?;
    if last_before(&again, limit) != Some((number, date)) {
        return Ok(0);
    }
    for listed in again {
        if layout::number(&listed.name).is_some_and(|other| other < number) {
            doomed.push(format!("{}/{}", layout::TIMESTAMPS, listed.name));
        }
    }
    Ok(store.delete(doomed).await?)
}

/// The highest-numbered timestamp that was written before `limit`.
fn last_before(timestamps: &[Listed], limit: Timestamp) -> Option<(u64, Timestamp)> {
    let old = timestamps.iter().filter(|listed| listed.modified < limit);
    old.filter_map(|listed| Some((layout::number(&listed.name)?, listed.modified))).max()
}
