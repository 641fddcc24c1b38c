//! Comparing what a project had with what it gets.

use std::collections::BTreeMap;

use crate::index::{File, Format, ProjectName, ProjectPage};
use crate::tuf::{Digest, TargetPath, Targets};

use super::commit::FileRecord;
use super::edit::{Blocked, Edit, Refused};
use super::{RepositoryError, file_path, page_path};

/// The bins of so many files of one project are read ahead.
const FEW: usize = 32;

impl Blocked {
    /// What `bin`, the one of the project's JSON page, says of `project`.
    pub(super) fn of(bin: &Targets, project: &ProjectName) -> Self {
        let names = bin.blocked.as_ref().and_then(|all| all.get(&blocked_key(project)));
        Self::from_names(names.cloned().unwrap_or_default())
    }

    fn from_names(names: Vec<String>) -> Self {
        match names.as_slice() {
            [] => Self::Nothing,
            [all] if all == "*" => Self::Project,
            _ => Self::Files(names),
        }
    }

    pub(super) fn to_names(&self) -> Vec<String> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Files(names) => names.clone(),
            Self::Project => vec!["*".to_owned()],
        }
    }
}

pub(super) fn blocked_key(project: &ProjectName) -> String {
    format!("simple/{project}")
}

pub(super) fn path_of_page(
    project: &ProjectName,
    format: Format,
) -> Result<TargetPath, RepositoryError> {
    page_path(project, format).map_err(|error| RepositoryError::damaged(project.as_str(), error))
}

pub(super) fn sha256(file: &File) -> Option<Digest> {
    file.sha256()?.parse().ok()
}

pub(super) fn files(page: Option<&ProjectPage>) -> BTreeMap<String, Digest> {
    let files = page.map(|page| page.files.as_slice()).unwrap_or_default();
    files.iter().filter_map(|file| Some((file.filename.clone(), sha256(file)?))).collect()
}

pub(super) fn difference(
    of: &BTreeMap<String, Digest>,
    without: &BTreeMap<String, Digest>,
) -> BTreeMap<String, Digest> {
    let differs = |(name, digest): &(&String, &Digest)| without.get(*name) != Some(digest);
    of.iter().filter(differs).map(|(name, digest)| (name.clone(), *digest)).collect()
}

pub(super) fn records(files: &BTreeMap<String, Digest>) -> Vec<FileRecord> {
    let record = |(filename, sha256): (&String, &Digest)| FileRecord {
        filename: filename.clone(),
        sha256: *sha256,
    };
    files.iter().map(record).collect()
}

pub(super) fn forget(bin: &mut Targets, path: &TargetPath) {
    if let Some(retired) = &mut bin.retired {
        retired.remove(path);
        if retired.is_empty() {
            bin.retired = None;
        }
    }
}

/// The last line of defence: no page is signed that lists a name without a hash, or one that no client can ask for.
pub(super) fn drop_unnameable(
    project: &ProjectName,
    page: &mut ProjectPage,
    refused: &mut Vec<Refused>,
) {
    page.files.retain(|file| {
        let reason = match (file_path(project, &file.filename), sha256(file)) {
            (Ok(_), Some(_)) => return true,
            (Err(_), _) => "bad-name",
            (Ok(_), None) => "no-hash",
        };
        refused.push(Refused {
            project: project.clone(),
            filename: Some(file.filename.clone()),
            reason: reason.into(),
            expected: None,
            found: None,
        });
        false
    });
}

/// The target paths that an edit is likely to change: of a project with many files most stay as they are.
pub(super) fn likely_paths(edit: &dyn Edit) -> Vec<TargetPath> {
    let project = edit.project();
    let pages = [Format::Json, Format::Html].map(|format| path_of_page(project, format).ok());
    let files = Some(edit.filenames()).filter(|files| files.len() <= FEW).into_iter().flatten();
    let files = files.map(|name| file_path(project, &name).ok());
    pages.into_iter().chain(files).flatten().collect()
}
