//! Project pages in JSON (PEP 691, 700, 708, 714, 740, 792).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use url::Url;

use super::hashes::{self, Hashes};
use super::links::{self, Links};
use super::listing::{Collector, Listing, ParseError, check_version};
use super::normalize::{self, FILE_KEYS};
use super::value::{Budget, count};
use super::{CoreMetadata, File, ProjectName, ProjectPage, Source, Status, Yanked};

/// Values outside of `files`, and unknown ones within: what stays in memory.
const PAGE_VALUES: usize = 500_000;
/// Values of one entry of `files`.
const FILE_VALUES: usize = 10_000;

/// Parses a project page in JSON, of API version 1.x. Links may be absolute, or relative to `page_url`.
/// An entry that cannot be taken is skipped.
///
/// # Errors
/// [`ParseError`] when the document is cut short, malformed, nested too deeply, repeats a key, has
/// no `files`, is of API version 2 or later, or belongs to another project.
pub fn parse_json(
    body: &[u8],
    page_url: &Url,
    project: &ProjectName,
) -> Result<Listing, ParseError> {
    let document = Document::read(body, Some(page_url))?;
    match &document.name {
        Some(name) if name_of(name).as_ref() != Some(project) => {
            let found = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
            let found = found.chars().take(100).collect();
            return Err(ParseError::OtherProject { found, wanted: project.clone() });
        }
        None if !document.meta.contains_key("api-version") => {
            return Err(ParseError::NotSimple("it has neither an API version nor a name"));
        }
        _ => {}
    }
    document.listing(project.clone())
}

/// Parses a page that [`render_json`](super::render_json) made: the page in its normal form, and its links.
///
/// # Errors
/// [`ParseError`] when it is not such a page.
pub fn parse_signed(body: &[u8]) -> Result<(ProjectPage, Links), ParseError> {
    let document = Document::read(body, None)?;
    let name = document.name.as_ref().and_then(name_of);
    let name = name.ok_or(ParseError::NotSimple("it has no project name"))?;
    let metadata =
        document.meta.get("_tuf").and_then(|tuf| tuf.get("metadata")).and_then(Value::as_str);
    let tuf = metadata.and_then(|link| link.strip_suffix("metadata/"));
    let links = Links {
        tuf: tuf.ok_or(ParseError::NotSimple("it does not name its TUF repository"))?.to_owned(),
    };
    let listing = document.listing(name)?;
    if listing.skipped.is_empty() {
        Ok((listing.page, links))
    } else {
        Err(ParseError::NotSimple("it has entries that we would not have written"))
    }
}

fn name_of(value: &Value) -> Option<ProjectName> {
    ProjectName::parse(value.as_str()?).ok()
}

/// A page as it is read, before its project is known.
struct Document {
    name: Option<Value>,
    meta: Map<String, Value>,
    files: Collector,
    /// All other keys.
    rest: Map<String, Value>,
}

impl Document {
    /// Reads a page; without a base, no links are looked at.
    fn read(body: &[u8], base: Option<&Url>) -> Result<Self, ParseError> {
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let mut limit = None;
        let mut from = serde_json::Deserializer::from_slice(body);
        let page = Page { base, budget: &Budget::new(PAGE_VALUES), limit: &mut limit };
        let document = page.deserialize(&mut from).and_then(|page| from.end().map(|()| page));
        match (document, limit) {
            (_, Some(limit)) => Err(limit),
            (document, None) => Ok(document?),
        }
    }

    fn listing(mut self, project: ProjectName) -> Result<Listing, ParseError> {
        match self.meta.get("api-version") {
            Some(Value::String(version)) => check_version(version)?,
            Some(other) => check_version(&other.to_string())?,
            None => {}
        }
        let mut listing = self.files.listing(project);
        listing.serial = self.meta.get("_last-serial").and_then(serial);
        let page = &mut listing.page;
        page.versions = texts(self.rest.remove("versions"));
        page.alternate_locations = texts(self.rest.remove("alternate-locations"));
        page.tracks = texts(self.meta.remove("tracks"));
        page.status = status(self.rest.remove("project-status"));
        page.extra = self.rest.into_iter().collect();
        page.meta_extra = self.meta.into_iter().collect();
        listing.page = listing.page.tidied();
        Ok(listing)
    }
}

/// Reads the document, file by file.
struct Page<'a> {
    base: Option<&'a Url>,
    budget: &'a Budget,
    /// Set where a bound was passed.
    limit: &'a mut Option<ParseError>,
}

impl<'de> DeserializeSeed<'de> for Page<'_> {
    type Value = Document;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Document, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Page<'_> {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a project page, a JSON object with \"files\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut files = None;
        let mut rest = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let repeated = if key == "files" {
                let seed = Files { base: self.base, budget: self.budget, limit: &mut *self.limit };
                files.replace(map.next_value_seed(seed)?).is_some()
            } else {
                let value = map.next_value_seed(self.budget)?;
                rest.insert(key, value).is_some()
            };
            if repeated {
                return Err(A::Error::custom("the page repeats a key"));
            }
        }
        let files = files.ok_or_else(|| A::Error::missing_field("files"))?;
        let meta = match rest.remove("meta") {
            Some(Value::Object(meta)) => meta,
            None => Map::new(),
            Some(_) => return Err(A::Error::custom("\"meta\" is no object")),
        };
        Ok(Document { name: rest.remove("name"), meta, files, rest })
    }
}

/// Reads `files`, one entry in memory at a time.
struct Files<'a> {
    base: Option<&'a Url>,
    budget: &'a Budget,
    limit: &'a mut Option<ParseError>,
}

impl<'de> DeserializeSeed<'de> for Files<'_> {
    type Value = Collector;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Collector, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Files<'_> {
    type Value = Collector;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Collector, A::Error> {
        let mut files = Collector::default();
        while let Some(entry) = seq.next_element_seed(&Budget::new(FILE_VALUES))? {
            let name = entry.get("filename").and_then(Value::as_str).unwrap_or_default().to_owned();
            let taken = match file(entry, self.base) {
                Ok((file, source)) => {
                    self.budget.spend(file.extra.values().map(count).sum())?;
                    files.take(file, source)
                }
                Err(why) => files.skip(&name, why),
            };
            if let Err(limit) = taken {
                *self.limit = Some(limit);
                return Err(A::Error::custom("too many entries"));
            }
        }
        Ok(files)
    }
}

/// One entry of `files`.
fn file(entry: Value, base: Option<&Url>) -> Result<(File, Option<Source>), &'static str> {
    let Value::Object(mut keys) = entry else { return Err("the entry is no object") };
    let Some(Value::String(filename)) = keys.remove("filename") else {
        return Err("the entry has no file name");
    };
    let provenance = string(keys.remove("provenance"));
    let source = match (base, keys.remove("url")) {
        (None, _) => None,
        (Some(base), Some(Value::String(link))) => {
            let provenance = provenance.as_deref().and_then(|link| links::resolve(base, link).ok());
            Some(Source { url: links::resolve(base, &link)?, provenance })
        }
        (Some(_), _) => return Err("the entry has no link"),
    };
    let file = File {
        filename,
        hashes: hashes_of(keys.remove("hashes"))?,
        requires_python: string(keys.remove("requires-python")),
        size: keys.remove("size").as_ref().and_then(Value::as_u64),
        upload_time: string(keys.remove("upload-time")),
        yanked: yanked(keys.remove("yanked")),
        core_metadata: core_metadata(&mut keys),
        gpg_sig: keys.remove("gpg-sig").as_ref().and_then(Value::as_bool),
        provenance: source.as_ref().map_or(provenance.is_some(), |s| s.provenance.is_some()),
        extra: normalize::unknown(keys.into_iter().collect(), &FILE_KEYS),
    };
    Ok((file, source))
}

fn hashes_of(value: Option<Value>) -> Result<Hashes, &'static str> {
    let mut hashes = Hashes::new();
    match value {
        None | Some(Value::Null) => {}
        Some(Value::Object(map)) => {
            for (algorithm, digest) in &map {
                hashes::add(&mut hashes, algorithm, digest.as_str().unwrap_or_default())?;
            }
        }
        Some(_) => return Err("its hashes are no object"),
    }
    Ok(hashes)
}

/// Core metadata under the names of PEP 714, or of PEP 691 where those are missing.
fn core_metadata(keys: &mut Map<String, Value>) -> CoreMetadata {
    let names = ["core-metadata", "data-dist-info-metadata", "dist-info-metadata"];
    let values = names.map(|name| keys.remove(name).filter(|value| !value.is_null()));
    match values.into_iter().flatten().next() {
        Some(Value::Bool(true)) => CoreMetadata::Unhashed,
        Some(Value::Object(map)) if !map.is_empty() => {
            // A hash that is none counts as no hash.
            normalize::core_metadata(hashes_of(Some(map.into())).unwrap_or_default())
        }
        _ => CoreMetadata::None,
    }
}

/// A non-empty string, or any other true value, yanks a file (PEP 691).
fn yanked(value: Option<Value>) -> Yanked {
    match value {
        Some(Value::Bool(true)) => Yanked::Yes,
        Some(Value::String(reason)) if !reason.is_empty() => Yanked::Because(reason),
        Some(Value::Number(n)) if n.as_f64() != Some(0.0) => Yanked::Yes,
        _ => Yanked::No,
    }
}

fn status(value: Option<Value>) -> Status {
    match value {
        Some(Value::Object(mut keys)) => {
            Status { marker: string(keys.remove("status")), reason: string(keys.remove("reason")) }
        }
        marker => Status { marker: string(marker), reason: None },
    }
}

/// A serial: mirrors write a number, a text or a float.
pub(super) fn serial(value: &Value) -> Option<u64> {
    match value {
        Value::Number(n) => n.as_u64().or_else(|| whole(n.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A float without a fraction, as far as floats count exactly.
fn whole(float: f64) -> Option<u64> {
    let exact = (0.0..=9_007_199_254_740_992.0).contains(&float) && float.fract() == 0.0;
    exact.then_some(float as u64)
}

fn string(value: Option<Value>) -> Option<String> {
    match value {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn texts(value: Option<Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => {
            items.into_iter().filter_map(|item| string(Some(item))).collect()
        }
        _ => Vec::new(),
    }
}
