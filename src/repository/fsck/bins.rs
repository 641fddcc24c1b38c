//! The bins, one by one.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::index::{Format, ProjectName};
use crate::store::layout;
use crate::tuf::{Digest, Expiry, Signed, TargetFile, TargetPath, Targets};

use super::super::{Base, file_path, page_path};
use super::agree::{Sums, of_file};
use super::{READS, REPORT, RESTORE, SERVE, Stop, Summary, Walk, key};

/// What the bins say.
#[derive(Default)]
pub(super) struct Bins {
    /// Those that cannot be read.
    pub(super) unreadable: BTreeSet<u32>,
    /// The file targets of each.
    pub(super) files: Sums,
    /// How many targets are files.
    pub(super) file_count: u64,
    /// How many are pages.
    pub(super) page_count: u64,
    /// How many of these are HTML.
    pub(super) html_count: u64,
    /// The keys of all retired target paths, sorted.
    pub(super) retired: Vec<u64>,
    /// How many expired, the earliest first.
    expired: (u64, Option<(Expiry, String)>),
}

/// What a target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Page(ProjectName, Format),
    File(ProjectName, String),
}

impl Kind {
    /// What `path` is; nothing where it is none of ours.
    pub(super) fn of(path: &str) -> Option<Self> {
        let (folder, rest) = path.split_once('/')?;
        let (name, file) = rest.split_once('/')?;
        let project = ProjectName::parse(name).ok().filter(|project| project.as_str() == name)?;
        match folder {
            "files" => (!file.contains('/')).then(|| Self::File(project, file.to_owned())),
            "simple" => [Format::Json, Format::Html].into_iter().find_map(|format| {
                let is_it = page_path(&project, format).is_ok_and(|page| page.as_str() == path);
                is_it.then(|| Self::Page(project.clone(), format))
            }),
            _ => None,
        }
    }
}

impl Walk<'_> {
    /// Checks every bin.
    pub(super) async fn bins(&self, base: &Base, summary: &mut Summary) -> Result<Bins, Stop> {
        let count = base.succinct.count();
        let bins = Mutex::new(Bins { files: Sums::new(count), ..Bins::default() });
        let mut reads = stream::iter(0..count)
            .map(|index| self.bin(base, index as u32, &bins))
            .buffer_unordered(READS);
        let mut done = 0;
        while reads.try_next().await?.is_some() {
            done += 1;
            self.progress("bins", done, count);
        }
        drop(reads);
        let mut bins = bins.into_inner().unwrap_or_else(PoisonError::into_inner);
        bins.retired.sort_unstable();
        if let (more, Some((expires, first))) = &bins.expired {
            let problem = match more {
                1 => format!("it expired at {expires}"),
                more => format!("it expired at {expires}, the first of {more} expired bins"),
            };
            self.warn(first, problem, SERVE);
        }
        (summary.bins, summary.files) = (count, bins.file_count);
        Ok(bins)
    }

    async fn bin(&self, base: &Base, index: u32, bins: &Mutex<Bins>) -> Result<(), Stop> {
        let read = self.verified_bin(base, index).await?;
        let mut bins = bins.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((object, bin)) = read else {
            bins.unreadable.insert(index);
            return Ok(());
        };
        let misplaced = bin.signed.targets.keys().filter(|p| base.succinct.index_of(p) != index);
        let misplaced: Vec<_> = misplaced.collect();
        if let Some(first) = misplaced.first() {
            let (right, count) = (base.succinct.bin_of(first), misplaced.len());
            let problem = format!(
                "{first:?}, one of {count} targets that are in the wrong bin, belongs into {right}"
            );
            self.damage(&object, problem, RESTORE);
            if count == bin.signed.targets.len() {
                // It is another bin.
                bins.unreadable.insert(index);
                return Ok(());
            }
        }
        for (path, target) in &bin.signed.targets {
            if base.succinct.index_of(path) == index {
                self.target(base, index, &object, (path, target), &mut bins);
            }
        }
        for path in bin.signed.retired.iter().flat_map(|retired| retired.keys()) {
            if !keepers(base, path).contains(&index) {
                self.damage(&object, format!("{path} is retired in the wrong bin"), REPORT);
            }
            if bin.signed.targets.contains_key(path.as_str()) {
                self.damage(&object, format!("{path} is a target, and retired too"), REPORT);
            } else {
                bins.retired.push(key(path.as_str()));
            }
        }
        if bin.signed.expires.passed(self.now) {
            bins.expired.0 += 1;
            let first = bins.expired.1.take();
            let this = (bin.signed.expires, object);
            bins.expired.1 = Some(first.filter(|first| first.0 <= this.0).unwrap_or(this));
        }
        Ok(())
    }

    /// The bin's object name, and the bin where it is there and signed.
    async fn verified_bin(
        &self,
        base: &Base,
        index: u32,
    ) -> Result<Option<(String, Signed<Targets>)>, Stop> {
        let name = base.succinct.name(index);
        // One that the snapshot does not list was told.
        let Some(version) = base.version_of(&name) else { return Ok(None) };
        let object = layout::metadata(version, &name);
        let Some(bytes) = self.read(&object).await? else { return Ok(None) };
        let Some(bin) = self.parse::<Targets>(&object, &bytes, version) else { return Ok(None) };
        let delegations = base.bins.signed.delegations.as_ref();
        if let Some(Err(error)) = delegations.map(|d| d.verify(&name, &bin)) {
            self.damage(&object, error, RESTORE);
            return Ok(None);
        }
        Ok(Some((object, bin)))
    }

    fn target(
        &self,
        base: &Base,
        index: u32,
        object: &str,
        (path, target): (&String, &TargetFile),
        bins: &mut Bins,
    ) {
        if let Err(error) = TargetPath::new(path.as_str()) {
            self.damage(object, error, REPORT);
        }
        let Some(sha256) = target.sha256() else {
            self.damage(object, format!("its target {path:?} has no SHA-256"), REPORT);
            return;
        };
        match Kind::of(path) {
            None => {
                let problem = format!("its target {path:?} is neither a page nor a file");
                self.damage(object, problem, REPORT);
            }
            Some(Kind::File(..)) => {
                bins.file_count += 1;
                bins.files.add(index, of_file(path, &sha256, target.length));
            }
            Some(Kind::Page(_, format)) => {
                bins.page_count += 1;
                bins.html_count += u64::from(format == Format::Html);
                if target.commit().is_none_or(|commit| commit > base.commit) {
                    let problem = format!("its target {path} names no commit up to this one");
                    self.damage(object, problem, REPORT);
                }
            }
        }
    }
}

/// The bins in which a retired path may be remembered: its own, and the one of its project's page.
pub(super) fn keepers(base: &Base, path: &TargetPath) -> Vec<u32> {
    let mut keepers = vec![base.succinct.index_of(path.as_str())];
    if let Some(Kind::File(project, _)) = Kind::of(path.as_str())
        && let Ok(page) = page_path(&project, Format::Json)
    {
        keepers.push(base.succinct.index_of(page.as_str()));
    }
    keepers
}

/// The target path and the hash of a file on a page, where both can be.
pub(super) fn target_of(
    project: &ProjectName,
    file: &crate::index::File,
) -> Option<(TargetPath, Digest)> {
    let path = file_path(project, &file.filename).ok()?;
    Some((path, file.sha256()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_page_or_a_file_of_a_normalized_project() {
        let project = || ProjectName::parse("a-b").unwrap();
        let file = |name: &str| Some(Kind::File(project(), name.into()));
        assert_eq!(Kind::of("files/a-b/a_b-1.0.whl"), file("a_b-1.0.whl"));
        let json = Kind::Page(project(), Format::Json);
        assert_eq!(Kind::of("simple/a-b/vnd.pypi.simple.v1.json"), Some(json));
        for other in [
            "simple/a-b/vnd.pypi.simple.v2.json",
            "simple/a_b/vnd.pypi.simple.v1.json",
            "files/A-b/x.whl",
            "files/a-b/x/y.whl",
            "files/a-b",
            "other/a-b/x.whl",
        ] {
            assert_eq!(Kind::of(other), None, "{other}");
        }
    }
}
