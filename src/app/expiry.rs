//! Says that a role expires soon: in the log once a day, on `/readyz` and in the metrics all the time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::config::ValidityConfig;
use crate::repository::{Expiries, Repository, expires_soon};
use crate::telemetry::{Metrics, Readiness, Role};
use crate::time::Clock;
use crate::tuf::Expiry;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(60);
/// Until the same is logged again.
const AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Who says so.
pub(super) struct Warnings {
    pub(super) repository: Repository,
    pub(super) validity: ValidityConfig,
    pub(super) metrics: Arc<Metrics>,
    pub(super) readiness: Arc<Readiness>,
}

impl Warnings {
    pub(super) async fn run(self, until: CancellationToken) {
        let mut tick = tokio::time::interval(LOOK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut expiries, mut said) = (Expiries::default(), BTreeMap::new());
        while until.run_until_cancelled(tick.tick()).await.is_some() {
            match until.run_until_cancelled(self.look(&mut expiries, &mut said)).await {
                Some(()) => {}
                None => return,
            }
        }
    }

    async fn look(&self, expiries: &mut Expiries, said: &mut BTreeMap<String, Timestamp>) {
        let mut roles = match expiries.of(&self.repository).await {
            Ok(roles) => roles,
            Err(error) => {
                tracing::warn!(%error, "when the roles expire cannot be told now");
                return;
            }
        };
        // The earliest of all bins, once they were read.
        let bin = self.metrics.role_expiry.of(Role::Bin).get();
        if let Some(bin) = Timestamp::from_second(bin).ok().filter(|_| bin != 0) {
            roles.push((Role::Bin, "a bin".into(), Expiry::at(bin)));
        }
        let delegated = roles.iter().filter(|(role, ..)| *role == Role::Delegated);
        let earliest = delegated.map(|(.., expires)| *expires).min();
        let earliest = earliest.map_or(0, |expires| expires.time().as_second());
        self.metrics.role_expiry.of(Role::Delegated).set(earliest);

        let now = Clock::System.now();
        roles.retain(|(role, _, expires)| {
            expires_soon(*role, *expires, self.validity.warn, &self.validity, now)
        });
        for &role in Role::ALL {
            let soon = roles.iter().any(|(label, ..)| *label == role);
            self.metrics.role_expires_soon.of(role).set(soon.into());
        }
        said.retain(|name, _| roles.iter().any(|(_, soon, _)| soon == name));
        let mut sentences = Vec::new();
        for (role, name, expires) in roles {
            let sentence = sentence(role, &name, expires, now);
            let recently = |at: &Timestamp| now.duration_since(*at).unsigned_abs() < AGAIN;
            if !said.get(&name).is_some_and(recently) {
                tracing::warn!(role = name, %expires, "{sentence}");
                said.insert(name, now);
            }
            sentences.push(sentence);
        }
        self.readiness.note("expiry", Some(sentences.join("; ")).filter(|text| !text.is_empty()));
    }
}

fn sentence(role: Role, name: &str, expires: Expiry, now: Timestamp) -> String {
    let when = if expires.passed(now) { "has expired" } else { "expires" };
    let then = match role {
        Role::Timestamp | Role::Snapshot | Role::Bin => {
            "it should have been signed again before: the log says why it was not"
        }
        _ => "draft, sign and publish its next version",
    };
    format!("{name} {when} ({expires}); {then}")
}
