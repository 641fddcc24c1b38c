//! A length that a verified download proved.

use crate::index::ProjectName;
use crate::repository::{Decision, Edit, PageChange, ProjectBase};
use crate::tuf::Digest;

use super::file::sha256;

/// Corrects the length of a listed file: its bytes were fetched whole and have the signed hash.
#[derive(Debug, Clone)]
pub struct Measure {
    /// The project.
    pub project: ProjectName,
    /// The file's name.
    pub filename: String,
    /// The hash of the bytes that were measured.
    pub sha256: Digest,
    /// Their number.
    pub length: u64,
}

impl Edit for Measure {
    fn project(&self) -> &ProjectName {
        &self.project
    }

    fn filenames(&self) -> Vec<String> {
        Vec::new()
    }

    fn decide(&self, base: &ProjectBase) -> Decision {
        let Some(page) = base.page.as_deref() else { return Decision::default() };
        let mut page = page.clone();
        let wrong = page.files.iter_mut().find(|file| {
            file.filename == self.filename
                && sha256(file) == Some(self.sha256)
                && file.size != Some(self.length)
        });
        let Some(file) = wrong else { return Decision::default() };
        file.size = Some(self.length);
        Decision { page: PageChange::Replace(Box::new(page)), ..Decision::default() }
    }
}
