//! What looks dangerous, though it can be.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::view::{EACH_BIN, RoleView, View};
use crate::ceremony::case::Case;
use crate::ceremony::check::covers;
use crate::ceremony::words::{list, plain};
use crate::tuf::{KeyId, Root, Targets};

const SHORT: SignedDuration = SignedDuration::from_hours(90 * 24);
const LONG: SignedDuration = SignedDuration::from_hours(5 * 366 * 24);
const ONLINE: [&str; 3] = ["snapshot", "timestamp", EACH_BIN];

/// One thing that looks dangerous.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Warning {
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub text: String,
}

fn warning(code: &'static str, text: String) -> Warning {
    Warning { code, text }
}

pub(super) fn of(case: &Case, old: Option<&View>, new: &View, now: Timestamp) -> Vec<Warning> {
    let mut all = Vec::new();
    for role in new.roles.iter().filter(|role| !ONLINE.contains(&role.name.as_str())) {
        all.extend(of_offline(role));
    }
    all.extend(expiry(case, new, now));
    match case {
        Case::Root { old, new } => {
            all.extend(of_root(old.as_ref().map(|o| &o.signed), &new.signed))
        }
        Case::Targets { root, new, .. } => {
            all.extend(of_targets(&new.signed));
            if let Some(root) = root {
                all.extend(online_is_offline(&root.signed, &new.signed));
            }
            if root.is_none() {
                all.push(unknown("targets", "--root"));
            }
        }
        Case::Bins { targets, .. } => match targets {
            None => all.push(unknown("bins", "--targets")),
            Some(targets) => all.extend(bins_online(&targets.signed, new)),
        },
    }
    let (version, from) = case.versions();
    match from {
        None if version > 1 => all.push(warning(
            "not-compared",
            "the current version was not given, so that what changes cannot be told: name it with --from".into(),
        )),
        Some(from) if version > from.saturating_add(1) => all.push(warning(
            "version-left-out",
            format!("version {version} leaves out versions after {from}: is that meant?"),
        )),
        _ => (),
    }
    if let Some(old) = old {
        all.extend(new_delegations(old, new, case));
    }
    all
}

fn of_offline(role: &RoleView) -> Vec<Warning> {
    let mut all = Vec::new();
    let (name, keys) = (plain(&role.name), role.keys.len() as u64);
    if role.threshold == 1 {
        let text = format!(
            "one key alone signs {name}: whoever steals one of its keys can do all that it may"
        );
        all.push(warning("threshold-1", text));
    }
    if role.threshold == keys {
        let who = if keys == 1 { "its one key".into() } else { format!("each of its {keys} keys") };
        let text = format!("{name} needs {who}: when one is lost, nobody can sign it any more");
        all.push(warning("no-margin", text));
    }
    let mut seen = BTreeSet::new();
    let holders = role.keys.iter().filter_map(|key| key.holder.as_deref());
    let twice: BTreeSet<_> = holders.filter(|holder| !seen.insert(*holder)).collect();
    all.extend(twice.into_iter().map(|holder| {
        let text = format!(
            "{} holds more than one key of {name}: one person counts as several",
            plain(holder)
        );
        warning("holder-twice", text)
    }));
    all
}

fn expiry(case: &Case, new: &View, now: Timestamp) -> Option<Warning> {
    let role = case.kind().name();
    let left = new.expires.time().duration_since(now);
    let days = left.as_hours() / 24;
    if left > SignedDuration::ZERO && left < SHORT {
        let text = format!(
            "{role} expires in {days} days: less than 90 days leave little time for the next ceremony"
        );
        return Some(warning("expires-soon", text));
    }
    (left > LONG).then(|| {
        let text = format!("{role} expires in {days} days: for more than 5 years nobody would need to look at its keys");
        warning("expires-late", text)
    })
}

fn ids<'r>(root: &'r Root, role: &str) -> BTreeSet<&'r KeyId> {
    root.roles.get(role).into_iter().flat_map(|role| &role.keyids).collect()
}

fn of_root(old: Option<&Root>, new: &Root) -> Vec<Warning> {
    let mut all = Vec::new();
    if let Some(old) = old
        && ids(old, "root").is_disjoint(&ids(new, "root"))
    {
        let text =
            format!("no key of root {} stays: the last key that clients know goes", old.version);
        all.push(warning("all-keys-go", text));
    }
    let shared = |one: &str, other: &str| -> Vec<String> {
        let common = ids(new, one);
        common
            .intersection(&ids(new, other))
            .map(|id| super::view::short_of(id, &new.extra))
            .collect()
    };
    let both = shared("root", "targets");
    if !both.is_empty() {
        let text = format!("root and targets share {}: one theft harms both", list(both));
        all.push(warning("key-in-two-roles", text));
    }
    for (offline, online) in [
        ("root", "timestamp"),
        ("root", "snapshot"),
        ("targets", "timestamp"),
        ("targets", "snapshot"),
    ] {
        let both = shared(offline, online);
        if !both.is_empty() {
            let text = format!(
                "{offline}, which is offline, and {online}, which is online, share {}",
                list(both)
            );
            all.push(warning("online-key-is-offline-key", text));
        }
    }
    all
}

fn of_targets(targets: &Targets) -> Vec<Warning> {
    let roles = targets.delegations.iter().flat_map(|to| to.roles.iter().flatten());
    let before = roles.take_while(|role| role.name != "bins");
    let wide = before.filter(|role| {
        !role.terminating && ["simple/*/*", "files/*/*"].iter().any(|all| covers(role, all))
    });
    wide.map(|role| {
        let name = plain(&role.name);
        let text = format!("{name} stands before bins and may sign for every project: what it signs counts before what the index has");
        warning("wide-delegation", text)
    })
    .collect()
}

fn online_is_offline(root: &Root, targets: &Targets) -> Option<Warning> {
    let online: BTreeSet<_> =
        ["timestamp", "snapshot"].iter().flat_map(|role| ids(root, role)).collect();
    let roles = targets.delegations.iter().flat_map(|to| to.roles.iter().flatten());
    let mut offline = roles.flat_map(|role| &role.keyids);
    let both = offline.find(|id| online.contains(id))?;
    let text = format!(
        "key {} is an online key, and may sign what is offline",
        super::view::short_of(both, &targets.extra)
    );
    Some(warning("online-key-is-offline-key", text))
}

fn bins_online(targets: &Targets, new: &View) -> Option<Warning> {
    let roles = targets.delegations.iter().flat_map(|to| to.roles.iter().flatten());
    let offline: BTreeSet<_> = roles.flat_map(|role| &role.keyids).collect();
    let mut online = new.roles.iter().flat_map(|role| &role.keys);
    let both = online.find(|key| offline.contains(&key.keyid))?;
    let text =
        format!("key {} signs the bins online, and may sign bins, which is offline", both.short());
    Some(warning("online-key-is-offline-key", text))
}

/// Clients ask for a delegated role's metadata, and fail where it is missing.
fn new_delegations(old: &View, new: &View, case: &Case) -> Vec<Warning> {
    let Case::Targets { .. } = case else { return Vec::new() };
    let there = |role: &&RoleView| !old.roles.iter().any(|before| before.name == role.name);
    let added = new.roles.iter().filter(there);
    added
        .map(|role| {
            let name = plain(&role.name);
            let text = format!("{name} is new: clients that look for what it is trusted with need its metadata in the repository");
            warning("new-delegation", text)
        })
        .collect()
}

fn unknown(role: &str, flag: &str) -> Warning {
    let text = format!("nothing was given that says who may sign {role}: name it with {flag}");
    warning("signers-unknown", text)
}
