//! Publishing what holders signed: whether it may take the place of what is published, in words; then it goes to the
//! repository. The command line does this itself, or has the process do it that serves the store.

use jiff::Timestamp;

use super::check::{self, Next, Refusal, bins_online, fits, root_online, targets_report};
use crate::repository::{
    Current, NewRoles, RepositoryError, RolesError, RolesReceipt, current_roles, next_number,
};
use crate::store::Store;
use crate::tuf::{KeyId, MetadataError, Role, Root, Signed, Targets};

/// The signed files, as text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Texts<'a> {
    /// The next root.
    pub root: Option<&'a str>,
    /// The next targets.
    pub targets: Option<&'a str>,
    /// The next bins.
    pub bins: Option<&'a str>,
}

/// Why nothing is published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A file cannot be read.
    #[error("{role} cannot be published: {source}")]
    Metadata {
        /// Which.
        role: &'static str,
        /// What is wrong with it.
        source: MetadataError,
    },
    /// It does not pass a check.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What is published does not stand under the new root.
    #[error(
        "root {root} does not accept the targets that is published ({source}): have a new targets signed by the keys that it \
         names, and publish both with --targets"
    )]
    OldTargets {
        /// The new root's version.
        root: u64,
        /// Why not.
        source: MetadataError,
    },
    /// The new root takes away the key without which no bin can be signed.
    #[error(
        "root {root} takes away the online key that signs the bins, and none that is loaded may sign them: publish a bins that \
         names the new key together with it, with --bins, or load the old key"
    )]
    OldBins {
        /// The new root's version.
        root: u64,
    },
    /// The store fails, or has something else.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

/// Reads `texts`, and checks them against what `store` has, where the keys called `loaded` sign online. What is
/// published already passes.
///
/// # Errors
/// [`PublishError`]: one sentence that says what forbids it. Nothing was written.
pub async fn checked(
    store: &Store,
    texts: Texts<'_>,
    loaded: &[KeyId],
    now: Timestamp,
) -> Result<NewRoles, PublishError> {
    let new = NewRoles {
        root: read::<Root>("root", texts.root)?,
        targets: read("targets", texts.targets)?,
        bins: read("bins", texts.bins)?,
    };
    let current = current_roles(store).await?;
    let root = match differs(new.root.as_ref(), &current.root) {
        Some(root) => {
            check::root(Some(&current.root), root, now)?;
            root_online(&root.signed, loaded)?;
            &root.signed
        }
        None => &current.root.signed,
    };
    let targets = match differs(new.targets.as_ref(), &current.targets) {
        Some(targets) => {
            let next = next(store, "targets", &current.targets, targets).await?;
            targets_fit(root, &current, targets, next, now)?;
            targets
        }
        None => {
            let version = root.version;
            root.verify("targets", &current.targets)
                .map_err(|source| PublishError::OldTargets { root: version, source })?;
            &current.targets
        }
    };
    match differs(new.bins.as_ref(), &current.bins) {
        Some(bins) => {
            let next = next(store, "bins", &current.bins, bins).await?;
            check::bins(&targets.signed, Some(&current.bins), bins, next, now)?;
            bins_online(&bins.signed, loaded)?;
        }
        None => {
            fits(&targets.signed, &current.bins)?;
            let taken = takes_away_the_key_of(&current.bins.signed, &current.root.signed, root);
            if taken && bins_online(&current.bins.signed, loaded).is_err() {
                return Err(PublishError::OldBins { root: root.version });
            }
        }
    }
    Ok(new)
}

/// Whether `new` has no use any more for a key that signs the bins of `bins`, and which `old` had online.
fn takes_away_the_key_of(bins: &Targets, old: &Root, new: &Root) -> bool {
    let succinct = bins.delegations.as_ref().and_then(|to| to.succinct_roles.as_ref());
    let online = |root: &Root, keyid: &KeyId| {
        let roles = ["timestamp", "snapshot"].into_iter().filter_map(|role| root.roles.get(role));
        roles.flat_map(|role| &role.keyids).any(|known| known == keyid)
    };
    let mut keyids = succinct.into_iter().flat_map(|bins| &bins.keyids);
    keyids.any(|keyid| online(old, keyid) && !online(new, keyid))
}

fn read<R: Role>(
    role: &'static str,
    text: Option<&str>,
) -> Result<Option<Signed<R>>, PublishError> {
    let parsed = text.map(|text| Signed::parse_strict(text.as_bytes())).transpose();
    parsed.map_err(|source| PublishError::Metadata { role, source })
}

/// `new`, unless it is what is published.
fn differs<'a, R: Role + PartialEq>(
    new: Option<&'a Signed<R>>,
    current: &Signed<R>,
) -> Option<&'a Signed<R>> {
    new.filter(|new| new.signed != current.signed)
}

/// Which number comes next. One that others took says which is free.
async fn next(
    store: &Store,
    role: &'static str,
    current: &Signed<Targets>,
    new: &Signed<Targets>,
) -> Result<Next, PublishError> {
    let (found, newest) = (new.signed.version, current.signed.version);
    let next = next_number(store, role, newest, new).await?;
    if (newest..next).contains(&found) {
        return Err(RepositoryError::from(RolesError::Taken { role, found, next }).into());
    }
    Ok(Next::Free(next))
}

/// As [`check::targets`]. Where the root changes, too, the holders before it may sign as well: then no client meets a targets
/// that its root does not know.
fn targets_fit(
    root: &Root,
    current: &Current,
    new: &Signed<Targets>,
    next: Next,
    now: Timestamp,
) -> Result<(), Refusal> {
    let mut report = targets_report(Some(root), Some(&current.targets.signed), new, next, now);
    if root.version > current.root.signed.version {
        let before = current.root.signed.roles.get("targets");
        let before = before.map(|keys| keys.keyids.as_slice()).unwrap_or_default();
        report.faults.retain(|fault| match fault {
            Refusal::MayNotSign { keyid, .. } => !before.contains(keyid),
            _ => true,
        });
    }
    report.finish().map(drop)
}

/// What was published, for people.
pub fn told(receipt: &RolesReceipt) -> String {
    let list = |roles: &[crate::repository::RoleRecord]| {
        let names = roles.iter().map(|role| format!("{} {}", role.role, role.version));
        names.collect::<Vec<_>>().join(", ")
    };
    let RolesReceipt { published, already, commit, timestamp, bins, gap } = receipt;
    let mut told = Vec::new();
    if !published.is_empty() {
        let shown = format!("in commit {commit}, shown by timestamp {timestamp}");
        told.push(format!("{} published, {shown}", list(published)));
    }
    if !already.is_empty() {
        told.push(format!("{} published already", list(already)));
    }
    if *bins > 0 {
        told.push(format!("{bins} bins were signed anew"));
    }
    let mut told = told.join("; ");
    if *gap {
        told.push_str(
            "\nThe keys of the root before could not sign beside the new ones: clients that were in the middle of a refresh may have failed \
             once, and succeed when they try again.",
        );
    }
    told
}
