//! The normal form of a page: what its rendering carries, and no more.

use std::collections::BTreeMap;

use serde_json::Value;

use super::hashes::{self, Hashes};
use super::{CoreMetadata, File, ProjectPage, Status, Yanked, filename};

/// The keys of a page that the model knows.
pub(super) const PAGE_KEYS: [&str; 6] =
    ["alternate-locations", "files", "meta", "name", "project-status", "versions"];
/// The keys of `meta` that the model knows.
pub(super) const META_KEYS: [&str; 2] = ["api-version", "tracks"];
/// The keys of a file that the model knows.
pub(super) const FILE_KEYS: [&str; 12] = [
    "core-metadata",
    "data-dist-info-metadata",
    "dist-info-metadata",
    "filename",
    "gpg-sig",
    "hashes",
    "provenance",
    "requires-python",
    "size",
    "upload-time",
    "url",
    "yanked",
];

impl ProjectPage {
    /// The page as it is published: files sorted and each once, no control characters in texts,
    /// and core metadata only where its SHA-256 is known (a page never promises what cannot be
    /// verified). This is what [`parse_signed`](super::parse_signed) gives back for the rendered page,
    /// so compare with it to see whether something changed.
    #[must_use]
    pub fn normalized(self) -> Self {
        let mut page = self.tidied();
        for file in &mut page.files {
            if file.core_metadata == CoreMetadata::Unhashed {
                file.core_metadata = CoreMetadata::None;
            }
        }
        page
    }

    /// As [`normalized`](Self::normalized), but what has core metadata of an unknown hash says so still.
    pub(super) fn tidied(mut self) -> Self {
        self.files = self.files.into_iter().filter_map(File::tidied).collect();
        self.files.sort_by(|a, b| a.filename.cmp(&b.filename));
        self.files.dedup_by(|a, b| a.filename == b.filename);
        self.versions = set(self.versions);
        self.tracks = set(self.tracks);
        self.alternate_locations = set(self.alternate_locations);
        self.status = self.status.tidied();
        self.extra = unknown(self.extra, &PAGE_KEYS);
        self.meta_extra = unknown(self.meta_extra, &META_KEYS);
        self
    }
}

impl File {
    /// The file in its normal form; `None` where its name is none.
    fn tidied(mut self) -> Option<Self> {
        if filename::defect(&self.filename).is_some() {
            return None;
        }
        self.hashes = digests(self.hashes);
        self.requires_python = self.requires_python.and_then(text);
        self.upload_time = self.upload_time.filter(|time| is_time(time));
        self.yanked = match self.yanked {
            Yanked::Because(reason) => text(reason).map_or(Yanked::Yes, Yanked::Because),
            other => other,
        };
        self.core_metadata = match self.core_metadata {
            CoreMetadata::Hashes(hashes) => core_metadata(digests(hashes)),
            other => other,
        };
        self.extra = unknown(self.extra, &FILE_KEYS);
        Some(self)
    }
}

impl Status {
    fn tidied(self) -> Self {
        let marker = self.marker.and_then(text);
        let reason = self.reason.and_then(text).filter(|_| marker.is_some());
        Self { marker, reason }
    }
}

/// Core metadata counts as hashed where its SHA-256 is known.
pub(super) fn core_metadata(hashes: Hashes) -> CoreMetadata {
    if hashes.contains_key("sha256") {
        CoreMetadata::Hashes(hashes)
    } else {
        CoreMetadata::Unhashed
    }
}

/// A text on one line: control characters, and byte order marks, which HTML readers drop, are spaces;
/// `None` where nothing is left.
pub(super) fn text(text: String) -> Option<String> {
    let text = text.replace(|c: char| c.is_control() || c == '\u{FEFF}', " ");
    let trimmed = text.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// Keys that the model does not know. Those that begin with `_` are the upstream's own (PEP 691) and are
/// dropped: serials and the like must not get into what is signed.
pub(super) fn unknown(keys: BTreeMap<String, Value>, known: &[&str]) -> BTreeMap<String, Value> {
    keys.into_iter()
        .filter(|(key, _)| !key.starts_with('_') && !known.contains(&key.as_str()))
        .collect()
}

fn set(texts: Vec<String>) -> Vec<String> {
    let mut texts: Vec<String> = texts.into_iter().filter_map(text).collect();
    texts.sort();
    texts.dedup();
    texts
}

fn digests(hashes: Hashes) -> Hashes {
    let mut tidy = Hashes::new();
    for (algorithm, digest) in &hashes {
        // A digest that is none is passed over: parsers report it, here there is nobody to tell.
        let _ = hashes::add(&mut tidy, algorithm, digest);
    }
    tidy
}

/// Whether a text is a moment that clients can read (PEP 700): ISO 8601 with its offset.
fn is_time(text: &str) -> bool {
    text.len() <= 64 && text.parse::<jiff::Timestamp>().is_ok()
}
