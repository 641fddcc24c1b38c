//! A role as people see it: who may sign what.

use serde::Serialize;
use serde_json::Value;

use crate::ceremony::case::Case;
use crate::ceremony::check::succinct_of;
use crate::ceremony::holders::{self, Holders};
use crate::ceremony::words;
use crate::tuf::{Authority, DelegatedRole, Expiry, Key, KeyId, Root, Targets};

/// A key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyView {
    /// Its id.
    pub keyid: KeyId,
    /// Who holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Its scheme, such as `ed25519`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
}

impl KeyView {
    pub(super) fn of(id: &KeyId, key: Option<&Key>, holders: &Holders) -> Self {
        Self {
            keyid: id.clone(),
            holder: holders.get(id).cloned(),
            scheme: key.map(|key| key.scheme.clone()),
        }
    }

    /// The holder and the first digits.
    pub fn short(&self) -> String {
        words::key(&self.keyid, self.holder.as_deref())
    }
}

/// Who may sign one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RoleView {
    /// The role that is signed.
    pub name: String,
    /// How many must sign.
    pub threshold: u64,
    /// Who may.
    pub keys: Vec<KeyView>,
    /// What it is trusted with; of delegated roles alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Whether nobody after it is asked.
    pub terminating: bool,
}

/// The bins that a bins makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BinsView {
    /// How many.
    pub count: u64,
    /// What their names begin with.
    pub prefix: String,
}

/// The name under which all bins are shown.
pub(super) const EACH_BIN: &str = "each bin";

/// One version of a role.
pub(super) struct View {
    pub(super) expires: Expiry,
    pub(super) roles: Vec<RoleView>,
    pub(super) bins: Option<BinsView>,
    pub(super) holders: Holders,
    /// All keys that are defined.
    pub(super) keyids: Vec<KeyId>,
    /// All of it, for what has no view of its own.
    pub(super) value: Value,
}

impl View {
    /// The current version and the new one.
    pub(super) fn pair(case: &Case) -> (Option<Self>, Self) {
        match case {
            Case::Root { old, new } => {
                (old.as_ref().map(|old| Self::root(&old.signed)), Self::root(&new.signed))
            }
            Case::Targets { old, new, .. } => {
                (old.as_ref().map(|old| Self::targets(&old.signed)), Self::targets(&new.signed))
            }
            Case::Bins { old, new, .. } => {
                (old.as_ref().map(|old| Self::bins(&old.signed)), Self::bins(&new.signed))
            }
        }
    }

    fn root(root: &Root) -> Self {
        let holders = holders::of(&root.extra);
        let role = |name: &String| {
            let authority = root.authority(name)?;
            Some(role(name, authority, &holders, Vec::new(), false))
        };
        Self {
            expires: root.expires,
            roles: in_order(root).filter_map(role).collect(),
            bins: None,
            keyids: root.keys.keys().cloned().collect(),
            value: serde_json::to_value(root).unwrap_or_default(),
            holders,
        }
    }

    fn targets(targets: &Targets) -> Self {
        let holders = holders::of(&targets.extra);
        let delegations = targets.delegations.as_ref();
        let view = |delegated: &DelegatedRole| {
            let (keyids, threshold) = (&delegated.keyids, delegated.threshold);
            let authority = Authority { keys: &delegations?.keys, keyids, threshold };
            let paths = delegated.paths.iter().flatten().cloned();
            let hashes = delegated.path_hash_prefixes.iter().flatten();
            let hashes = hashes.map(|prefix| format!("sha256:{prefix}*"));
            let paths = paths.chain(hashes).collect();
            Some(role(&delegated.name, authority, &holders, paths, delegated.terminating))
        };
        let roles = delegations.into_iter().flat_map(|to| to.roles.iter().flatten());
        Self {
            expires: targets.expires,
            roles: roles.filter_map(view).collect(),
            bins: None,
            keyids: delegations.map(|to| to.keys.keys().cloned().collect()).unwrap_or_default(),
            value: serde_json::to_value(targets).unwrap_or_default(),
            holders,
        }
    }

    fn bins(bins: &Targets) -> Self {
        let succinct = succinct_of(bins);
        let each = succinct.zip(bins.delegations.as_ref()).map(|(succinct, delegations)| {
            let (keys, keyids) = (&delegations.keys, &succinct.keyids);
            let authority = Authority { keys, keyids, threshold: succinct.threshold };
            role(EACH_BIN, authority, &Holders::new(), Vec::new(), true)
        });
        let made = |succinct: &crate::tuf::SuccinctRoles| BinsView {
            count: succinct.count(),
            prefix: succinct.name_prefix.clone(),
        };
        let mut view = Self::targets(bins);
        view.roles.extend(each);
        view.bins = succinct.map(made);
        view
    }
}

/// root before those that hang on it.
fn in_order(root: &Root) -> impl Iterator<Item = &String> {
    let known = ["root", "targets", "snapshot", "timestamp"];
    let place = move |name: &str| known.iter().position(|known| *known == name);
    let mut names: Vec<_> = root.roles.keys().collect();
    names.sort_by_key(|name| place(name).unwrap_or(known.len()));
    names.into_iter()
}

fn role(
    name: &str,
    authority: Authority<'_>,
    holders: &Holders,
    paths: Vec<String>,
    terminating: bool,
) -> RoleView {
    let key = |id: &KeyId| KeyView::of(id, authority.keys.get(id), holders);
    let keys = authority.keyids.iter().map(key).collect();
    RoleView { name: name.into(), threshold: authority.threshold, keys, paths, terminating }
}

/// A key in few words, where `extra` may name its holder.
pub(super) fn short_of(id: &KeyId, extra: &crate::tuf::fields::Extra) -> String {
    words::key(id, holders::of(extra).get(id).map(String::as_str))
}

/// A role's name in our own lines.
pub(super) fn role_name(name: &str) -> String {
    if name == EACH_BIN { name.into() } else { words::plain(name) }
}
