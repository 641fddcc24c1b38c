//! All roles but the bins.

use std::sync::Arc;

use bytes::Bytes;

use crate::store::layout;
use crate::tuf::workflow::{first_root, next_root};
use crate::tuf::{
    Digest, Distrust, MetaFile, MetadataError, Role, Root, Signed, Snapshot, SuccinctRoles,
    Targets, Timestamp,
};

use super::super::{Base, Commit, Document};
use super::{REPORT, RESTORE, SERVE, SIGN, Stop, Summary, Walk};

/// Whether a root verifies as it was sent, though not as it would be written here.
fn sent(error: MetadataError, as_sent: Result<Root, Distrust>) -> Result<(), MetadataError> {
    as_sent.map(drop).map_err(|_| error)
}

impl Walk<'_> {
    /// Checks them; what the timestamp shows, where all that leads to the bins is whole.
    pub(super) async fn roles(&self, summary: &mut Summary) -> Result<Option<Base>, Stop> {
        let Some(root) = self.roots(summary).await? else { return Ok(None) };
        let Some((timestamp, number)) = self.newest_timestamp(&root.signed).await? else {
            return Ok(None);
        };
        summary.commit = number;
        let Some((snapshot, document)) = self.snapshot(&root.signed, &timestamp, number).await?
        else {
            return Ok(None);
        };
        let targets = self.offline(&snapshot, "targets", |t| root.signed.verify("targets", t));
        let Some(targets) = targets.await? else { return Ok(None) };
        let trusted = targets.signed.delegations.clone();
        let bins = self.offline(&snapshot, "bins", |bins| {
            let none = || MetadataError::NotDelegated("bins".into());
            trusted.as_ref().ok_or_else(none)?.verify("bins", bins)
        });
        let Some(bins) = bins.await? else { return Ok(None) };
        let Some(succinct) = self.listed_bins(&snapshot, &bins).await? else { return Ok(None) };
        Ok(Some(Base {
            commit: number,
            root: Arc::new(root),
            targets: Arc::new(targets),
            bins: Arc::new(bins),
            succinct: Arc::new(succinct),
            snapshot: Arc::new(snapshot),
            snapshot_document: Arc::new(document),
            beside: None,
            outdated: false,
        }))
    }

    /// Every version of root from 1: signed by itself and by the one before (specification, section 5.3). The newest one.
    async fn roots(&self, summary: &mut Summary) -> Result<Option<Signed<Root>>, Stop> {
        let listed = self.store.list(layout::ROOT).await?;
        let newest = listed.iter().filter_map(|root| layout::root_number(&root.name)).max();
        summary.roots = newest.unwrap_or_default();
        let mut last: Option<Signed<Root>> = None;
        for version in 1..=newest.unwrap_or(1) {
            let name = layout::root(version);
            let before = last.take();
            let Some(bytes) = self.read(&name).await? else { continue };
            let Some(root) = self.parse::<Root>(&name, &bytes, version) else { continue };
            // Of a repository that was taken over, old roots may leave out what we would write.
            let verified = root.signed.verify("root", &root);
            if let Err(error) = verified.or_else(|error| sent(error, first_root(&bytes))) {
                self.damage(&name, error, RESTORE);
                continue;
            }
            if let Some(old) = before
                && let Err(error) = old
                    .signed
                    .verify("root", &root)
                    .or_else(|error| sent(error, next_root(&old.signed, &bytes)))
            {
                self.damage(&name, format!("by the version before it: {error}"), RESTORE);
            }
            last = Some(root);
        }
        if let Some(root) = &last {
            if !root.signed.consistent_snapshot {
                let name = layout::root(root.signed.version);
                self.damage(&name, "it does not announce consistent snapshots", REPORT);
            }
            self.expired(&layout::root(root.signed.version), root.signed.expires, SIGN);
        }
        Ok(last)
    }

    /// The timestamp, and the number of the commit that it shows.
    async fn newest_timestamp(
        &self,
        root: &Root,
    ) -> Result<Option<(Signed<Timestamp>, u64)>, Stop> {
        let name = layout::timestamp(self.timestamp);
        if self.timestamp == 0 {
            self.damage(layout::TIMESTAMPS, "there is no timestamp", RESTORE);
            return Ok(None);
        }
        let Some(bytes) = self.read(&name).await? else { return Ok(None) };
        let Some(timestamp) = self.parse::<Timestamp>(&name, &bytes, self.timestamp) else {
            return Ok(None);
        };
        if let Err(error) = root.verify("timestamp", &timestamp) {
            self.damage(&name, error, RESTORE);
            return Ok(None);
        }
        self.expired(&name, timestamp.signed.expires, SERVE);
        let Some(number) = timestamp.signed.commit else {
            self.damage(&name, "it names no commit", REPORT);
            return Ok(None);
        };
        Ok(Some((timestamp, number)))
    }

    /// The snapshot, as timestamp and commit name it.
    async fn snapshot(
        &self,
        root: &Root,
        timestamp: &Signed<Timestamp>,
        number: u64,
    ) -> Result<Option<(Signed<Snapshot>, Document)>, Stop> {
        let from = layout::timestamp(self.timestamp);
        let Some(entry) = timestamp.signed.meta.get("snapshot.json") else {
            self.damage(&from, "it names no snapshot", REPORT);
            return Ok(None);
        };
        let name = layout::metadata(entry.version, "snapshot");
        let Some(bytes) = self.read(&name).await? else { return Ok(None) };
        let document = Document::new(bytes);
        if !self.is_what_is_named(&name, &document, entry) {
            return Ok(None);
        }
        let Some(snapshot) = self.parse::<Snapshot>(&name, &document.bytes, entry.version) else {
            return Ok(None);
        };
        if let Err(error) = root.verify("snapshot", &snapshot) {
            self.damage(&name, error, RESTORE);
            return Ok(None);
        }
        self.expired(&name, snapshot.signed.expires, SERVE);
        if snapshot.signed.commit != Some(number) {
            let problem = format!("it was not written for commit {number}, which {from} names");
            self.damage(&name, problem, REPORT);
        }
        self.commit_names(number, entry.version, &document).await?;
        Ok(Some((snapshot, document)))
    }

    fn is_what_is_named(&self, name: &str, document: &Document, entry: &MetaFile) -> bool {
        let length = document.bytes.len() as u64;
        let named = entry.hashes.as_ref().and_then(|hashes| hashes.get("sha256"));
        let named = named.and_then(|hash| hash.parse::<Digest>().ok());
        if entry.length.is_some_and(|expected| expected != length) {
            self.damage(name, format!("it has {length} bytes, the timestamp says other"), RESTORE);
            return false;
        }
        if named != Some(document.digest) {
            let problem = format!("its SHA-256 is {}, the timestamp says other", document.digest);
            self.damage(name, problem, RESTORE);
            return false;
        }
        true
    }

    /// The commit that the timestamp names is the one of this snapshot.
    async fn commit_names(
        &self,
        number: u64,
        version: u64,
        document: &Document,
    ) -> Result<(), Stop> {
        let name = layout::commit(number);
        let Some(bytes) = self.read(&name).await? else { return Ok(()) };
        // One that cannot be read is told with the journal.
        let Ok(commit) = serde_json::from_slice::<Commit>(&bytes) else { return Ok(()) };
        if commit.snapshot.version != version || commit.snapshot.sha256 != document.digest {
            let from = layout::timestamp(self.timestamp);
            self.damage(&name, format!("it names another snapshot than {from}"), RESTORE);
        }
        Ok(())
    }

    /// An offline role, in the version that the snapshot names.
    async fn offline(
        &self,
        snapshot: &Signed<Snapshot>,
        role: &str,
        verify: impl FnOnce(&Signed<Targets>) -> Result<(), MetadataError>,
    ) -> Result<Option<Signed<Targets>>, Stop> {
        let Some(entry) = snapshot.signed.meta.get(&format!("{role}.json")) else {
            let name = layout::metadata(snapshot.signed.version, "snapshot");
            self.damage(&name, format!("it does not list {role}"), REPORT);
            return Ok(None);
        };
        let name = layout::metadata(entry.version, role);
        let Some(bytes) = self.read(&name).await? else { return Ok(None) };
        let Some(signed) = self.parse::<Targets>(&name, &bytes, entry.version) else {
            return Ok(None);
        };
        if let Err(error) = verify(&signed) {
            self.damage(&name, error, RESTORE);
            return Ok(None);
        }
        self.expired(&name, signed.signed.expires, SIGN);
        Ok(Some(signed))
    }

    /// The bins, each of which the snapshot must list. What else it lists must be there.
    async fn listed_bins(
        &self,
        snapshot: &Signed<Snapshot>,
        bins: &Signed<Targets>,
    ) -> Result<Option<SuccinctRoles>, Stop> {
        let delegations = bins.signed.delegations.as_ref();
        let Some(succinct) = delegations.and_then(|d| d.succinct_roles.clone()) else {
            let name = layout::metadata(bins.signed.version, "bins");
            self.damage(&name, "it delegates to no bins", REPORT);
            return Ok(None);
        };
        let meta = &snapshot.signed.meta;
        let name = layout::metadata(snapshot.signed.version, "snapshot");
        for bin in succinct.names().filter(|bin| !meta.contains_key(&format!("{bin}.json"))) {
            self.damage(&name, format!("it does not list {bin}"), REPORT);
        }
        for (file, entry) in meta {
            let role = file.strip_suffix(".json").unwrap_or(file);
            if !matches!(role, "targets" | "bins") && !succinct.has(role) {
                self.read(&layout::metadata(entry.version, role)).await?;
            }
        }
        Ok(Some(succinct))
    }

    /// Reads `bytes` as a role of `version`.
    pub(super) fn parse<R: Role>(
        &self,
        name: &str,
        bytes: &Bytes,
        version: u64,
    ) -> Option<Signed<R>> {
        match Signed::<R>::parse(bytes) {
            Ok(role) if role.signed.version() == version => Some(role),
            Ok(role) => {
                self.damage(name, format!("it holds version {}", role.signed.version()), RESTORE);
                None
            }
            Err(error) => {
                self.damage(name, error, RESTORE);
                None
            }
        }
    }
}
