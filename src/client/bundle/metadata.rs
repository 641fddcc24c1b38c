//! The metadata that one snapshot needs, out of the folder in which it was verified.

use serde::Deserialize;

use super::{CreateError, Writer};
use crate::client::updater::versioned;
use crate::client::{ClientError, State, View};
use crate::tuf::{Expiry, MetaFile};

/// What decides whether a delegated role belongs to the snapshot. It was verified before it was kept.
#[derive(Deserialize)]
struct Role {
    signed: Dated,
}

#[derive(Deserialize)]
struct Dated {
    version: u64,
    expires: Expiry,
}

/// Writes timestamp, snapshot, targets, and the delegated roles that the folder has; tells when the first of all expires. Blocks.
pub(super) fn write_metadata(
    writer: &mut Writer,
    view: &View,
    state: &State,
) -> Result<Expiry, CreateError> {
    let consistent = view.root().consistent_snapshot;
    let needed = |role: &'static str| {
        let missing = ClientError::Incomplete { path: state.dir().to_owned(), role };
        state.get(role)?.ok_or(missing)
    };
    writer.metadata("timestamp.json", &needed("timestamp")?)?;
    let version = MetaFile::version(view.snapshot().version);
    writer.metadata(&versioned(consistent, "snapshot", &version), &needed("snapshot")?)?;
    let mut expires = view.expires();
    for (name, entry) in &view.snapshot().meta {
        let role = name.strip_suffix(".json").unwrap_or(name);
        let Some(bytes) = state.get(role)? else { continue };
        // An earlier look may have left an older one.
        let Ok(Role { signed }) = serde_json::from_slice(&bytes) else { continue };
        if signed.version == entry.version {
            writer.metadata(&versioned(consistent, role, entry), &bytes)?;
            expires = expires.min(signed.expires);
        }
    }
    Ok(expires)
}
