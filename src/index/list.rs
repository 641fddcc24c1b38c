//! Project lists, in JSON and HTML (PEP 503, PEP 691).

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::Value;
use url::Url;

use super::ProjectName;
use super::accept::Format;
use super::json;
use super::links;
use super::listing::{ParseError, check_version, format_of};
use super::markup::{Anchor, scan};
use super::value::Budget;

/// The projects that an index lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProjectList {
    /// The projects, sorted by name, each once.
    pub projects: Vec<ListedProject>,
    /// The index's last serial (`meta._last-serial`).
    pub last_serial: Option<u64>,
    /// How many entries were passed over because they have no valid name.
    pub skipped: usize,
}

/// One project of a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedProject {
    /// Its name.
    pub name: ProjectName,
    /// The serial of its last change (`_last-serial`), where the index gives one.
    pub serial: Option<u64>,
}

/// Twice what the largest index lists, and more; bounds memory (some 80 bytes a project).
const MOST_PROJECTS: usize = 2_000_000;

/// Parses the project list at `list_url` by its content type.
///
/// # Errors
/// [`ParseError`] when the content type is none of the simple API's, the document is no project
/// list, is cut short or of API version 2 or later, or lists more than 2,000,000 projects.
pub fn parse_list(
    body: &[u8],
    content_type: Option<&str>,
    list_url: &Url,
) -> Result<ProjectList, ParseError> {
    match format_of(content_type)? {
        Format::Json => parse_list_json(body),
        Format::Html => parse_list_html(body, list_url),
    }
}

impl ProjectList {
    fn add(&mut self, name: &str, serial: Option<u64>) -> Result<(), ParseError> {
        match ProjectName::parse(name) {
            Ok(_) if self.projects.len() >= MOST_PROJECTS => {
                return Err(ParseError::TooMany { what: "projects", most: MOST_PROJECTS });
            }
            Ok(name) => self.projects.push(ListedProject { name, serial }),
            Err(_) => self.skipped += 1,
        }
        Ok(())
    }

    /// Sorts the projects; of several with one name the highest serial stays.
    fn sorted(mut self) -> Self {
        self.projects.sort_unstable_by(|a, b| b.cmp(a));
        self.projects.dedup_by(|later, kept| later.name == kept.name);
        self.projects.reverse();
        self
    }
}

fn parse_list_html(body: &[u8], list_url: &Url) -> Result<ProjectList, ParseError> {
    let mut list = ProjectList::default();
    let head = scan(body, list_url, |anchor| match child(anchor, list_url) {
        Some(name) => list.add(&name, None),
        None => Ok(()),
    })?;
    if list.projects.is_empty() && !head.is_simple() {
        return Err(ParseError::NotSimple(
            "it links no project, and does not say that it is a simple index",
        ));
    }
    list.last_serial = head.serial;
    Ok(list.sorted())
}

/// The name of the folder that an anchor links, where that folder lies in the list's own, by its
/// name: a mirror behind a path prefix often does not know that prefix.
fn child(anchor: &Anchor, list_url: &Url) -> Option<String> {
    let url = links::resolve(anchor.base, &anchor.href).ok()?;
    let mut path = url.path().strip_suffix('/').unwrap_or(url.path()).rsplit('/');
    let mut folder = list_url.path().strip_suffix('/').unwrap_or(list_url.path()).rsplit('/');
    let name = path.next().filter(|name| !name.is_empty())?;
    (path.next() == folder.next()).then(|| links::decoded(name)).flatten()
}

fn parse_list_json(body: &[u8]) -> Result<ProjectList, ParseError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let mut refusal = None;
    let mut from = serde_json::Deserializer::from_slice(body);
    let list = List { refusal: &mut refusal }.deserialize(&mut from);
    let list = list.and_then(|list| from.end().map(|()| list));
    match (list, refusal) {
        (_, Some(refusal)) => Err(refusal),
        (list, None) => Ok(list?.sorted()),
    }
}

/// Reads the list, project by project.
struct List<'a> {
    refusal: &'a mut Option<ParseError>,
}

impl List<'_> {
    fn refuse<E: serde::de::Error>(&mut self, why: ParseError) -> E {
        let error = E::custom(&why);
        *self.refusal = Some(why);
        error
    }
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ProjectList;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<ProjectList, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ProjectList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a project list, a JSON object with \"projects\"")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<ProjectList, A::Error> {
        let mut list = None;
        let mut last_serial = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match &*key {
                "projects" if list.is_some() => return Err(A::Error::duplicate_field("projects")),
                "projects" => list = Some(map.next_value_seed(Projects(&mut self))?),
                "meta" => {
                    let meta = map.next_value_seed(&Budget::new(10_000))?;
                    last_serial = meta.get("_last-serial").and_then(json::serial);
                    if let Some(Value::String(version)) = meta.get("api-version") {
                        check_version(version).map_err(|why| self.refuse(why))?;
                    }
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let mut list = list.ok_or_else(|| A::Error::missing_field("projects"))?;
        list.last_serial = last_serial;
        Ok(list)
    }
}

/// Reads `projects`, one entry in memory at a time.
struct Projects<'a, 'b>(&'a mut List<'b>);

impl<'de> DeserializeSeed<'de> for Projects<'_, '_> {
    type Value = ProjectList;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<ProjectList, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Projects<'_, '_> {
    type Value = ProjectList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of projects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ProjectList, A::Error> {
        let mut list = ProjectList::default();
        while let Some(Entry { name, serial }) = seq.next_element()? {
            list.add(&name, serial.0).map_err(|why| self.0.refuse(why))?;
        }
        Ok(list)
    }
}

/// One entry of `projects`.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default, rename = "_last-serial")]
    serial: Serial,
}

/// A serial, however it is written; other things are none.
#[derive(Default)]
struct Serial(Option<u64>);

impl<'de> Deserialize<'de> for Serial {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Budget::new(100).deserialize(from)?;
        Ok(Self(json::serial(&value)))
    }
}
