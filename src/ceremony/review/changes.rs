//! What differs from the current version, in plain words.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::fields::{self, brief};
use super::view::{KeyView, RoleView, View, role_name};
use crate::ceremony::holders;
use crate::ceremony::words::{full_id, list, plain};
use crate::tuf::{Expiry, KeyId};

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Change {
    /// Another expiry.
    Expires {
        /// Before.
        from: Expiry,
        /// Now.
        to: Expiry,
    },
    /// A role that was not there.
    RoleAdded {
        /// The role, with its keys.
        role: RoleView,
    },
    /// A role that is there no more.
    RoleRemoved {
        /// Its name.
        role: String,
    },
    /// A key that may sign a role from now on.
    KeyAdded {
        /// The role.
        role: String,
        /// The key.
        key: KeyView,
    },
    /// A key that may no longer.
    KeyRemoved {
        /// The role.
        role: String,
        /// The key.
        key: KeyView,
    },
    /// Another threshold.
    Threshold {
        /// The role.
        role: String,
        /// Before.
        from: u64,
        /// Now.
        to: u64,
    },
    /// Other paths of a delegated role.
    Paths {
        /// The role.
        role: String,
        /// Before.
        from: Vec<String>,
        /// Now.
        to: Vec<String>,
    },
    /// A delegated role that became terminating, or is so no more.
    Terminating {
        /// The role.
        role: String,
        /// Now.
        to: bool,
    },
    /// Delegated roles in another order.
    Order {
        /// Now.
        to: Vec<String>,
    },
    /// Another name for a key that stays.
    Holder {
        /// The key.
        keyid: KeyId,
        /// Before.
        from: Option<String>,
        /// Now.
        to: Option<String>,
    },
    /// Another number of bins.
    BinCount {
        /// Before.
        from: u64,
        /// Now.
        to: u64,
    },
    /// Another prefix of their names.
    Prefix {
        /// Before.
        from: String,
        /// Now.
        to: String,
    },
    /// Anything else.
    Field {
        /// Where, from the outside in.
        path: Vec<String>,
        /// Before.
        from: Option<Value>,
        /// Now.
        to: Option<Value>,
    },
    /// More of those.
    MoreFields {
        /// How many.
        count: usize,
    },
}

/// What changes from `old` to `new`; all that there is, where there is no old one.
pub(super) fn between(old: Option<&View>, new: &View) -> Vec<Change> {
    let Some(old) = old else {
        let all = new.roles.iter().map(|role| Change::RoleAdded { role: role.clone() });
        return all.chain(others(None, new)).collect();
    };
    let mut changes = Vec::new();
    if old.expires != new.expires {
        changes.push(Change::Expires { from: old.expires, to: new.expires });
    }
    for role in &new.roles {
        match old.roles.iter().find(|before| before.name == role.name) {
            Some(before) => changes.extend(of_role(before, role)),
            None => changes.push(Change::RoleAdded { role: role.clone() }),
        }
    }
    let gone = old.roles.iter().filter(|role| !new.roles.iter().any(|now| now.name == role.name));
    changes.extend(gone.map(|role| Change::RoleRemoved { role: role.name.clone() }));
    let order = |view: &View, other: &View| -> Vec<String> {
        let names = view.roles.iter().map(|role| role.name.clone());
        names.filter(|name| other.roles.iter().any(|role| role.name == *name)).collect()
    };
    if order(old, new) != order(new, old) {
        let to = new.roles.iter().map(|role| role.name.clone()).collect();
        changes.push(Change::Order { to });
    }
    if let (Some(before), Some(now)) = (&old.bins, &new.bins) {
        if before.count != now.count {
            changes.push(Change::BinCount { from: before.count, to: now.count });
        }
        if before.prefix != now.prefix {
            let (from, to) = (before.prefix.clone(), now.prefix.clone());
            changes.push(Change::Prefix { from, to });
        }
    }
    let ids: BTreeSet<_> = old.holders.keys().chain(new.holders.keys()).collect();
    for keyid in ids {
        let (from, to) = (old.holders.get(keyid), new.holders.get(keyid));
        // A key that comes or goes is told with its holder.
        let stays = old.keyids.contains(keyid) == new.keyids.contains(keyid);
        if from != to && stays {
            let (from, to) = (from.cloned(), to.cloned());
            changes.push(Change::Holder { keyid: keyid.clone(), from, to });
        }
    }
    changes.extend(others(Some(old), new));
    changes
}

fn of_role(old: &RoleView, new: &RoleView) -> Vec<Change> {
    let role = || new.name.clone();
    let has = |view: &RoleView, key: &KeyView| view.keys.iter().any(|k| k.keyid == key.keyid);
    let added = new.keys.iter().filter(|key| !has(old, key));
    let added = added.map(|key| Change::KeyAdded { role: role(), key: key.clone() });
    let gone = old.keys.iter().filter(|key| !has(new, key));
    let gone = gone.map(|key| Change::KeyRemoved { role: role(), key: key.clone() });
    let mut changes: Vec<_> = gone.chain(added).collect();
    if old.threshold != new.threshold {
        let (from, to) = (old.threshold, new.threshold);
        changes.push(Change::Threshold { role: role(), from, to });
    }
    if old.paths != new.paths {
        let (from, to) = (old.paths.clone(), new.paths.clone());
        changes.push(Change::Paths { role: role(), from, to });
    }
    if old.terminating != new.terminating {
        changes.push(Change::Terminating { role: role(), to: new.terminating });
    }
    changes
}

/// What no view shows.
fn others(old: Option<&View>, new: &View) -> Vec<Change> {
    let used = |view: &View, id: &str| {
        view.roles.iter().any(|role| role.keys.iter().any(|key| key.keyid.0 == id))
    };
    let is_shown = |path: &[String]| {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path[..] {
            ["version" | "expires"] => true,
            ["_type" | "spec_version"] => old.is_none(),
            ["consistent_snapshot"] => old.is_none(),
            ["targets"] => {
                old.is_none() && new.value["targets"].as_object().is_some_and(|t| t.is_empty())
            }
            ["roles", _, "keyids" | "threshold"]
            | ["delegations", "roles", _, "keyids" | "threshold" | "paths" | "name"]
            | ["delegations", "roles", _, "path_hash_prefixes" | "terminating"]
            | [
                "delegations",
                "succinct_roles",
                "bit_length" | "keyids" | "name_prefix" | "threshold",
            ] => true,
            ["keys", id] | ["delegations", "keys", id] => {
                let has = |view: &View| view.keyids.iter().any(|known| known.0 == id);
                let (before, now) = (old.is_some_and(has), has(new));
                before != now
                    && old.filter(|_| before).map_or_else(|| used(new, id), |old| used(old, id))
            }
            [field, id] if field == holders::FIELD => {
                let text = |value: &Value| value[field].get(id).is_none_or(Value::is_string);
                text(&new.value) && old.is_none_or(|old| text(&old.value))
            }
            _ => false,
        }
    };
    let nothing = Value::Object(Default::default());
    let before = old.map_or(&nothing, |old| &old.value);
    let (found, more) = fields::between(before, &new.value, &is_shown);
    let told = found.into_iter().map(|(path, from, to)| Change::Field { path, from, to });
    told.chain((more > 0).then_some(Change::MoreFields { count: more })).collect()
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |paths: &[String]| list(paths.iter().map(|path| plain(path)));
        match self {
            Self::Expires { from, to } => write!(f, "expires {to}, was {from}"),
            Self::RoleAdded { role } => {
                let name = role_name(&role.name);
                write!(f, "{name}: new, {} of {} keys must sign", role.threshold, role.keys.len())?;
                if !role.paths.is_empty() {
                    write!(f, ", trusted with {}", words(&role.paths))?;
                }
                role.keys.iter().try_for_each(|key| write!(f, "\n    {}", whole(key)))
            }
            Self::RoleRemoved { role } => {
                write!(f, "{}: goes, nobody may sign it", role_name(role))
            }
            Self::KeyAdded { role, key } => {
                write!(f, "{}: comes {}", role_name(role), whole(key))
            }
            Self::KeyRemoved { role, key } => write!(f, "{}: goes {}", role_name(role), whole(key)),
            Self::Threshold { role, from, to } => {
                write!(f, "{}: {to} keys must sign, were {from}", role_name(role))
            }
            Self::Paths { role, from, to } => {
                write!(f, "{}: trusted with {}, was {}", role_name(role), words(to), words(from))
            }
            Self::Terminating { role, to: true } => {
                write!(f, "{}: becomes terminating, nobody after it is asked", role_name(role))
            }
            Self::Terminating { role, to: false } => {
                write!(f, "{}: is terminating no more", role_name(role))
            }
            Self::Order { to } => write!(f, "who is asked first: {}", words(to)),
            Self::Holder { keyid, from, to } => {
                let name = |name: &Option<String>| name.as_deref().map_or("nobody".into(), plain);
                write!(f, "key {}: held by {}, was {}", full_id(keyid), name(to), name(from))
            }
            Self::BinCount { from, to } => write!(f, "number of bins: {to}, was {from}"),
            Self::Prefix { from, to } => {
                write!(f, "bins are called {}-…, were {}-…", plain(to), plain(from))
            }
            Self::Field { path, from, to } => {
                let path: Vec<_> = path.iter().map(|part| plain(part)).collect();
                let (from, to) = (brief(from.as_ref()), brief(to.as_ref()));
                write!(f, "the field {}: {to}, was {from}", path.join(" > "))
            }
            Self::MoreFields { count } => write!(f, "and {count} more fields"),
        }
    }
}

fn whole(key: &KeyView) -> String {
    let holder = key.holder.as_deref().map_or("a key".into(), plain);
    let scheme = key.scheme.as_deref().map_or("not defined".into(), plain);
    format!("{holder}, {scheme}, key id {}", full_id(&key.keyid))
}
