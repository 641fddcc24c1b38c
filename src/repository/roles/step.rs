//! What comes next: decided on the base alone, so that it does not matter who did what came before.

use std::sync::Arc;

use crate::repository::RepositoryError;
use crate::repository::beside::{Beside, DraftKeys, ONLINE, Quorum};
use crate::repository::published::Base;
use crate::repository::signing::enough;
use crate::repository::writer::Writer;
use crate::tuf::{Delegations, MetadataError, Root, Signed, SuccinctRoles, Targets, bins};

use super::attempt::Change;
use super::{New, Object, RolesError, next_number};

/// The next step of a publication.
pub(super) enum Step {
    /// A commit.
    Commit(Change),
    /// A timestamp for what is committed.
    Show,
    /// The root becomes visible, after `late` is there: roles that the root before does not accept.
    Root { root: Object<Root>, late: Vec<Object<Targets>>, gap: bool },
    /// All is visible.
    Done,
}

/// targets and bins as they are to be; `new_…` where they are not in the base.
struct Chosen {
    targets: Arc<Signed<Targets>>,
    bins: Arc<Signed<Targets>>,
    new_targets: Option<Object<Targets>>,
    new_bins: Option<Object<Targets>>,
}

impl Chosen {
    fn is_new(&self) -> bool {
        self.new_targets.is_some() || self.new_bins.is_some()
    }

    fn change(&self, base: &Base, beside: Option<Beside>) -> Change {
        let (targets, bins) = (self.new_targets.clone(), self.new_bins.clone());
        Change { targets, bins, beside, ..Change::on(base) }
    }
}

impl Writer {
    /// What brings `new` nearer to being visible.
    pub(super) async fn next_step(&self, new: &New) -> Result<Step, RepositoryError> {
        let newest = &self.base.root;
        if let Some(root) = &new.root {
            let (found, newest_version) = (root.version(), newest.signed.version);
            if found > newest_version {
                return self.step_to_root(root, new).await;
            }
            if found < newest_version {
                return Err(
                    RolesError::Older { role: "root", found, newest: newest_version }.into()
                );
            }
            if root.signed.signed != newest.signed {
                return Err(RolesError::RootTaken(found).into());
            }
        }
        let chosen = self.choose(new, &newest.signed).await?;
        if chosen.is_new() || self.base.outdated {
            return Ok(Step::Commit(chosen.change(&self.base, None)));
        }
        let shown = self.repository.published();
        let visible = shown.base.commit >= self.base.commit
            && shown.base.root.signed.version >= newest.signed.version
            && newest.signed.verify("timestamp", &shown.timestamp).is_ok();
        Ok(if visible { Step::Done } else { Step::Show })
    }

    /// Towards a root that is not visible yet.
    async fn step_to_root(&self, next: &Object<Root>, new: &New) -> Result<Step, RepositoryError> {
        let (base, newest) = (&self.base, &self.base.root.signed);
        let root = &next.signed.signed;
        let expected = newest.version.saturating_add(1);
        if root.version != expected {
            return Err(RolesError::Gap { role: "root", found: root.version, expected }.into());
        }
        for by in [newest, root] {
            by.verify("root", &next.signed).map_err(unsigned("root", root.version))?;
        }
        if !root.consistent_snapshot {
            let reason = "it does not announce consistent snapshots".into();
            return Err(RolesError::Unfit { role: "root", found: root.version, reason }.into());
        }
        for role in ONLINE {
            let quorum = Quorum::of(root, role);
            enough(&self.online.keyring, role, &quorum).map_err(|e| e.awaiting(root.version))?;
        }
        let chosen = self.choose(new, root).await?;
        let late = chosen.new_targets.iter().chain(&chosen.new_bins).cloned().collect();
        let with_gap = Step::Root { root: next.clone(), late, gap: true };
        match self.can_sign_now() {
            // The old keys are lost, or nobody must use them any more.
            Err(RepositoryError::Unauthorized { .. } | RepositoryError::Awaited { .. }) => {
                return Ok(with_gap);
            }
            other => other?,
        }
        // What the root before does not accept comes after this one.
        let early = newest.verify("targets", &chosen.targets).is_ok();
        if !early {
            return Ok(with_gap);
        }
        let draft = DraftKeys::of(root, next.sha256());
        let begun = base
            .beside
            .as_ref()
            .is_some_and(|beside| beside.root == root.version && beside.drafts.contains(&draft));
        let signed = root.verify("snapshot", &base.snapshot).is_ok();
        if !begun || !signed || base.outdated || chosen.is_new() {
            let beside = Beside::before(base, root, next.sha256());
            let mut change = chosen.change(base, Some(beside));
            if !begun {
                change.roles.push(next.record());
            }
            return Ok(Step::Commit(change));
        }
        let shown = self.repository.published();
        let visible = shown.base.commit >= base.commit
            && shown.is_valid()
            && root.verify("timestamp", &shown.timestamp).is_ok();
        Ok(match visible {
            true => Step::Root { root: next.clone(), late: Vec::new(), gap: false },
            false => Step::Show,
        })
    }

    /// Whether the loaded keys can sign under the newest root, and under what is awaited.
    fn can_sign_now(&self) -> Result<(), RepositoryError> {
        let root = &self.base.root.signed;
        for role in ONLINE {
            enough(&self.online.keyring, role, &Quorum::of(root, role))?;
            for draft in self.base.beside.iter().flat_map(|beside| beside.awaited(root)) {
                enough(&self.online.keyring, role, draft.quorum(role))?;
            }
        }
        Ok(())
    }

    /// targets and bins, as they are in `new` or else in the base; `root` and each other must accept them.
    async fn choose(&self, new: &New, root: &Root) -> Result<Chosen, RepositoryError> {
        let (base, store) = (&self.base, &self.store);
        let place = |new: &Option<Object<Targets>>, current: &Arc<Signed<Targets>>| {
            let (new, current) = (new.clone(), current.clone());
            async move {
                let Some(new) = new else { return Ok::<_, RepositoryError>(None) };
                let (role, found, newest) = (new.name, new.version(), current.signed.version);
                if new.signed.signed == current.signed {
                    return Ok(None);
                }
                if found < newest {
                    return Err(RolesError::Older { role, found, newest }.into());
                }
                let next = next_number(store, role, newest, &new.signed).await?;
                match found {
                    _ if found < next => Err(RolesError::Taken { role, found, next }.into()),
                    _ if found > next => {
                        Err(RolesError::Gap { role, found, expected: next }.into())
                    }
                    _ => Ok(Some(self.begun(new).await?)),
                }
            }
        };
        let new_targets = place(&new.targets, &base.targets).await?;
        let new_bins = place(&new.bins, &base.bins).await?;
        let mut chosen = Chosen {
            targets: new_targets.as_ref().map_or(&base.targets, |new| &new.signed).clone(),
            bins: new_bins.as_ref().map_or(&base.bins, |new| &new.signed).clone(),
            new_targets,
            new_bins,
        };
        if base.outdated && new.targets.is_none() && new.root.is_none() {
            self.find_left(root, &mut chosen.new_targets, &mut chosen.new_bins).await?;
            chosen.targets =
                chosen.new_targets.as_ref().map_or(chosen.targets, |new| new.signed.clone());
            chosen.bins = chosen.new_bins.as_ref().map_or(chosen.bins, |new| new.signed.clone());
        }
        let (targets, bins) = (&chosen.targets, &chosen.bins);
        root.verify("targets", targets).map_err(unsigned("targets", targets.signed.version))?;
        let delegated = match &targets.signed.delegations {
            Some(delegations) => delegations.verify("bins", bins),
            None => Err(MetadataError::NotDelegated("bins".into())),
        };
        delegated.map_err(unsigned("bins", bins.signed.version))?;
        if chosen.new_bins.is_some() {
            let succinct = layout(&bins.signed, &base.succinct)?;
            let quorum = Quorum { keyids: succinct.keyids.clone(), threshold: succinct.threshold };
            enough(&self.online.keyring, "the bins", &quorum)?;
        }
        Ok(chosen)
    }
}

/// How `bins` spreads targets, if that can follow `old`.
fn layout<'a>(bins: &'a Targets, old: &SuccinctRoles) -> Result<&'a SuccinctRoles, RolesError> {
    let found = bins.version;
    let unfit = |reason: &str| RolesError::Unfit { role: "bins", found, reason: reason.into() };
    let Some(Delegations { roles: None, succinct_roles: Some(new), .. }) = &bins.delegations else {
        return Err(unfit("it does not delegate to bins, or not to bins alone"));
    };
    if !(1..=bins::MOST.ilog2()).contains(&new.bit_length) {
        return Err(unfit("it must make 2 to 16384 bins"));
    }
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if new.name_prefix.is_empty()
        || new.name_prefix.len() > 64
        || !new.name_prefix.chars().all(fine)
    {
        return Err(unfit("the prefix of its bins' names must be letters, digits, - and _"));
    }
    if new.name_prefix == old.name_prefix && new.bit_length != old.bit_length {
        return Err(RolesError::SameNames { found, count: new.count(), old: old.count() });
    }
    Ok(new)
}

pub(super) fn unsigned(role: &'static str, found: u64) -> impl Fn(MetadataError) -> RolesError {
    move |error| RolesError::Unsigned { role, found, reason: error.to_string() }
}
