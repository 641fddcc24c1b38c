//! Project pages as JSON (PEP 691).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{CoreMetadata, File, Links, ProjectName, ProjectPage, Yanked};

/// The newest API version (PEP 792).
pub(super) const NEWEST: &str = "1.4";
/// The version of a page that lacks what PEP 700 asks for.
const BASIC: &str = "1.0";

/// Renders a page as JSON: compact, keys sorted, equal bytes for equal pages in normal form.
pub fn render_json(page: &ProjectPage, links: &Links) -> Vec<u8> {
    // Texts, numbers and maps with text keys: nothing here that cannot be written.
    serde_json::to_vec(&object(page, links)).unwrap_or_default()
}

/// What is written, borrowed from the page. Maps are sorted, so that keys are.
#[derive(Serialize)]
#[serde(untagged)]
enum Json<'a> {
    Text(Cow<'a, str>),
    Texts(&'a [String]),
    Flag(bool),
    Number(u64),
    Hashes(&'a BTreeMap<String, String>),
    Any(&'a Value),
    List(Vec<Json<'a>>),
    Object(Object<'a>),
}

type Object<'a> = BTreeMap<&'a str, Json<'a>>;

fn text(text: &str) -> Json<'_> {
    Json::Text(Cow::Borrowed(text))
}

fn any(extra: &BTreeMap<String, Value>) -> Object<'_> {
    extra.iter().map(|(key, value)| (key.as_str(), Json::Any(value))).collect()
}

fn object<'a>(page: &'a ProjectPage, links: &Links) -> Object<'a> {
    let mut keys = any(&page.extra);
    let files = page.files.iter().map(|f| Json::Object(file(f, &page.name, links)));
    keys.insert("files", Json::List(files.collect()));
    keys.insert("meta", Json::Object(meta(page, links)));
    keys.insert("name", text(page.name.as_str()));
    if satisfies_pep_700(page) || !page.versions.is_empty() {
        keys.insert("versions", Json::Texts(&page.versions));
    }
    if !page.alternate_locations.is_empty() {
        keys.insert("alternate-locations", Json::Texts(&page.alternate_locations));
    }
    if let Some(marker) = &page.status.marker {
        let mut status = Object::from([("status", text(marker))]);
        status.extend(page.status.reason.iter().map(|reason| ("reason", text(reason))));
        keys.insert("project-status", Json::Object(status));
    }
    keys
}

fn meta<'a>(page: &'a ProjectPage, links: &Links) -> Object<'a> {
    let mut keys = any(&page.meta_extra);
    let version = if satisfies_pep_700(page) { NEWEST } else { BASIC };
    keys.insert("api-version", text(version));
    if !page.tracks.is_empty() {
        keys.insert("tracks", Json::Texts(&page.tracks));
    }
    let tuf = Object::from([
        ("metadata", Json::Text(links.metadata().into())),
        ("targets", Json::Text(links.targets().into())),
    ]);
    keys.insert("_tuf", Json::Object(tuf));
    keys
}

/// Whether the page has what PEP 700 asks of API version 1.1 and later: a size for every file, and
/// the versions. Where an upstream lists no versions, none are made up.
fn satisfies_pep_700(page: &ProjectPage) -> bool {
    page.files.iter().all(|file| file.size.is_some())
        && (page.files.is_empty() || !page.versions.is_empty())
}

fn file<'a>(file: &'a File, project: &ProjectName, links: &Links) -> Object<'a> {
    let mut keys = any(&file.extra);
    let url = links.file(project, &file.filename);
    keys.insert("filename", text(&file.filename));
    keys.insert("hashes", Json::Hashes(&file.hashes));
    if let Some(specifier) = &file.requires_python {
        keys.insert("requires-python", text(specifier));
    }
    if let Some(size) = file.size {
        keys.insert("size", Json::Number(size));
    }
    if let Some(time) = &file.upload_time {
        keys.insert("upload-time", text(time));
    }
    match &file.yanked {
        Yanked::No => {}
        Yanked::Yes => drop(keys.insert("yanked", Json::Flag(true))),
        Yanked::Because(reason) => drop(keys.insert("yanked", text(reason))),
    }
    if let CoreMetadata::Hashes(hashes) = &file.core_metadata
        && hashes.contains_key("sha256")
    {
        keys.insert("core-metadata", Json::Hashes(hashes));
        keys.insert("data-dist-info-metadata", Json::Hashes(hashes));
    }
    if let Some(signed) = file.gpg_sig {
        keys.insert("gpg-sig", Json::Flag(signed));
    }
    if file.provenance {
        keys.insert("provenance", Json::Text(format!("{url}.provenance").into()));
    }
    keys.insert("url", Json::Text(url.into()));
    keys
}
