//! All bins written anew: their keys change, or their names and number.
//!
//! A bin is named by the first bits of a hash. Where there are 2^k times as many as before, each old bin is split into 2^k
//! new ones, which take nothing from any other; where there are fewer, 2^k old ones make a new one. So no more than one old
//! bin, or one new one, is in memory for each that is written at the same time.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::index::{Format, ProjectName};
use crate::repository::attempt::LARGEST_BIN;
use crate::repository::census::Facts;
use crate::repository::published::Base;
use crate::repository::writer::Writer;
use crate::repository::{RepositoryError, bin, page_path};
use crate::store::Durable;
use crate::tuf::{Expiry, Signed, SuccinctRoles, TargetPath, Targets};

use super::RolesProgress;

/// Groups of bins that are moved at once.
const TOGETHER: usize = 16;
/// What a bin takes beside what is in it, bytes, at the most.
const ENVELOPE: usize = 8_000;

/// A bin that was written.
pub(super) struct Moved {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) facts: Facts,
}

/// How `bins` spreads targets.
pub(in crate::repository) fn succinct(
    bins: &Signed<Targets>,
) -> Result<Arc<SuccinctRoles>, RepositoryError> {
    let succinct = bins.signed.delegations.as_ref().and_then(|to| to.succinct_roles.clone());
    let none = || RepositoryError::damaged("bins", "it has no succinct_roles");
    Ok(Arc::new(succinct.ok_or_else(none)?))
}

/// Whether the bins of `old` are not those that `new` delegates to. A bins of which only expiry or holders changed takes
/// them as they are.
pub(super) fn is_due(old: &Base, new: &Base) -> bool {
    let who = |base: &Base| {
        let mut keyids = base.succinct.keyids.clone();
        keyids.sort_unstable();
        (keyids, base.succinct.threshold)
    };
    !old.succinct.has_the_names_of(&new.succinct) || who(old) != who(new)
}

/// Writes all bins that `on` delegates to, with what is in those of the base.
pub(super) async fn write(
    writer: &Writer,
    on: &Base,
    progress: RolesProgress<'_>,
) -> Result<Vec<Moved>, RepositoryError> {
    let count = on.succinct.count();
    let groups = 1_u32 << writer.base.succinct.bit_length.min(on.succinct.bit_length);
    stream::iter(0..groups)
        .map(|group| write_group(writer, on, group))
        .buffer_unordered(TOGETHER)
        .try_fold(Vec::new(), |mut done, group| {
            done.extend(group);
            progress(done.len() as u64, count);
            async move { Ok(done) }
        })
        .await
}

/// Writes the new bins whose content lies in the old ones of the same `group`: those whose hashes begin with its bits.
async fn write_group(
    writer: &Writer,
    on: &Base,
    group: u32,
) -> Result<Vec<Moved>, RepositoryError> {
    let (old, new) = (&*writer.base.succinct, &*on.succinct);
    let mut bins = BTreeMap::new();
    if old.has_the_names_of(new) {
        let (bin, _) = bin::read(&writer.store, &writer.base, group).await?;
        bins.insert(group, bin.signed);
    } else {
        for index in members(group, old, new) {
            let version = on.version_of(&new.name(index)).unwrap_or_default();
            // The expiry is the one of its signing.
            let empty = Targets::empty(version, Expiry::at(jiff::Timestamp::UNIX_EPOCH));
            bins.insert(index, empty);
        }
        let mut bytes = 0;
        for index in members(group, new, old) {
            let (bin, text) = bin::read(&writer.store, &writer.base, index).await?;
            bytes += text.len().saturating_sub(ENVELOPE);
            if bins.len() == 1 && bytes > LARGEST_BIN {
                return Err(RepositoryError::TooLarge { role: new.name(group), bytes });
            }
            let name = || old.name(index);
            share(bin.signed, (old, index), new, &mut bins)
                .map_err(|what| RepositoryError::damaged(name(), what))?;
        }
    }
    let mut moved = Vec::with_capacity(bins.len());
    while let Some((index, bin)) = bins.pop_first() {
        let written = writer.write_bin(on, index, bin, Durable::AtSync).await?;
        let facts = Facts::of(&written.signed.signed);
        moved.push(Moved { index, name: written.name, facts });
    }
    Ok(moved)
}

/// The bins of `of` whose numbers begin with the bits of `group`, of which there are as many as in the smaller of both.
fn members(group: u32, beside: &SuccinctRoles, of: &SuccinctRoles) -> std::ops::Range<u32> {
    let bits = of.bit_length.saturating_sub(beside.bit_length);
    group << bits..(group + 1) << bits
}

/// Gives what is in the old bin `index` to those of `bins` that it belongs to now.
///
/// What is signed of a path lies where the hash of the path says. A retired name lies in the bin of its own path, or in that of its
/// project's page (see `Draft::retire`); what is blocked in that of the project's page. Each stays where it is looked for.
fn share(
    bin: Targets,
    (old, index): (&SuccinctRoles, u32),
    new: &SuccinctRoles,
    bins: &mut BTreeMap<u32, Targets>,
) -> Result<(), String> {
    let misplaced = |what: &str| format!("{what} does not belong into it");
    for (path, target) in bin.targets {
        let bin = bins.get_mut(&new.index_of(&path)).ok_or_else(|| misplaced(&path))?;
        bin.targets.insert(path, target);
    }
    for (path, retired) in bin.retired.unwrap_or_default() {
        let own = old.index_of(path.as_str()) == index;
        let keeper = if own { Some(path.clone()) } else { page_of_file(&path) };
        let keeper = keeper.filter(|keeper| old.index_of(keeper.as_str()) == index);
        let bin = keeper.and_then(|keeper| bins.get_mut(&new.index_of(keeper.as_str())));
        let names = bin.ok_or_else(|| misplaced(path.as_str()))?.retired.get_or_insert_default();
        // Where both bins become one, and both remember it, its own counts, as it did.
        if own || !names.contains_key(&path) {
            names.insert(path, retired);
        }
    }
    for (project, names) in bin.blocked.unwrap_or_default() {
        let page = page_of_project(&project);
        let page = page.filter(|page| old.index_of(page.as_str()) == index);
        let bin = page.and_then(|page| bins.get_mut(&new.index_of(page.as_str())));
        let bin = bin.ok_or_else(|| misplaced(&project))?;
        bin.blocked.get_or_insert_default().insert(project, names);
    }
    if !bin.extra.is_empty() {
        bins.values_mut().for_each(|to| to.extra.extend(bin.extra.clone()));
    }
    Ok(())
}

/// The JSON page of the project of `files/<project>/<name>`.
fn page_of_file(path: &TargetPath) -> Option<TargetPath> {
    let (project, _) = path.as_str().strip_prefix("files/")?.split_once('/')?;
    page_path(&ProjectName::parse(project).ok()?, Format::Json).ok()
}

/// The JSON page of `simple/<project>`.
fn page_of_project(key: &str) -> Option<TargetPath> {
    page_path(&ProjectName::parse(key.strip_prefix("simple/")?).ok()?, Format::Json).ok()
}
