//! One bin of a base, read from the store: for those who go through all of them and keep none.

use bytes::Bytes;

use crate::store::{Store, layout};
use crate::tuf::{Signed, Targets};

use super::published::Base;
use super::{RepositoryError, load};

/// The bin `index`, and its bytes, in the version that `base` names: its signatures are verified, and its targets belong there. All bins are
/// signed by one key set, so that a signature alone does not tell one from another.
pub(super) async fn read(
    store: &Store,
    base: &Base,
    index: u32,
) -> Result<(Signed<Targets>, Bytes), RepositoryError> {
    let name = &base.succinct.name(index);
    let version = base
        .version_of(name)
        .ok_or_else(|| RepositoryError::damaged("snapshot", format!("it does not list {name}")))?;
    let object = layout::metadata(version, name);
    let bytes = load::object(store, &object).await?;
    let bin = Signed::<Targets>::parse(&bytes).map_err(RepositoryError::metadata(&object))?;
    if bin.signed.version != version {
        return Err(RepositoryError::damaged(object, "it holds another version"));
    }
    let delegations = base.bins.signed.delegations.as_ref();
    let delegations = delegations
        .ok_or_else(|| RepositoryError::damaged(&object, "bins delegates nothing to it"))?;
    delegations.verify(name, &bin).map_err(RepositoryError::metadata(&object))?;
    if let Some(path) = bin.signed.targets.keys().find(|p| base.succinct.index_of(p) != index) {
        return Err(RepositoryError::damaged(object, format!("{path} does not belong into it")));
    }
    Ok((bin, bytes))
}
