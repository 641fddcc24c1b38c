//! Reads the anchors and the head of a simple index in HTML (PEP 503, 629, 708, 792).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use lol_html::errors::RewritingError;
use lol_html::html_content::Element;
use lol_html::{HtmlRewriter, MemorySettings, Settings, doc_comments, element, end_tag, text};
use url::Url;

use super::Status;
use super::listing::{ParseError, check_version};

/// What the parser may hold: open elements, and a tag that has not ended. No simple index comes near.
const MEMORY: usize = 4 * 1024 * 1024;
/// How much is fed to the parser at once.
const CHUNK: usize = 128 * 1024;
/// More than anyone tracks (PEP 708); bounds memory.
const MOST_LOCATIONS: usize = 1_000;
/// How much of the title and the headings is looked at, in bytes.
const MOST_TITLE: usize = 4_096;

/// What a simple index says besides its anchors.
#[derive(Default)]
pub(super) struct Head {
    base: Option<Url>,
    pub status: Status,
    pub tracks: Vec<String>,
    pub alternate_locations: Vec<String>,
    pub serial: Option<u64>,
    versioned: bool,
    /// Title and first headings, in lower case.
    title: String,
}

impl Head {
    /// Whether the document shows that it is a simple index, even if nothing is listed: PEP 629's version, a
    /// project status, a serial, or the titles that mirrors give.
    pub fn is_simple(&self) -> bool {
        let titles = ["links for", "simple index", "simple list"];
        self.versioned
            || self.serial.is_some()
            || self.status.marker.is_some()
            || titles.iter().any(|title| self.title.contains(title))
    }

    fn meta(&mut self, name: &str, content: String) -> Result<(), ParseError> {
        match name {
            "pypi:repository-version" => {
                check_version(&content)?;
                self.versioned = true;
            }
            "pypi:project-status" => self.status.marker = Some(content),
            "pypi:project-status-reason" => self.status.reason = Some(content),
            "pypi:tracks" => push(&mut self.tracks, content),
            "pypi:alternate-locations" => push(&mut self.alternate_locations, content),
            _ => {}
        }
        Ok(())
    }

    fn base(&mut self, page: &Url, href: &str) -> Result<(), ParseError> {
        if self.base.is_none() {
            let base = page.join(href.trim());
            self.base = Some(base.map_err(|_| ParseError::NotSimple("its <base> is no URL"))?);
        }
        Ok(())
    }

    fn comment(&mut self, text: &str) {
        if let Some(serial) = text.trim().strip_prefix("SERIAL") {
            self.serial = serial.trim().parse().ok().or(self.serial);
        }
    }

    fn title(&mut self, text: &str) {
        if self.title.len() + text.len() <= MOST_TITLE {
            self.title.push_str(&text.to_lowercase());
        }
    }
}

fn push(list: &mut Vec<String>, item: String) {
    if list.len() < MOST_LOCATIONS {
        list.push(item);
    }
}

/// The attributes of one anchor.
pub(super) struct Anchor<'a, 'r, 't> {
    /// What its link is relative to.
    pub base: &'a Url,
    /// Its link.
    pub href: String,
    element: &'a Element<'r, 't>,
}

impl Anchor<'_, '_, '_> {
    /// An attribute, its entities decoded.
    pub fn get(&self, name: &str) -> Option<String> {
        attribute(self.element, name)
    }
}

fn attribute(element: &Element<'_, '_>, name: &str) -> Option<String> {
    let value = element.get_attribute(name)?;
    Some(html_escape::decode_html_entities(&value).into_owned())
}

/// Calls `visit` for each anchor with a link, and gives what the document says besides.
///
/// # Errors
/// What `visit` returns; [`ParseError`] when the document is of a later API version, ambiguous,
/// past the memory limit, or ends before an element `html` or `body` that it began.
pub(super) fn scan(
    body: &[u8],
    page: &Url,
    mut visit: impl FnMut(&Anchor) -> Result<(), ParseError>,
) -> Result<Head, ParseError> {
    let head = RefCell::new(Head::default());
    let (begun, ended) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
    let settings = Settings::new()
        .with_memory_settings(MemorySettings::new().with_max_allowed_memory_usage(MEMORY))
        .append_element_content_handler(element!("html, body", |element| {
            begun.set(true);
            let ended = Rc::clone(&ended);
            element.on_end_tag(end_tag!(move |_| {
                ended.set(true);
                Ok(())
            }))
        }))
        .append_element_content_handler(element!("base[href]", |element| {
            let href = attribute(element, "href").unwrap_or_default();
            Ok(head.borrow_mut().base(page, &href)?)
        }))
        .append_element_content_handler(element!("meta[name][content]", |element| {
            let name = attribute(element, "name").unwrap_or_default().to_ascii_lowercase();
            let content = attribute(element, "content").unwrap_or_default();
            Ok(head.borrow_mut().meta(name.trim(), content)?)
        }))
        .append_element_content_handler(text!("title, h1", |chunk| {
            head.borrow_mut().title(chunk.as_str());
            Ok(())
        }))
        .append_element_content_handler(element!("a[href]", |element| {
            let head = head.borrow();
            let href = attribute(element, "href").unwrap_or_default();
            Ok(visit(&Anchor { base: head.base.as_ref().unwrap_or(page), href, element })?)
        }))
        .append_document_content_handler(doc_comments!(|comment| {
            head.borrow_mut().comment(&comment.text());
            Ok(())
        }));
    let mut parser = HtmlRewriter::new(settings, |_: &[u8]| {});
    body.chunks(CHUNK).try_for_each(|chunk| parser.write(chunk)).map_err(refusal)?;
    parser.end().map_err(refusal)?;
    if begun.get() && !ended.get() {
        return Err(ParseError::NotSimple("it is cut short: its <html> or <body> does not end"));
    }
    Ok(head.into_inner())
}

fn refusal(error: RewritingError) -> ParseError {
    match error {
        RewritingError::ContentHandlerError(inner) => match inner.downcast::<ParseError>() {
            Ok(ours) => *ours,
            Err(other) => ParseError::Html(other.to_string()),
        },
        other => ParseError::Html(other.to_string()),
    }
}
