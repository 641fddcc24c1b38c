//! One commit with new versions of targets and bins, or with keys that sign beside.

use std::sync::Arc;

use bytes::Bytes;

use crate::repository::RepositoryError;
use crate::repository::attempt::{LARGEST_SNAPSHOT, Record};
use crate::repository::beside::Beside;
use crate::repository::commit::RoleRecord;
use crate::repository::published::Base;
use crate::repository::writer::Writer;
use crate::store::Durable;
use crate::tuf::{MetaFile, Root, Signed, Targets};

use super::{Object, RolesError, RolesProgress, regrow};

/// What one signature takes in a snapshot, bytes: of the largest kind of key.
const SIGNATURE: usize = 1200;

/// What a commit changes.
pub(super) struct Change {
    pub(super) targets: Option<Object<Targets>>,
    pub(super) bins: Option<Object<Targets>>,
    /// Who signs beside from this commit on; as before where there is none.
    pub(super) beside: Option<Beside>,
    /// Roles that are recorded, beside targets and bins.
    pub(super) roles: Vec<RoleRecord>,
}

impl Change {
    /// Nothing but signatures; of a base that its root does not accept it is recorded which root that is.
    pub(super) fn on(base: &Base) -> Self {
        let roles = match base.outdated {
            true => record_of(&base.root).into_iter().collect(),
            false => Vec::new(),
        };
        Self { targets: None, bins: None, beside: None, roles }
    }
}

fn record_of(root: &Signed<Root>) -> Option<RoleRecord> {
    let bytes = Bytes::from(root.to_bytes().ok()?);
    let (role, version) = ("root".to_owned(), root.signed.version);
    Some(RoleRecord { role, version, sha256: crate::tuf::Digest::of(&bytes) })
}

impl Writer {
    /// Writes what `change` says and commits it on the base; gives how many bins were written anew, or nothing where another
    /// writer made that commit.
    pub(super) async fn attempt_roles(
        &mut self,
        change: Change,
        progress: RolesProgress<'_>,
    ) -> Result<Option<u64>, RepositoryError> {
        self.check_clock()?;
        self.check_folder().await?;
        let number = self.after(self.base.commit);
        let Change { targets, bins, beside, mut roles } = change;
        let mut on = self.base_to_build_on().await?;
        if let Some(beside) = beside {
            on.beside = Some(Arc::new(beside));
        }
        let mut versions = Vec::new();
        for role in targets.iter().chain(&bins) {
            versions.push((role.name.to_owned(), role.version()));
            roles.push(role.record());
        }
        if let Some(targets) = &targets {
            on.targets = targets.signed.clone();
        }
        if let Some(bins) = &bins {
            on.bins = bins.signed.clone();
            on.succinct = regrow::succinct(&bins.signed)?;
        }
        let anew = regrow::is_due(&self.base, &on);
        if anew {
            fits(&on)?;
        }
        for role in targets.iter().chain(&bins) {
            self.write_role(role).await?;
        }
        let moved = match anew {
            true => regrow::write(self, &on, progress).await?,
            false => Vec::new(),
        };
        versions.extend(moved.iter().map(|bin| (bin.name.clone(), bin.facts.version)));
        let base = self.write_snapshot(&on, number, versions, Durable::AtSync).await?;
        self.store.sync().await?;
        if !self.commit(base, Record { roles, ..Record::default() }).await? {
            return Ok(None);
        }
        for bin in &moved {
            self.census_mut().take(bin.index, bin.facts);
        }
        self.show_bins();
        Ok(Some(moved.len() as u64))
    }
}

/// Whether the snapshot can take the names of all bins. Those that there were stay in it: a client that saw a name in one
/// snapshot asks for it in the next.
pub(in crate::repository) fn fits(on: &Base) -> Result<(), RepositoryError> {
    let mut snapshot = on.snapshot.signed.clone();
    let before = snapshot.meta.len();
    for name in on.succinct.names() {
        let next = on.version_of(&name).unwrap_or_default().saturating_add(1);
        snapshot.meta.insert(format!("{name}.json"), MetaFile::version(next));
    }
    let count = (snapshot.meta.len() - before) as u64;
    let signed = Signed { signatures: Vec::new(), signed: snapshot };
    let bytes = signed.to_bytes()?.len() + 2 * SIGNATURE;
    match bytes > LARGEST_SNAPSHOT {
        true => Err(RolesError::Snapshot { count, bytes, most: LARGEST_SNAPSHOT }.into()),
        false => Ok(()),
    }
}
