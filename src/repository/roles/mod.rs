//! New versions of root, targets and bins, which people signed elsewhere. `docs/publishing.md` has the rules.
//!
//! ```text
//! step    what comes next, looked up anew each time: so that whoever begins again goes on
//! attempt one commit: the objects of targets and bins, all bins anew where their names or keys change, the snapshot
//! regrow  what moves from which bin into which, where their number changes
//! mend    what the newest root does not accept is signed again before it is served
//! ```
//!
//! Whether what was signed may be published, and what to tell people, is told with sentences by `ceremony::check`. Here is checked
//! again what must hold: signatures, versions, and that the loaded keys can go on with it.

mod attempt;
mod error;
mod mend;
mod regrow;
mod step;

use std::sync::Arc;

use bytes::Bytes;

use crate::store::{Created, Durable, Store, layout};
use crate::tuf::{Digest, Role, Root, Signed, Targets};

use super::commit::RoleRecord;
use super::load::{self, Trust};
use super::publisher::PublisherConfig;
use super::signing::within;
use super::visible::Goal;
use super::writer::{RACES, Writer};
use super::{Document, RepositoryError};

#[cfg(test)]
pub(super) use attempt::fits;
pub use error::RolesError;
#[cfg(test)]
pub(super) use regrow::succinct;
use step::Step;

/// The most bytes of a root that clients take (python-tuf's limits).
const LARGEST_ROOT: usize = 512_000;
/// The most bytes of targets and bins.
const LARGEST_TARGETS: usize = 5_000_000;
/// From the first to the last step of one publication, where nobody comes between.
const STEPS: usize = 8;

/// Signed versions that are to be published together.
#[derive(Debug, Clone, Default)]
pub struct NewRoles {
    /// The next root.
    pub root: Option<Signed<Root>>,
    /// The next targets.
    pub targets: Option<Signed<Targets>>,
    /// The next bins.
    pub bins: Option<Signed<Targets>>,
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RolesReceipt {
    /// Versions that this publication made visible, or completed.
    pub published: Vec<RoleRecord>,
    /// Versions that were visible before it began.
    pub already: Vec<RoleRecord>,
    /// The newest commit.
    pub commit: u64,
    /// The newest timestamp.
    pub timestamp: u64,
    /// How many bins were written anew.
    pub bins: u64,
    /// Whether the online keys of the old root were not loaded: clients that were in the middle of a refresh may have failed
    /// once.
    pub gap: bool,
}

/// Told how many bins are written anew, and of how many.
pub type RolesProgress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// The newest versions.
#[derive(Debug, Clone)]
pub struct Current {
    /// root.
    pub root: Arc<Signed<Root>>,
    /// targets.
    pub targets: Arc<Signed<Targets>>,
    /// bins.
    pub bins: Arc<Signed<Targets>>,
}

/// The newest versions in `store`, by the newest commit, shown or not; also where the newest root does not accept the others
/// any more.
///
/// # Errors
/// [`RepositoryError`]: there is nothing, or it is damaged.
pub async fn current_roles(store: &Store) -> Result<Current, RepositoryError> {
    let newest = load::newest_timestamp(store).await?.ok_or(RepositoryError::Missing)?;
    let shown = load::shown_by(store, newest, None, Trust::Chain).await?.base;
    let newest = load::commits_from(store, shown.commit).await?.pop().unwrap_or(shown.commit);
    let base = load::base_by(store, newest, Some(&shown), Trust::Chain).await?;
    Ok(Current { root: base.root, targets: base.targets, bins: base.bins })
}

/// The number that the next version of `role` must have, where `current` is published and `new` is to be: the next one that
/// is free, or begun with the same content.
///
/// # Errors
/// [`RepositoryError`] where the store fails.
pub async fn next_number(
    store: &Store,
    role: &str,
    current: u64,
    new: &Signed<Targets>,
) -> Result<u64, RepositoryError> {
    let mut next = current.saturating_add(1);
    while let Some(there) = store.read(&layout::metadata(next, role)).await? {
        let same = Signed::<Targets>::parse(&there).is_ok_and(|there| there.signed == new.signed);
        if same && new.signed.version == next {
            break;
        }
        next = next.saturating_add(1);
    }
    Ok(next)
}

/// Opens `store` for this alone, and publishes `new`. Beside running replicas, where the store is shared.
///
/// # Errors
/// [`RepositoryError`]; what was published before is as it was, or what was begun is completed by the same call.
pub async fn publish_roles(
    store: Store,
    config: PublisherConfig,
    new: NewRoles,
    progress: RolesProgress<'_>,
) -> Result<RolesReceipt, RepositoryError> {
    let mut writer = Writer::start(store, config).await?;
    writer.publish_roles(&new, progress).await
}

/// A signed role as it lies in the store.
#[derive(Debug, Clone)]
pub(super) struct Object<R> {
    pub(super) signed: Arc<Signed<R>>,
    bytes: Bytes,
    name: &'static str,
}

impl<R: Role> Object<R> {
    /// The compact form of what was signed: white space is not.
    fn new(name: &'static str, signed: &Signed<R>, most: usize) -> Result<Self, RepositoryError> {
        let bytes = within(name, signed.to_bytes()?, most)?;
        let signed = Signed::parse(&bytes).map_err(RepositoryError::metadata(name))?;
        Ok(Self { signed: Arc::new(signed), bytes, name })
    }

    fn version(&self) -> u64 {
        self.signed.signed.version()
    }

    fn sha256(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    pub(super) fn record(&self) -> RoleRecord {
        let (role, version) = (self.name.to_owned(), self.version());
        RoleRecord { role, version, sha256: self.sha256() }
    }
}

/// What is to be published, ready to be written.
struct New {
    root: Option<Object<Root>>,
    targets: Option<Object<Targets>>,
    bins: Option<Object<Targets>>,
}

impl New {
    fn of(new: &NewRoles) -> Result<Self, RepositoryError> {
        let root = new.root.as_ref().map(|root| Object::new("root", root, LARGEST_ROOT));
        let of = |name, role: &Option<Signed<Targets>>| {
            role.as_ref().map(|role| Object::new(name, role, LARGEST_TARGETS)).transpose()
        };
        let (targets, bins) = (of("targets", &new.targets)?, of("bins", &new.bins)?);
        Ok(Self { root: root.transpose()?, targets, bins })
    }

    fn records(&self) -> Vec<RoleRecord> {
        let root = self.root.iter().map(Object::record);
        root.chain(self.targets.iter().chain(&self.bins).map(Object::record)).collect()
    }
}

impl Writer {
    /// Publishes `new`, and returns once all of it is visible. What was begun before goes on.
    pub(super) async fn publish_roles(
        &mut self,
        new: &NewRoles,
        progress: RolesProgress<'_>,
    ) -> Result<RolesReceipt, RepositoryError> {
        let published = self.try_to_publish_roles(new, progress).await;
        if let Err(error) = &published {
            self.unsure = true;
            if !error.is_wait() {
                self.metrics.publication_failures.inc();
            }
        }
        published
    }

    async fn try_to_publish_roles(
        &mut self,
        new: &NewRoles,
        progress: RolesProgress<'_>,
    ) -> Result<RolesReceipt, RepositoryError> {
        let new = New::of(new)?;
        let mut receipt = RolesReceipt::default();
        let (mut first, mut races) = (true, 0);
        for _ in 0..RACES + STEPS {
            self.catch_up().await?;
            self.refresh().await?;
            if std::mem::take(&mut first) {
                receipt.already =
                    new.records().into_iter().filter(|role| self.shows(role)).collect();
            }
            let step = match self.next_step(&new).await {
                // The base may have been collected, as that of an edit.
                Err(RepositoryError::Damaged { .. }) if self.is_superseded().await? => continue,
                step => step?,
            };
            match step {
                Step::Commit(change) => match self.attempt_roles(change, progress).await? {
                    Some(bins) => {
                        receipt.bins += bins;
                        self.make_visible(Goal::Commit(self.base.commit)).await?;
                    }
                    None => {
                        self.metrics.conflicts.inc();
                        tokio::time::sleep(self.pause(races)).await;
                        races += 1;
                    }
                },
                Step::Show => {
                    let shown = self.repository.published().timestamp.signed.version;
                    self.make_visible(Goal::After(shown)).await?;
                }
                Step::Root { root, late, gap } => {
                    receipt.gap |= gap;
                    for role in &late {
                        self.write_role(role).await?;
                    }
                    self.write_root(&root).await?;
                    // Also a folder's base has another root now.
                    self.unsure = true;
                }
                Step::Done => {
                    let shown = self.repository.published();
                    receipt.commit = shown.base.commit;
                    receipt.timestamp = shown.timestamp.signed.version;
                    receipt.published = new.records();
                    receipt.published.retain(|role| !receipt.already.contains(role));
                    return Ok(receipt);
                }
            }
        }
        Err(RepositoryError::Contended(RACES))
    }

    /// Whether this version is visible already.
    fn shows(&self, role: &RoleRecord) -> bool {
        let shown = self.repository.published();
        shown
            .roles()
            .iter()
            .any(|(name, version, _)| *name == role.role && *version == role.version)
    }

    /// Creates the object of targets or bins. Where there is one already, it must be the same.
    pub(super) async fn write_role(&self, role: &Object<Targets>) -> Result<(), RepositoryError> {
        let name = layout::metadata(role.version(), role.name);
        self.create_same(&name, &role.bytes, Durable::AtSync).await?.then_some(()).ok_or_else(
            || {
                let (role, found) = (role.name, role.version());
                RolesError::Taken { role, found, next: found.saturating_add(1) }.into()
            },
        )
    }

    /// Creates the object that makes a root visible: of two drafts with one number the first stays.
    async fn write_root(&self, root: &Object<Root>) -> Result<(), RepositoryError> {
        self.store.sync().await?;
        let found = root.version();
        let name = layout::root(found);
        let created = self.create_same(&name, &root.bytes, Durable::Now).await?;
        created.then_some(()).ok_or(RolesError::RootTaken(found).into())
    }

    /// Whether `name` holds `bytes` now.
    async fn create_same(
        &self,
        name: &str,
        bytes: &Bytes,
        durable: Durable,
    ) -> Result<bool, RepositoryError> {
        if self.store.create(name, bytes.clone(), durable).await? == Created::New {
            return Ok(true);
        }
        Ok(Document::new(load::object(&self.store, name).await?).bytes == *bytes)
    }
}
