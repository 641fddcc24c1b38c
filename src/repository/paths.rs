//! Target paths: they do not depend on how the upstream lays out its files.

use crate::index::{Format, ProjectName};
use crate::tuf::{PathError, TargetPath};

/// The target path of a project page.
///
/// # Errors
/// Never for a [`ProjectName`], which is one safe segment.
pub fn page_path(project: &ProjectName, format: Format) -> Result<TargetPath, PathError> {
    let kind = match format {
        Format::Json => "json",
        Format::Html => "html",
    };
    TargetPath::new(format!("simple/{project}/vnd.pypi.simple.v1.{kind}"))
}

/// The target path of a distribution file.
///
/// # Errors
/// [`PathError`] where the file's name cannot be part of a target path.
pub fn file_path(project: &ProjectName, filename: &str) -> Result<TargetPath, PathError> {
    TargetPath::new(format!("files/{project}/{filename}"))
}
