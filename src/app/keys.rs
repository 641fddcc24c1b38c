//! The online keys of a process: opened at the start, taken up anew when they change.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::repository::Repository;
use crate::signer::{KeyUri, Keyring, Opening};
use crate::telemetry::{Metrics, Readiness};
use crate::tuf::KeyId;

/// The online keys that are configured, each opened by itself.
///
/// # Errors
/// Where none can be used, and none is merely away.
pub async fn open_keys(config: &Config, metrics: &Arc<Metrics>) -> anyhow::Result<Keyring> {
    let signing = &config.signing;
    let uris = signing.online.iter().map(|uri| uri.parse::<KeyUri>());
    let uris = uris.collect::<Result<Vec<_>, _>>().context("signing.online is refused")?;
    let how = Opening { base: config.data.clone(), timeout: signing.timeout };
    Keyring::open(uris, how, metrics.clone()).await.context(
        "an online key is needed: put a copy of the online.pem that init wrote into the data folder, or name the key in \
         signing.online",
    )
}

/// Whether the online key that is made with a repository is one that signs here.
pub(super) fn makes_its_key(config: &Config) -> bool {
    config.signing.online.iter().any(|uri| uri.trim_start_matches("file:") == "online.pem")
}

/// Takes up online keys that were replaced, or that are back.
pub(super) async fn keep(
    keyring: Keyring,
    repository: Repository,
    readiness: Arc<Readiness>,
    every: Duration,
    until: CancellationToken,
) {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while until.run_until_cancelled(tick.tick()).await.is_some() {
        let named = repository.published().base.online_keys();
        let needed = |key: &KeyId| named.contains(key);
        match until.run_until_cancelled(keyring.look(&needed)).await {
            Some(wrong) => readiness.note("signer", wrong),
            None => return,
        }
    }
}
