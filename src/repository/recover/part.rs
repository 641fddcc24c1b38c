//! What some bins say: a part of the index that both states spread over bins of their own.
//!
//! Bins follow the first bits of a hash. So the fewer bins of the two states divide the other state's: what lies in one of the
//! fewer lies in a run of the more.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::index::Format;
use crate::index::ProjectName;
use crate::store::Store;
use crate::tuf::{Retired, SuccinctRoles, TargetFile, TargetPath, Targets};

use super::super::changes::path_of_page;
use super::super::{Base, RepositoryError, bin};

/// In whose bin a withdrawn name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Home {
    /// The bin of the file's own path.
    File,
    /// The bin of its project's page.
    Page,
}

/// What the bins of a part say.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Part {
    pub(super) targets: BTreeMap<String, TargetFile>,
    pub(super) retired: BTreeMap<(TargetPath, Home), Retired>,
    pub(super) blocked: BTreeMap<String, Vec<String>>,
}

/// How many parts two ways to spread over bins have in common.
pub(super) fn parts(one: &SuccinctRoles, other: &SuccinctRoles) -> u32 {
    u32::try_from(one.count().min(other.count())).unwrap_or(u32::MAX)
}

/// The bins of part `index` of `of`.
pub(super) fn bins_of(bins: &SuccinctRoles, index: u32, of: u32) -> Range<u32> {
    let each = u32::try_from(bins.count() / u64::from(of.max(1))).unwrap_or(1);
    let first = index.saturating_mul(each);
    first..first.saturating_add(each)
}

/// The project that a target path is of.
pub(super) fn project_of(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or(path)
}

impl Part {
    /// Reads the bins `range` of `base`.
    pub(super) async fn read(
        store: &Store,
        base: &Base,
        range: Range<u32>,
    ) -> Result<(Self, BTreeMap<u32, Targets>), RepositoryError> {
        let (mut part, mut bins) = (Self::default(), BTreeMap::new());
        for index in range {
            let (read, _) = bin::read(store, base, index).await?;
            let mut empty = read.signed;
            part.take(&base.succinct, index, &mut empty);
            bins.insert(index, empty);
        }
        Ok((part, bins))
    }

    /// Takes what the bin says out of it.
    pub(super) fn take(&mut self, succinct: &SuccinctRoles, index: u32, bin: &mut Targets) {
        self.targets.append(&mut bin.targets);
        for (path, retired) in bin.retired.take().unwrap_or_default() {
            let own = succinct.index_of(path.as_str()) == index;
            let home = if own { Home::File } else { Home::Page };
            self.retired.insert((path, home), retired);
        }
        self.blocked.append(&mut bin.blocked.take().unwrap_or_default());
    }

    /// Deals it out to `bins`, which are empty; what lies in none of them is no part of it.
    pub(super) fn deal(self, succinct: &SuccinctRoles, bins: &mut BTreeMap<u32, Targets>) {
        let mut give = |path: &str, put: &mut dyn FnMut(&mut Targets)| {
            if let Some(bin) = bins.get_mut(&succinct.index_of(path)) {
                put(bin);
            }
        };
        for (path, target) in self.targets {
            let mut target = Some((path.clone(), target));
            give(&path, &mut |bin| bin.targets.extend(target.take()));
        }
        for ((path, home), retired) in self.retired {
            let at = match home {
                Home::File => path.as_str().to_owned(),
                Home::Page => page_of(project_of(path.as_str())),
            };
            let mut retired = Some((path, retired));
            give(&at, &mut |bin| bin.retired.get_or_insert_default().extend(retired.take()));
        }
        for (key, names) in self.blocked {
            let at = page_of(project_of(&key));
            let mut block = Some((key, names));
            give(&at, &mut |bin| bin.blocked.get_or_insert_default().extend(block.take()));
        }
    }
}

/// The path of a project's JSON page.
pub(super) fn page_of(project: &str) -> String {
    let path = ProjectName::parse(project).ok();
    let path = path.and_then(|project| path_of_page(&project, Format::Json).ok());
    path.map_or_else(|| project.to_owned(), |path| path.as_str().to_owned())
}
