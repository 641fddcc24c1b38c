//! After a root whose predecessor's online keys were not loaded: what it does not accept is signed again, before anything of
//! it is served.

use std::sync::Arc;

use crate::repository::published::Base;
use crate::repository::visible::Goal;
use crate::repository::writer::{RACES, Writer};
use crate::repository::{Document, RepositoryError};
use crate::store::layout;
use crate::tuf::{Root, Signed, Targets};

use super::step::Step;
use super::{LARGEST_TARGETS, New, Object};

impl Writer {
    /// Signs again what the newest root does not accept, and shows it. Where all is well, does nothing.
    pub(in crate::repository) async fn mend(&mut self) -> Result<(), RepositoryError> {
        let nothing = New { root: None, targets: None, bins: None };
        for race in 0..RACES {
            if !self.base.outdated {
                break;
            }
            tracing::warn!(
                root = self.base.root.signed.version,
                "signing again what the newest root does not accept"
            );
            let Step::Commit(change) = self.next_step(&nothing).await? else { break };
            if self.attempt_roles(change, &|_, _| ()).await?.is_none() {
                self.metrics.conflicts.inc();
                tokio::time::sleep(self.pause(race)).await;
                self.unsure = true;
                self.refresh().await?;
            }
        }
        let shown = self.repository.published();
        let accepted = self.base.root.signed.verify("timestamp", &shown.timestamp).is_ok();
        if accepted && !shown.base.outdated {
            return Ok(());
        }
        self.make_visible(Goal::After(shown.timestamp.signed.version)).await
    }

    /// Versions of targets and bins that a publication wrote before it was cut short after its root: later than those of the
    /// base, and accepted by `root`.
    pub(super) async fn find_left(
        &self,
        root: &Root,
        targets: &mut Option<Object<Targets>>,
        bins: &mut Option<Object<Targets>>,
    ) -> Result<(), RepositoryError> {
        let Base { targets: old_targets, bins: old_bins, .. } = &self.base;
        if targets.is_none() && root.verify("targets", old_targets).is_err() {
            let accepted = |left: &Signed<Targets>| root.verify("targets", left).is_ok();
            *targets = self.left("targets", old_targets.signed.version, accepted).await?;
        }
        let trusted = targets.as_ref().map_or(old_targets, |new| &new.signed);
        let Some(trusted) = trusted.signed.delegations.clone() else { return Ok(()) };
        if bins.is_none() && trusted.verify("bins", old_bins).is_err() {
            let accepted = |left: &Signed<Targets>| trusted.verify("bins", left).is_ok();
            *bins = self.left("bins", old_bins.signed.version, accepted).await?;
        }
        Ok(())
    }

    async fn left(
        &self,
        name: &'static str,
        current: u64,
        accepted: impl Fn(&Signed<Targets>) -> bool,
    ) -> Result<Option<Object<Targets>>, RepositoryError> {
        let mut version = current.saturating_add(1);
        while let Some(bytes) = self.store.read(&layout::metadata(version, name)).await? {
            let left = Signed::<Targets>::parse(&bytes).ok();
            let left = left.filter(|left| left.signed.version == version && accepted(left));
            if let Some(left) = left {
                return Object::new(name, &left, LARGEST_TARGETS).map(Some);
            }
            version = version.saturating_add(1);
        }
        Ok(None)
    }

    /// `new` as its object has it, where it was begun: the same content, perhaps with other signatures.
    pub(super) async fn begun(
        &self,
        new: Object<Targets>,
    ) -> Result<Object<Targets>, RepositoryError> {
        let name = layout::metadata(new.version(), new.name);
        let Some(bytes) = self.store.read(&name).await? else { return Ok(new) };
        let Document { bytes, .. } = Document::new(bytes);
        let signed = Signed::parse(&bytes).map_err(RepositoryError::metadata(&name))?;
        Ok(Object { signed: Arc::new(signed), bytes, name: new.name })
    }
}
