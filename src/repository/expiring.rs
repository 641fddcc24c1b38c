//! Which roles expire soon. Offline ones are signed by people, who want to know long before; online ones are signed again
//! by the writer at a third of their validity, so that less than a quarter means that this fails.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::ValidityConfig;
use crate::store::layout;
use crate::telemetry::Role;
use crate::tuf::{Expiry, Signed, Targets};

use super::{Published, Repository, RepositoryError, load};

/// Of a validity of an online role: what is left when something is wrong.
const LEFT: u32 = 4;

/// Whether `role` expires soon at `now`: within `within`, and of an online one in the last quarter of its validity.
pub fn expires_soon(
    role: Role,
    expires: Expiry,
    within: Duration,
    validity: &ValidityConfig,
    now: Timestamp,
) -> bool {
    let limit = match role {
        Role::Timestamp => within.min(validity.timestamp / LEFT),
        Role::Snapshot => within.min(validity.snapshot / LEFT),
        Role::Bin => within.min(validity.bin / LEFT),
        Role::Root | Role::Targets | Role::Bins | Role::Delegated => within,
    };
    expires.time().duration_since(now).as_secs_f64() < limit.as_secs_f64()
}

/// When the roles of a repository expire; remembers those that have to be read.
#[derive(Debug, Default)]
pub struct Expiries {
    delegated: BTreeMap<String, (u64, Expiry)>,
}

impl Expiries {
    /// Every role but the bins, by name.
    ///
    /// # Errors
    /// [`RepositoryError`] where a role that targets delegates to cannot be read.
    pub async fn of(
        &mut self,
        repository: &Repository,
    ) -> Result<Vec<(Role, String, Expiry)>, RepositoryError> {
        let published = repository.published();
        let labels = [Role::Root, Role::Targets, Role::Bins, Role::Snapshot, Role::Timestamp];
        let mut all: Vec<_> = labels
            .into_iter()
            .zip(published.roles())
            .map(|(label, (name, _, expires))| (label, name.to_owned(), expires))
            .collect();
        let names = delegated(&published);
        self.delegated.retain(|name, _| names.contains_key(name));
        for (name, version) in names {
            let expires = match self.delegated.get(&name) {
                Some((known, expires)) if *known == version => *expires,
                _ => {
                    let object = layout::metadata(version, &name);
                    let bytes = load::object(&repository.0.store, &object).await?;
                    let role = Signed::<Targets>::parse(&bytes);
                    role.map_err(RepositoryError::metadata(&object))?.signed.expires
                }
            };
            self.delegated.insert(name.clone(), (version, expires));
            all.push((Role::Delegated, name, expires));
        }
        Ok(all)
    }
}

/// The roles that targets delegates to beside bins, with the versions that the snapshot lists.
fn delegated(published: &Published) -> BTreeMap<String, u64> {
    let base = &published.base;
    let roles = base.targets.signed.delegations.iter().flat_map(|d| d.roles.iter().flatten());
    let others = roles.filter(|role| role.name != "bins");
    others.filter_map(|role| Some((role.name.clone(), base.version_of(&role.name)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_long_before_and_of_online_roles_when_renewal_fails() {
        let (day, validity) = (Duration::from_secs(86_400), ValidityConfig::default());
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let soon = |role, left: Duration| {
            expires_soon(role, Expiry::at(now + left), validity.warn, &validity, now)
        };
        for role in [Role::Root, Role::Targets, Role::Bins, Role::Delegated] {
            assert!(soon(role, 29 * day) && !soon(role, 31 * day), "{role}");
        }
        for role in [Role::Timestamp, Role::Snapshot] {
            assert!(soon(role, day / 5) && !soon(role, day / 3), "{role}");
        }
        assert!(soon(Role::Bin, day) && !soon(Role::Bin, 2 * day));
        let past = Expiry::at(now - day);
        assert!(expires_soon(Role::Root, past, Duration::ZERO, &validity, now));
    }
}
