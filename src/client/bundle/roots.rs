//! The chain of roots that goes into a bundle.

use bytes::Bytes;

use super::CreateError;
use crate::client::{ClientError, Limits, Remote, RemoteError};
use crate::tuf::workflow::{first_root, next_root};
use crate::tuf::{Flaw, Root};

/// The roots from the first that can be had up to version `newest`, with their versions; `pinned` is among them.
///
/// Who uses the bundle may have pinned an earlier root than whoever makes it.
pub(super) async fn chain(
    remote: &dyn Remote,
    pinned: &Bytes,
    newest: u64,
    limits: &Limits,
) -> Result<Vec<(u64, Bytes)>, CreateError> {
    let first = first_root(pinned).map_err(ClientError::from)?;
    let mut chain = earlier(remote, &first, pinned, limits).await;
    chain.reverse();
    let mut root = first;
    chain.push((root.version, pinned.clone()));
    while root.version < newest {
        let version = root.version.saturating_add(1);
        let bytes = fetch(remote, version, limits).await?;
        root = next_root(&root, &bytes).map_err(ClientError::from)?;
        chain.push((version, bytes));
    }
    Ok(chain)
}

/// The roots before `root`, newest first, as far as each vouches for the next.
async fn earlier(
    remote: &dyn Remote,
    root: &Root,
    bytes: &Bytes,
    limits: &Limits,
) -> Vec<(u64, Bytes)> {
    let mut found: Vec<(u64, Bytes)> = Vec::new();
    for version in (1..root.version).rev() {
        let Ok(older) = fetch(remote, version, limits).await else { break };
        let next = found.last().map_or(bytes, |(_, bytes)| bytes);
        let vouches = first_root(&older).and_then(|older| next_root(&older, next));
        if let Err(error) = vouches {
            tracing::warn!(version, %error, "this root and those before it are left out: nobody can begin with them");
            break;
        }
        found.push((version, older));
    }
    found
}

async fn fetch(remote: &dyn Remote, version: u64, limits: &Limits) -> Result<Bytes, ClientError> {
    let fetched = remote.metadata(&format!("{version}.root.json"), limits.root).await;
    fetched.map_err(|error| match error {
        RemoteError::TooLong { limit, .. } => Flaw::TooLong { limit }.of("root").into(),
        error => ClientError::Unavailable(error),
    })
}
