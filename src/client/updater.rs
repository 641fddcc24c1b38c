//! The client workflow (TUF specification, section 5): fetches, has each step checked, keeps what passed.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp as Time;

use super::ClientError;
use super::remote::{Remote, RemoteError};
use super::state::{Replaced, State, quoted};
use super::view::{Loaded, Roles, View};
use crate::time::Clock;
use crate::tuf::workflow::{self, Delegator, Order};
use crate::tuf::{Digest, Distrust, Flaw, MetaFile, Root, Snapshot, Targets, Timestamp};

/// How much is taken of a repository; python-tuf's limits, which are the field's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// New roots at once.
    pub roots: u64,
    /// A root, bytes.
    pub root: u64,
    /// A timestamp, bytes.
    pub timestamp: u64,
    /// A snapshot of which no length is signed, bytes.
    pub snapshot: u64,
    /// A targets role of which no length is signed, bytes.
    pub targets: u64,
    /// Roles visited in one search.
    pub delegations: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            roots: 256,
            root: 512_000,
            timestamp: 16_384,
            snapshot: 2_000_000,
            targets: 5_000_000,
            delegations: 32,
        }
    }
}

/// How an updater works.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How much is taken.
    pub limits: Limits,
    /// What decides on expiry.
    pub clock: Clock,
}

/// A repository, as one client knows it. Cheap to clone.
#[derive(Clone)]
pub struct Updater {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) state: State,
    pub(super) remote: Arc<dyn Remote>,
    pub(super) settings: Settings,
    /// Delegated roles that were verified.
    pub(super) roles: Roles,
    /// One refresh at a time.
    turn: tokio::sync::Mutex<()>,
}

/// How often a refresh starts over because another process wrote meanwhile.
const RESTARTS: usize = 8;

/// Why a refresh ends early.
enum Stop {
    /// Another process wrote the state.
    Overtaken,
    Failed(ClientError),
}

impl<E: Into<ClientError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Updater {
    /// A client with the trusted metadata in `state`, of the repository `remote`.
    pub fn new(state: State, remote: Arc<dyn Remote>, settings: Settings) -> Self {
        let (roles, turn) = (Roles::default(), tokio::sync::Mutex::default());
        Self { inner: Arc::new(Inner { state, remote, settings, roles, turn }) }
    }

    /// Brings the trusted metadata up to date: root chain, timestamp, snapshot, targets (5.3 to 5.6.6). Each step is kept
    /// once it passed; the next call goes on from there.
    ///
    /// # Errors
    /// [`ClientError::Distrust`] where a check failed; otherwise where something could not be had or kept.
    pub async fn refresh(&self) -> Result<View, ClientError> {
        let _turn = self.inner.turn.lock().await;
        for _ in 0..RESTARTS {
            match self.try_refresh().await {
                Ok(view) => return Ok(view),
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Overtaken) => {}
            }
        }
        let path = self.inner.state.dir().to_owned();
        Err(ClientError::Contended { path })
    }

    /// What is stored, if it is whole and has not expired; nothing is fetched but delegated roles as they are needed.
    ///
    /// # Errors
    /// [`ClientError::Incomplete`] where it is not whole; [`ClientError::Distrust`] where it expired.
    pub async fn stored(&self) -> Result<View, ClientError> {
        let now = self.inner.settings.clock.now();
        let path = self.inner.state.dir();
        let missing = |role| move || ClientError::Incomplete { path: path.to_owned(), role };
        let root = self.root().await?.1;
        workflow::not_expired("root", root.expires, now)?;
        let bytes = self.inner.state.read("timestamp").await?.ok_or_else(missing("timestamp"))?;
        let timestamp = workflow::timestamp(&root, &bytes)?;
        workflow::not_expired("timestamp", timestamp.expires, now)?;
        let entry = workflow::announced_snapshot(&timestamp)?;
        let bytes = self.inner.state.read("snapshot").await?.ok_or_else(missing("snapshot"))?;
        let snapshot = workflow::snapshot(&root, entry, &bytes, now)?;
        let entry = workflow::listed(&snapshot, "targets")?;
        let bytes = self.inner.state.read("targets").await?.ok_or_else(missing("targets"))?;
        let targets = workflow::targets(Delegator::Root(&root), "targets", entry, &bytes, now)?;
        let targets = Loaded::new(targets, &bytes);
        Ok(View::new(self.inner.clone(), root, timestamp, snapshot, targets))
    }

    async fn try_refresh(&self) -> Result<View, Stop> {
        // 5.1: one time for all checks.
        let now = self.inner.settings.clock.now();
        let root = self.latest_root().await?;
        workflow::not_expired("root", root.expires, now)?;
        let timestamp = self.timestamp(&root, now).await?;
        let snapshot = self.snapshot(&root, &timestamp, now).await?;
        let targets = self.targets(&root, &snapshot, now).await?;
        Ok(View::new(self.inner.clone(), root, timestamp, snapshot, targets))
    }

    /// The stored root (5.2).
    async fn root(&self) -> Result<(Bytes, Root), ClientError> {
        let bytes = self.inner.state.read("root").await?.ok_or_else(|| ClientError::NoRoot {
            path: self.inner.state.dir().to_owned(),
            why: "begin with a root that you trust",
        })?;
        let path = || self.inner.state.dir().to_owned();
        let root = workflow::first_root(&bytes)
            .map_err(|flaw| ClientError::Damaged { path: path(), flaw })?;
        Ok((bytes, root))
    }

    /// 5.3: one version after the other, until there is no next one.
    async fn latest_root(&self) -> Result<Root, Stop> {
        let (mut bytes, mut root) = self.root().await?;
        for _ in 0..self.inner.settings.limits.roots {
            let name = format!("{}.root.json", root.version.saturating_add(1));
            let fetched = self.inner.fetch("root", &name, self.inner.settings.limits.root).await;
            let new = match fetched {
                Err(ClientError::Unavailable(error)) if error.is_missing_root() => return Ok(root),
                fetched => fetched?,
            };
            root = workflow::next_root(&root, &new)?;
            self.replace("root", Some(bytes), new.clone()).await?;
            tracing::debug!(version = root.version, "a new root is trusted");
            bytes = new;
        }
        let limit = self.inner.settings.limits.roots;
        Err(Flaw::TooManyRoots { limit }.of("root").into())
    }

    /// 5.4
    async fn timestamp(&self, root: &Root, now: Time) -> Result<Timestamp, Stop> {
        let stored = self.inner.state.read("timestamp").await?;
        // One that the keys of a new root do not vouch for is forgotten: so a repository recovers from a fast-forward
        // attack (5.3.11).
        let trusted = stored
            .as_ref()
            .and_then(|bytes| self.still("timestamp", workflow::timestamp(root, bytes)));
        let limit = self.inner.settings.limits.timestamp;
        let bytes = self.inner.fetch("timestamp", "timestamp.json", limit).await?;
        let new = workflow::timestamp(root, &bytes)?;
        if let Some(trusted) = trusted
            && workflow::timestamp_after(&trusted, &new)? == Order::Same
        {
            workflow::not_expired("timestamp", trusted.expires, now)?;
            return Ok(trusted);
        }
        workflow::not_expired("timestamp", new.expires, now)?;
        self.replace("timestamp", stored, bytes).await?;
        Ok(new)
    }

    /// 5.5
    async fn snapshot(
        &self,
        root: &Root,
        timestamp: &Timestamp,
        now: Time,
    ) -> Result<Snapshot, Stop> {
        let entry = workflow::announced_snapshot(timestamp)?;
        let stored = self.inner.state.read("snapshot").await?;
        if let Some(bytes) = &stored
            && let Ok(snapshot) = workflow::snapshot(root, entry, bytes, now)
        {
            return Ok(snapshot);
        }
        let trusted = stored
            .as_ref()
            .and_then(|bytes| self.still("snapshot", workflow::stored_snapshot(root, bytes)));
        let limit = entry.length.unwrap_or(self.inner.settings.limits.snapshot);
        let name = versioned(root.consistent_snapshot, "snapshot", entry);
        let bytes = self.inner.fetch("snapshot", &name, limit).await?;
        let new = workflow::snapshot(root, entry, &bytes, now)?;
        if let Some(trusted) = trusted {
            workflow::snapshot_after(&trusted, &new)?;
        }
        self.replace("snapshot", stored, bytes).await?;
        Ok(new)
    }

    /// 5.6.1 to 5.6.6
    async fn targets(&self, root: &Root, snapshot: &Snapshot, now: Time) -> Result<Loaded, Stop> {
        let entry = workflow::listed(snapshot, "targets")?;
        let check = |bytes: &Bytes| {
            let targets = workflow::targets(Delegator::Root(root), "targets", entry, bytes, now)?;
            Ok::<_, Distrust>(Loaded::new(targets, bytes))
        };
        let stored = self.inner.state.read("targets").await?;
        if let Some(bytes) = &stored
            && let Ok(targets) = check(bytes)
        {
            return Ok(targets);
        }
        let limit = entry.length.unwrap_or(self.inner.settings.limits.targets);
        let name = versioned(root.consistent_snapshot, "targets", entry);
        let bytes = self.inner.fetch("targets", &name, limit).await?;
        let targets = check(&bytes)?;
        self.replace("targets", stored, bytes).await?;
        Ok(targets)
    }

    async fn replace(&self, role: &str, old: Option<Bytes>, new: Bytes) -> Result<(), Stop> {
        match self.inner.state.replace(role, old, new).await? {
            Replaced::Done => Ok(()),
            Replaced::Overtaken => Err(Stop::Overtaken),
        }
    }

    /// What is stored of a role, if it still counts.
    fn still<R>(&self, role: &str, stored: Result<R, Distrust>) -> Option<R> {
        if let Err(error) = &stored {
            let path = self.inner.state.dir().display();
            tracing::warn!(%error, role, %path, "what was trusted before does not count any more: its keys were changed, or the file is damaged");
        }
        stored.ok()
    }
}

impl Inner {
    /// A metadata file, whole. One that is too long is no failure of the network but of a check.
    pub(super) async fn fetch(
        &self,
        role: &str,
        name: &str,
        limit: u64,
    ) -> Result<Bytes, ClientError> {
        let fetched = self.remote.metadata(name, limit).await;
        fetched.map_err(|error| match error {
            RemoteError::TooLong { limit, .. } => Flaw::TooLong { limit }.of(role).into(),
            error => ClientError::Unavailable(error),
        })
    }

    /// A delegated role: from memory, from disk, or fetched.
    pub(super) async fn delegated(
        &self,
        root: &Root,
        snapshot: &Snapshot,
        delegator: &Loaded,
        name: &str,
    ) -> Result<Loaded, ClientError> {
        let entry = workflow::listed(snapshot, name)?;
        let now = self.settings.clock.now();
        let load = self.load(root, delegator, name, entry, now);
        let role = self.roles.get(delegator, name, entry, load).await?;
        // It may have come from memory.
        workflow::not_expired(name, role.targets.expires, now)?;
        Ok(role)
    }

    async fn load(
        &self,
        root: &Root,
        delegator: &Loaded,
        name: &str,
        entry: &MetaFile,
        now: Time,
    ) -> Result<Loaded, ClientError> {
        let delegations = delegator.targets.delegations.as_ref();
        let delegations = delegations.ok_or_else(|| Flaw::NotDelegated.of(name))?;
        let check = |bytes: &Bytes| {
            let role = workflow::targets(Delegator::Role(delegations), name, entry, bytes, now)?;
            Ok::<_, Distrust>(Loaded::new(role, bytes))
        };
        if let Some(bytes) = self.state.read(name).await?
            && let Ok(role) = check(&bytes)
        {
            return Ok(role);
        }
        let limit = entry.length.unwrap_or(self.settings.limits.targets);
        let bytes =
            self.fetch(name, &versioned(root.consistent_snapshot, name, entry), limit).await?;
        let role = check(&bytes)?;
        if let Err(error) = self.state.keep(name, bytes).await {
            tracing::warn!(%error, "this role will have to be fetched again");
        }
        Ok(role)
    }
}

/// The name of a metadata file in the repository.
pub(super) fn versioned(consistent_snapshot: bool, role: &str, entry: &MetaFile) -> String {
    match consistent_snapshot {
        true => format!("{}.{}.json", entry.version, quoted(role)),
        false => format!("{}.json", quoted(role)),
    }
}

impl Loaded {
    pub(super) fn new(targets: Targets, bytes: &[u8]) -> Self {
        let weight = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { targets: Arc::new(targets), digest: Digest::of(bytes), weight }
    }
}
