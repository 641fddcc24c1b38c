//! What a mirror's page leaves open about its files.

use std::collections::BTreeMap;

use url::Url;

use crate::index::{CoreMetadata, File, ProjectName};
use crate::policy::{Held, PageUpdate, QUARANTINED, misnamed, tells_the_same};
use crate::telemetry::Refusal;
use crate::tuf::Digest;

use super::errand::{Answer, Question};
use super::wish::Wish;

/// A question about one file of a page.
pub(super) struct Open {
    /// The file's place on the page.
    at: usize,
    pub(super) question: Question,
    /// What was found out earlier does not count.
    pub(super) doubted: bool,
}

/// What the page leaves open, as far as it will be signed at all; `old` is what is published.
pub(super) fn open(
    project: &ProjectName,
    update: &PageUpdate,
    old: &BTreeMap<&str, &File>,
    wish: &Wish,
) -> Vec<Open> {
    let mut open = Vec::new();
    if update.page.status.marker.as_deref() == Some(QUARANTINED) {
        return open;
    }
    for (at, file) in update.page.files.iter().enumerate() {
        let name = file.filename.as_str();
        if update.held.contains_key(name) || misnamed(project, name).is_some() {
            continue;
        }
        let Some(source) = update.sources.get(name) else { continue };
        let old = old.get(name).copied().filter(|old| is_the_same(file, old));
        let wanted = wish.allowances.iter().find(|a| a.filename == name).map(|a| a.sha256);
        let doubted = wanted.is_some();
        let bytes = about_bytes(file, old, &source.url, wanted);
        let metadata = about_metadata(file, old, &source.url);
        let questions = bytes.into_iter().chain(metadata);
        open.extend(questions.map(|question| Open { at, question, doubted }));
    }
    open
}

/// Whether nothing speaks against `file` being the published one.
fn is_the_same(file: &File, published: &File) -> bool {
    match file.sha256() {
        Some(sha256) => published.sha256() == Some(sha256),
        None => tells_the_same(file, published),
    }
}

/// The hash or the length of a file; `old` is what is known of the same bytes, `wanted` the hash that an operator names.
fn about_bytes(
    file: &File,
    old: Option<&File>,
    url: &Url,
    wanted: Option<Digest>,
) -> Option<Question> {
    let listed = file.sha256().and_then(|sha256| sha256.parse().ok());
    let known = listed.or_else(|| old?.sha256()?.parse().ok());
    match known {
        Some(sha256) if wanted.is_none_or(|wanted| listed == Some(wanted)) => {
            let sized = file.size.is_some() || old.is_some_and(|old| old.size.is_some());
            (!sized).then(|| Question::Length(url.clone(), sha256))
        }
        _ => Some(Question::Digest(url.clone(), file.hashes.clone(), file.size)),
    }
}

fn about_metadata(file: &File, old: Option<&File>, url: &Url) -> Option<Question> {
    let pinned = old.is_some_and(|old| matches!(old.core_metadata, CoreMetadata::Hashes(_)));
    let wanted = file.core_metadata == CoreMetadata::Unhashed && !pinned;
    wanted.then(|| Question::Metadata(url.clone(), file.hashes.clone()))
}

impl Open {
    /// Fills in what was found out.
    pub(super) fn take(&self, update: &mut PageUpdate, answer: Answer) {
        let Some(file) = update.page.files.get_mut(self.at) else { return };
        match answer {
            Answer::Length(length) => file.size = Some(length),
            Answer::Metadata(sha256) => {
                let hashes = [("sha256".to_owned(), sha256.to_string())].into();
                file.core_metadata = CoreMetadata::Hashes(hashes);
            }
            Answer::Digest(sha256, length) => {
                let found = sha256.to_string();
                if file.sha256().is_some_and(|listed| listed != found) {
                    // The page is wrong about all of them.
                    file.hashes.clear();
                }
                file.hashes.insert("sha256".to_owned(), found);
                file.size = Some(length);
            }
            Answer::Failed(why) => {
                if let Question::Digest(..) = self.question {
                    let why = format!("it cannot be fetched to be hashed: {why}");
                    let held = Held { reason: Refusal::NoHash, why };
                    update.held.insert(file.filename.clone(), held);
                }
            }
        }
    }

    /// The file, where it had to be fetched to be hashed.
    pub(super) fn hashed(self, update: &PageUpdate) -> Option<(File, Question)> {
        let is_digest = matches!(self.question, Question::Digest(..));
        let file = update.page.files.get(self.at).filter(|_| is_digest)?;
        Some((file.clone(), self.question))
    }
}
