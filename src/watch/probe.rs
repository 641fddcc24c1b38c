//! The first look at the mirror.

use crate::config::Access;
use crate::index::parse_list;
use crate::upstream::{PageReply, Upstream, UpstreamError};

use super::WatchError;

/// Looks whether the mirror wants a login, and how many projects it lists; `None` where that cannot be known now: a mirror that
/// cannot be reached may come back.
///
/// # Errors
/// [`WatchError::NotOpen`], [`WatchError::LoginWanted`] or [`WatchError::LoginRefused`]: nothing must be served then.
pub async fn probe(upstream: &Upstream, access: Access) -> Result<Option<usize>, WatchError> {
    if upstream.has_credentials() && access != Access::Open {
        return Err(WatchError::NotOpen);
    }
    match upstream.list(None).await {
        Ok(PageReply::Fresh(list)) => {
            let parsed = parse_list(&list.body, list.content_type.as_deref(), &list.url);
            Ok(parsed.ok().map(|list| list.projects.len()))
        }
        Ok(_) => Ok(None),
        Err(error @ UpstreamError::LoginWanted { .. }) => Err(match upstream.has_credentials() {
            true => WatchError::LoginRefused(error),
            false => WatchError::LoginWanted(error),
        }),
        Err(error) => {
            tracing::warn!(%error, "the mirror cannot be looked at yet; trying again");
            Ok(None)
        }
    }
}
