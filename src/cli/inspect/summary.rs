//! What a repository holds, read role by role and verified on the way.

use std::time::Duration;

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::ProgressBar;
use jiff::Timestamp;
use serde::Serialize;

use super::source::Source;
use crate::config::ValidityConfig;
use crate::repository::expires_soon;
use crate::telemetry;
use crate::tuf::{
    Delegations, Digest, Expiry, KeyId, Role, Root, Signed, Snapshot, SuccinctRoles, Targets,
};

/// Bins read at once.
const READS: usize = 8;

/// A repository in figures.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) root_sha256: Digest,
    /// The commit that is published; only our own repositories have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) commit: Option<u64>,
    pub(super) roles: Vec<RoleSummary>,
    pub(super) bins: BinsSummary,
    pub(super) targets: TargetCounts,
    /// What expires within the time that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expiring: Option<Vec<Expiring>>,
}

/// A role that expires soon.
#[derive(Debug, Serialize)]
pub(super) struct Expiring {
    pub(super) name: String,
    pub(super) expires: Expiry,
    pub(super) expired: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct RoleSummary {
    pub(super) name: String,
    pub(super) version: u64,
    pub(super) expires: Expiry,
    pub(super) expired: bool,
    pub(super) threshold: u64,
    pub(super) keyids: Vec<KeyId>,
}

#[derive(Debug, Serialize)]
pub(super) struct BinsSummary {
    pub(super) count: u64,
    pub(super) first: String,
    pub(super) last: String,
    /// The earliest expiry of all bins.
    pub(super) expires: Expiry,
    pub(super) expired: bool,
    pub(super) highest_version: u64,
    pub(super) threshold: u64,
    pub(super) keyids: Vec<KeyId>,
}

/// How many targets there are, by kind.
#[derive(Debug, Default, Serialize)]
pub(super) struct TargetCounts {
    pub(super) total: u64,
    /// Projects with a JSON page.
    pub(super) projects: u64,
    pub(super) pages: u64,
    pub(super) files: u64,
    /// Names that were withdrawn and keep their hash.
    pub(super) retired: u64,
}

struct Reader<'a> {
    source: &'a Source,
    now: Timestamp,
}

/// Reads everything that the newest timestamp reaches. `bar` shows how many bins are read.
pub(super) async fn read(
    source: &Source,
    now: Timestamp,
    bar: &ProgressBar,
) -> anyhow::Result<Summary> {
    let reader = Reader { source, now };
    let newest = source.newest_root().await?;
    let root_sha256 = Digest::of(&source.metadata(1, "root").await?);
    let root: Signed<Root> = reader.role(newest, "root").await?;
    root.signed.verify("root", &root)?;
    let root = &root.signed;

    let timestamp = Signed::<crate::tuf::Timestamp>::parse(&source.timestamp().await?)?;
    root.verify("timestamp", &timestamp)?;
    let entry =
        timestamp.signed.meta.get("snapshot.json").context("timestamp names no snapshot")?;
    let snapshot: Signed<Snapshot> = reader.role(entry.version, "snapshot").await?;
    root.verify("snapshot", &snapshot)?;
    let targets: Signed<Targets> = reader.listed(&snapshot, "targets").await?;
    root.verify("targets", &targets)?;
    let to_bins = delegations(&targets, "targets")?;
    let bins: Signed<Targets> = reader.listed(&snapshot, "bins").await?;
    to_bins.verify("bins", &bins)?;
    let to_each = delegations(&bins, "bins")?;
    let succinct = to_each.succinct_roles.as_ref().context("bins has no succinct_roles")?;

    let mut roles = vec![
        reader.summary("root", root, top_level(root, "root")),
        reader.summary("timestamp", &timestamp.signed, top_level(root, "timestamp")),
        reader.summary("snapshot", &snapshot.signed, top_level(root, "snapshot")),
        reader.summary("targets", &targets.signed, top_level(root, "targets")),
    ];
    if let Some(role) = to_bins.roles.iter().flatten().find(|role| role.name == "bins") {
        roles.push(reader.summary("bins", &bins.signed, (role.threshold, role.keyids.clone())));
    }
    for other in to_bins.roles.iter().flatten().filter(|role| role.name != "bins") {
        if snapshot.signed.meta.contains_key(&format!("{}.json", other.name)) {
            let role: Signed<Targets> = reader.listed(&snapshot, &other.name).await?;
            to_bins.verify(&other.name, &role)?;
            let keys = (other.threshold, other.keyids.clone());
            roles.push(reader.summary(&other.name, &role.signed, keys));
        }
    }
    let (bins, targets) = reader.bins(&snapshot, to_each, succinct, bar).await?;
    let commit = timestamp.signed.commit;
    Ok(Summary { root_sha256, commit, roles, bins, targets, expiring: None })
}

impl Summary {
    /// The roles that expire within `within`.
    pub(super) fn expiring(
        &self,
        within: Duration,
        validity: &ValidityConfig,
        now: Timestamp,
    ) -> Vec<Expiring> {
        let roles = self.roles.iter().map(|role| (label(&role.name), &*role.name, role.expires));
        let bins = (telemetry::Role::Bin, "each bin", self.bins.expires);
        roles
            .chain([bins])
            .filter(|(role, _, expires)| expires_soon(*role, *expires, within, validity, now))
            .map(|(_, name, expires)| Expiring {
                name: name.to_owned(),
                expires,
                expired: expires.passed(now),
            })
            .collect()
    }
}

fn label(name: &str) -> telemetry::Role {
    match name {
        "root" => telemetry::Role::Root,
        "timestamp" => telemetry::Role::Timestamp,
        "snapshot" => telemetry::Role::Snapshot,
        "targets" => telemetry::Role::Targets,
        "bins" => telemetry::Role::Bins,
        _ => telemetry::Role::Delegated,
    }
}

impl Reader<'_> {
    async fn role<R: Role>(&self, version: u64, name: &str) -> anyhow::Result<Signed<R>> {
        let bytes = self.source.metadata(version, name).await?;
        Signed::parse(&bytes).with_context(|| format!("{version}.{name}.json"))
    }

    async fn listed<R: Role>(
        &self,
        snapshot: &Signed<Snapshot>,
        name: &str,
    ) -> anyhow::Result<Signed<R>> {
        let entry = snapshot.signed.meta.get(&format!("{name}.json"));
        let version = entry.with_context(|| format!("snapshot does not list {name}"))?.version;
        self.role(version, name).await
    }

    async fn bins(
        &self,
        snapshot: &Signed<Snapshot>,
        delegations: &Delegations,
        succinct: &SuccinctRoles,
        bar: &ProgressBar,
    ) -> anyhow::Result<(BinsSummary, TargetCounts)> {
        bar.set_length(succinct.count());
        let reads = succinct.names().map(|name| async move {
            let bin: Signed<Targets> = self.listed(snapshot, &name).await?;
            delegations.verify(&name, &bin)?;
            bar.inc(1);
            anyhow::Ok((bin.signed.version, bin.signed.expires, TargetCounts::of(&bin.signed)))
        });
        let start = (0, None::<Expiry>, TargetCounts::default());
        let (highest_version, earliest, targets) = stream::iter(reads)
            .buffer_unordered(READS)
            .try_fold(start, |(highest, earliest, counts), (version, expires, more)| async move {
                let earliest = earliest.map_or(expires, |e| e.min(expires));
                Ok((highest.max(version), Some(earliest), counts.and(&more)))
            })
            .await?;
        let expires = earliest.context("there are no bins")?;
        let last = u32::try_from(succinct.count() - 1)?;
        let bins = BinsSummary {
            count: succinct.count(),
            first: succinct.name(0),
            last: succinct.name(last),
            expires,
            expired: expires.passed(self.now),
            highest_version,
            threshold: succinct.threshold,
            keyids: succinct.keyids.clone(),
        };
        Ok((bins, targets))
    }

    fn summary<R: Role>(&self, name: &str, role: &R, keys: (u64, Vec<KeyId>)) -> RoleSummary {
        RoleSummary {
            name: name.into(),
            version: role.version(),
            expires: role.expires(),
            expired: role.expires().passed(self.now),
            threshold: keys.0,
            keyids: keys.1,
        }
    }
}

impl TargetCounts {
    fn of(bin: &Targets) -> Self {
        let count =
            |of: &dyn Fn(&str) -> bool| bin.targets.keys().filter(|path| of(path)).count() as u64;
        Self {
            total: bin.targets.len() as u64,
            projects: count(&|path| path.starts_with("simple/") && path.ends_with(".json")),
            pages: count(&|path| path.starts_with("simple/")),
            files: count(&|path| path.starts_with("files/")),
            retired: bin.retired.as_ref().map_or(0, |retired| retired.len() as u64),
        }
    }

    fn and(self, other: &Self) -> Self {
        Self {
            total: self.total + other.total,
            projects: self.projects + other.projects,
            pages: self.pages + other.pages,
            files: self.files + other.files,
            retired: self.retired + other.retired,
        }
    }
}

fn top_level(root: &Root, role: &str) -> (u64, Vec<KeyId>) {
    root.roles.get(role).map_or((0, Vec::new()), |keys| (keys.threshold, keys.keyids.clone()))
}

fn delegations<'a>(role: &'a Signed<Targets>, name: &str) -> anyhow::Result<&'a Delegations> {
    role.signed.delegations.as_ref().with_context(|| format!("{name} delegates nothing"))
}
