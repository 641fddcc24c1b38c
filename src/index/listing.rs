//! What a parser makes of an upstream's page: the page, where its files lie, what it could not take.

use std::collections::BTreeMap;

use url::Url;

use super::accept::Format;
use super::filename;
use super::{File, ProjectName, ProjectPage, Source, Sources, Status, parse_html, parse_json};

/// A project page as an upstream gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// The page.
    pub page: ProjectPage,
    /// Where each of its files lies upstream.
    pub sources: Sources,
    /// The upstream's serial (`meta._last-serial`, `<!--SERIAL n-->`).
    pub serial: Option<u64>,
    /// The entries that could not be taken; the rest of the page is good.
    pub skipped: Vec<Skipped>,
}

/// An entry of a page that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its file name, as far as it has one, cut to 200 characters; escape it before it is shown.
    pub filename: String,
    /// Why, as the end of a sentence.
    pub why: String,
}

/// Why a document is not taken at all. Nothing of it may be used.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Not JSON, or not of the shape that PEP 691 gives.
    #[error("not a simple API document in JSON (truncated or malformed?): {0}")]
    Json(#[from] serde_json::Error),
    /// HTML that the parser refuses: ambiguous, or past its memory limit.
    #[error("HTML that cannot be read safely: {0}")]
    Html(String),
    /// Something else than a simple API document.
    #[error("not a simple index page: {0}")]
    NotSimple(&'static str),
    /// An API version that we do not know.
    #[error("API version {0:?} is not supported: this index speaks something newer than 1.x")]
    Version(String),
    /// The page of another project.
    #[error("a page of project {found:?} was given where {wanted} was asked for")]
    OtherProject {
        /// What the page says.
        found: String,
        /// What was asked for.
        wanted: ProjectName,
    },
    /// A content type that is none of the simple API's.
    #[error(
        "content type {0:?} is not the simple API's: the server must answer with application/vnd.pypi.simple.v1+json or text/html"
    )]
    ContentType(String),
    /// More of something than is taken.
    #[error("more than {most} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The bound.
        most: usize,
    },
}

/// Parses a project page by its content type.
///
/// # Errors
/// [`ParseError`] when the content type is none of the simple API's, or the document is no page of `project`.
pub fn parse(
    body: &[u8],
    content_type: Option<&str>,
    page_url: &Url,
    project: &ProjectName,
) -> Result<Listing, ParseError> {
    match format_of(content_type)? {
        Format::Json => parse_json(body, page_url, project),
        Format::Html => parse_html(body, page_url, project),
    }
}

/// The format that a response's content type names.
pub(super) fn format_of(content_type: Option<&str>) -> Result<Format, ParseError> {
    let content_type = content_type.unwrap_or_default();
    Format::of_content_type(content_type)
        .ok_or_else(|| ParseError::ContentType(content_type.chars().take(100).collect()))
}

/// Refuses every API version but 1.x (PEP 629: a greater major version is a hard failure).
pub(super) fn check_version(version: &str) -> Result<(), ParseError> {
    let major = version.trim().split('.').next().unwrap_or_default();
    match major.parse() {
        Ok(1u32) => Ok(()),
        _ => Err(ParseError::Version(version.chars().take(40).collect())),
    }
}

/// More files than any project has (the largest have some 20,000); bounds memory.
const MOST_FILES: usize = 100_000;
/// A page with more bad entries than this is itself bad.
const MOST_SKIPPED: usize = 10_000;

/// Gathers the files of one page, each name once.
#[derive(Default)]
pub(super) struct Collector {
    files: BTreeMap<String, (File, Option<Source>)>,
    skipped: Vec<Skipped>,
}

impl Collector {
    /// Takes a file. Of two entries with one name the first counts.
    pub fn take(&mut self, file: File, source: Option<Source>) -> Result<(), ParseError> {
        if let Some(why) = filename::defect(&file.filename) {
            return self.skip(&file.filename, why);
        }
        if let Some((first, _)) = self.files.get(&file.filename) {
            return if first.hashes == file.hashes {
                Ok(())
            } else {
                self.skip(&file.filename, "it is listed twice, with different hashes")
            };
        }
        if self.files.len() >= MOST_FILES {
            return Err(ParseError::TooMany { what: "files", most: MOST_FILES });
        }
        self.files.insert(file.filename.clone(), (file, source));
        Ok(())
    }

    /// Notes an entry that is not taken.
    pub fn skip(&mut self, filename: &str, why: &str) -> Result<(), ParseError> {
        if self.skipped.len() >= MOST_SKIPPED {
            return Err(ParseError::TooMany { what: "bad entries", most: MOST_SKIPPED });
        }
        let filename = filename.chars().take(200).collect();
        self.skipped.push(Skipped { filename, why: why.to_owned() });
        Ok(())
    }

    /// Whether any file was taken for which `wanted` holds.
    pub fn any(&self, wanted: impl Fn(&File) -> bool) -> bool {
        self.files.values().any(|(file, _)| wanted(file))
    }

    /// Puts the files on an otherwise empty page of `project`.
    pub fn listing(self, project: ProjectName) -> Listing {
        let mut page = ProjectPage {
            name: project,
            files: Vec::with_capacity(self.files.len()),
            versions: Vec::new(),
            status: Status::default(),
            tracks: Vec::new(),
            alternate_locations: Vec::new(),
            extra: BTreeMap::new(),
            meta_extra: BTreeMap::new(),
        };
        let mut sources = Sources::new();
        for (filename, (file, source)) in self.files {
            page.files.push(file);
            if let Some(source) = source {
                sources.insert(filename, source);
            }
        }
        Listing { page, sources, serial: None, skipped: self.skipped }
    }
}
