//! Adds up what the sampled pages show. Pure.

use std::collections::{HashMap, HashSet};

use url::Url;

use super::facts::{FileCause, Form, OriginUse, PageCause, Sample, cut};
use super::sample::Page;
use crate::index::{
    CoreMetadata, File, Format, ParseError, ProjectName, belongs_to, is_distribution,
};
use crate::repository::file_path;
use crate::tuf::Digest;
use crate::upstream::{MirrorUrl, UpstreamError};

/// What a look at a project gave.
pub(super) enum Seen {
    /// A page that can be used.
    Page(Box<Page>),
    /// A document that is no page of the project.
    Malformed(ParseError),
    /// No page.
    Missing,
    /// A redirect to another index.
    Elsewhere(Url),
    /// No answer, or none that is of use.
    Failed(UpstreamError),
}

/// What files are judged by.
pub(super) struct Rules<'a> {
    /// The mirror's own origin lies here.
    pub(super) simple: &'a Url,
    /// Whether links may lead there.
    pub(super) allows: &'a (dyn Fn(&Url) -> bool + Sync),
    /// `limits.file`, bytes.
    pub(super) largest: u64,
    /// `cache.file-limit`, bytes.
    pub(super) kept: u64,
}

/// A file whose length the page does not give.
pub(super) struct Unsized {
    pub(super) name: String,
    pub(super) url: Url,
    pub(super) hashed: bool,
}

/// The sum so far.
pub(super) struct Tally<'a> {
    pub(super) sample: Sample,
    /// A bounded number of them.
    pub(super) unsized_files: Vec<Unsized>,
    /// Whether any page carries a serial in itself.
    pub(super) serial_inside: bool,
    rules: Rules<'a>,
    etags: HashMap<String, Digest>,
    serials: HashSet<u64>,
}

/// Files of which the length may be asked for.
const MOST_UNSIZED: usize = 10_000;
/// Origins that are named.
const MOST_ORIGINS: usize = 20;
/// Project statuses that are named.
const MOST_STATUSES: usize = 10;

impl<'a> Tally<'a> {
    pub(super) fn new(rules: Rules<'a>) -> Self {
        Self {
            sample: Sample::default(),
            unsized_files: Vec::new(),
            serial_inside: false,
            rules,
            etags: HashMap::new(),
            serials: HashSet::new(),
        }
    }

    /// Adds what was seen of `project`.
    pub(super) fn add(&mut self, project: &ProjectName, seen: Seen) {
        let sample = &mut self.sample;
        sample.projects += 1;
        match seen {
            Seen::Page(page) => self.page(project, &page),
            Seen::Missing => sample.missing.add(project, "404 or 410"),
            Seen::Elsewhere(to) => {
                let to = MirrorUrl::from(to);
                sample.elsewhere.add(project, format!("it leads to {to}"));
            }
            Seen::Malformed(error) => {
                self.refuse(project, PageCause::Malformed, &error.to_string())
            }
            Seen::Failed(error) => self.refuse(project, cause(&error), &error.to_string()),
        }
    }

    fn refuse(&mut self, project: &ProjectName, cause: PageCause, why: &str) {
        self.sample.refused_pages.entry(cause).or_default().add(project, why);
    }

    fn page(&mut self, project: &ProjectName, page: &Page) {
        match form(page.content_type.as_deref()) {
            Form::Json => self.sample.json += 1,
            Form::Html => self.sample.html += 1,
        }
        self.validators(page);
        let shown = &page.listing.page;
        if let Some(marker) = &shown.status.marker {
            let statuses = &mut self.sample.statuses;
            if statuses.len() < MOST_STATUSES || statuses.contains_key(marker) {
                *statuses.entry(cut(marker)).or_default() += 1;
            }
        }
        if shown.files.is_empty() && page.listing.skipped.is_empty() {
            self.sample.empty += 1;
        }
        for skipped in &page.listing.skipped {
            self.sample.files += 1;
            let name = format!("{project}/{}", skipped.filename);
            self.sample.refuse(FileCause::Entry, name, &skipped.why);
        }
        for file in &shown.files {
            self.sample.files += 1;
            let link = page.listing.sources.get(&file.filename).map(|source| &source.url);
            self.file(project, file, link);
        }
    }

    fn validators(&mut self, page: &Page) {
        let etags = &mut self.sample.etags;
        etags.dated += u64::from(page.validators.last_modified.is_some());
        if let Some(etag) = &page.validators.etag {
            etags.pages += 1;
            let first = *self.etags.entry(etag.clone()).or_insert(page.digest);
            if first != page.digest && etags.misleading.is_none() {
                etags.misleading = Some(cut(etag));
            }
        }
        self.serial_inside |= page.listing.serial.is_some();
        if let Some(serial) = page.serial {
            self.sample.serials.pages += 1;
            self.serials.insert(serial);
            self.sample.serials.distinct = self.serials.len() as u64;
        }
    }

    fn file(&mut self, project: &ProjectName, file: &File, link: Option<&Url>) {
        let name = format!("{project}/{}", file.filename);
        if let Some(link) = link {
            self.origin(link, &name);
        }
        match self.flaw(project, file, link) {
            // It is taken once its origin is allowed.
            Some((FileCause::Origin, why)) => self.sample.refuse(FileCause::Origin, &name, why),
            Some((cause, why)) => return self.sample.refuse(cause, &name, why),
            None => {}
        }
        match file.core_metadata {
            CoreMetadata::None => {}
            CoreMetadata::Unhashed => self.sample.core_metadata.unhashed += 1,
            CoreMetadata::Hashes(_) => self.sample.core_metadata.hashed += 1,
        }
        let hashed = file.sha256().is_some();
        self.size(file.size, hashed);
        if let (None, Some(url)) = (file.size, link)
            && (self.rules.allows)(url)
            && self.unsized_files.len() < MOST_UNSIZED
        {
            self.unsized_files.push(Unsized { name, url: url.clone(), hashed });
        }
    }

    fn size(&mut self, size: Option<u64>, hashed: bool) {
        let sample = &mut self.sample;
        sample.streamed += u64::from(size.is_some_and(|size| size > self.rules.kept));
        match (hashed, size) {
            (true, size) => sample.without_size += u64::from(size.is_none()),
            (false, size) => {
                let sizes = &mut sample.without_sha256;
                sizes.files += 1;
                sizes.sized += u64::from(size.is_some());
                sizes.bytes = sizes.bytes.saturating_add(size.unwrap_or_default());
            }
        }
    }

    fn origin(&mut self, link: &Url, file: &str) {
        let origin = link.origin();
        let name = origin.ascii_serialization();
        let sample = &mut self.sample;
        let own = origin == self.rules.simple.origin();
        if !own && sample.origins.len() >= MOST_ORIGINS && !sample.origins.contains_key(&name) {
            sample.other_origins += 1;
            return;
        }
        let allowed = (self.rules.allows)(link);
        let first = || OriginUse { files: 0, own, allowed, example: cut(file) };
        sample.origins.entry(name).or_insert_with(first).files += 1;
    }

    /// Why the file would be refused, if so.
    fn flaw(
        &self,
        project: &ProjectName,
        file: &File,
        link: Option<&Url>,
    ) -> Option<(FileCause, String)> {
        let name = |why: &str| Some((FileCause::Name, why.to_owned()));
        if let Err(error) = file_path(project, &file.filename) {
            return name(&error.to_string());
        }
        if !belongs_to(&file.filename, project) {
            return name("its name is not one of this project");
        }
        if !is_distribution(&file.filename) {
            return name("its name is not that of a distribution");
        }
        match link {
            None => Some((FileCause::Entry, "it has no link".into())),
            Some(link) if !(self.rules.allows)(link) => Some((
                FileCause::Origin,
                format!("it lies at {}", link.origin().ascii_serialization()),
            )),
            Some(_) => too_large(file.size?, self.rules.largest),
        }
    }
}

/// Whether a file of `size` bytes is refused.
pub(super) fn too_large(size: u64, largest: u64) -> Option<(FileCause, String)> {
    (size > largest).then(|| (FileCause::TooLarge, format!("{size} bytes")))
}

/// The serialization that a content type names; pages of others do not get here.
pub(super) fn form(content_type: Option<&str>) -> Form {
    match content_type.and_then(Format::of_content_type) {
        Some(Format::Json) => Form::Json,
        _ => Form::Html,
    }
}

fn cause(error: &UpstreamError) -> PageCause {
    match error {
        UpstreamError::LoginWanted { .. } => PageCause::Login,
        UpstreamError::OriginRefused { .. } => PageCause::Origin,
        UpstreamError::RedirectRefused { .. } => PageCause::Redirect,
        UpstreamError::TooLarge { .. } => PageCause::TooLarge,
        UpstreamError::Encoding { .. } => PageCause::Malformed,
        _ => PageCause::Error,
    }
}
