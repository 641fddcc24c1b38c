//! Where the commands that look after a repository find it.

use crate::config::Config;
use crate::store::{Store, layout};

/// The store that `config` names, opened beside whoever serves it.
///
/// # Errors
/// Where there is none, or it cannot be used.
pub(super) fn store(config: &Config) -> anyhow::Result<Store> {
    if let Some(url) = &config.store.url {
        anyhow::bail!("cannot open the store {url} yet: name the data folder with --data");
    }
    Ok(Store::open_to_read(&config.data.join(layout::REPOSITORY))?)
}
