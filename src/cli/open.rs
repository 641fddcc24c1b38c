//! Where the commands that look after a repository find it.

use crate::config::Config;
use crate::store::{Store, StoreLocation};

/// The store that `config` names, opened beside whoever serves it.
///
/// # Errors
/// Where there is none, or it cannot be used.
pub(super) fn store(config: &Config) -> anyhow::Result<Store> {
    Ok(Store::at_to_read(&StoreLocation::of(config)?)?)
}
