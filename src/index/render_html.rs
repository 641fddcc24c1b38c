//! Project pages as HTML (PEP 503).

use super::hashes;
use super::render_json::NEWEST;
use super::{CoreMetadata, File, Links, ProjectName, ProjectPage, Yanked};

/// Renders a page as HTML: equal bytes for equal pages in normal form. HTML carries one hash a file, and
/// neither sizes, upload times, versions nor unknown keys.
pub fn render_html(page: &ProjectPage, links: &Links) -> Vec<u8> {
    let mut out = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n");
    // What PEP 700 adds is for JSON alone, so that every page satisfies the newest version.
    meta(&mut out, "repository-version", NEWEST);
    if let Some(marker) = &page.status.marker {
        meta(&mut out, "project-status", marker);
        page.status
            .reason
            .iter()
            .for_each(|reason| meta(&mut out, "project-status-reason", reason));
    }
    page.tracks.iter().for_each(|url| meta(&mut out, "tracks", url));
    page.alternate_locations.iter().for_each(|url| meta(&mut out, "alternate-locations", url));
    let name = &page.name;
    push(&mut out, &["<title>Links for ", name.as_str(), "</title>\n</head>\n<body>\n"]);
    push(&mut out, &["<h1>Links for ", name.as_str(), "</h1>\n"]);
    page.files.iter().for_each(|file| anchor(&mut out, file, name, links));
    out.push_str("</body>\n</html>\n");
    out.into_bytes()
}

fn anchor(out: &mut String, file: &File, project: &ProjectName, links: &Links) {
    let url = links.file(project, &file.filename);
    out.push_str("<a");
    match hashes::pair(&file.hashes) {
        Some(hash) => attribute(out, "href", &format!("{url}#{hash}")),
        None => attribute(out, "href", &url),
    }
    if let Some(specifier) = &file.requires_python {
        attribute(out, "data-requires-python", specifier);
    }
    match &file.yanked {
        Yanked::No => {}
        Yanked::Yes => attribute(out, "data-yanked", ""),
        Yanked::Because(reason) => attribute(out, "data-yanked", reason),
    }
    if let CoreMetadata::Hashes(hashes) = &file.core_metadata
        && let Some(digest) = hashes.get("sha256")
    {
        let hash = format!("sha256={digest}");
        attribute(out, "data-core-metadata", &hash);
        attribute(out, "data-dist-info-metadata", &hash);
    }
    if let Some(signed) = file.gpg_sig {
        attribute(out, "data-gpg-sig", if signed { "true" } else { "false" });
    }
    if file.provenance {
        attribute(out, "data-provenance", &format!("{url}.provenance"));
    }
    out.push('>');
    escape(out, &file.filename);
    out.push_str("</a><br>\n");
}

fn meta(out: &mut String, name: &str, content: &str) {
    push(out, &["<meta name=\"pypi:", name, "\""]);
    attribute(out, "content", content);
    out.push_str(">\n");
}

fn attribute(out: &mut String, name: &str, value: &str) {
    push(out, &[" ", name, "=\""]);
    escape(out, value);
    out.push('"');
}

fn push(out: &mut String, texts: &[&str]) {
    texts.iter().for_each(|text| out.push_str(text));
}

/// Escapes what HTML reads as markup, in texts and in quoted attributes.
pub(super) fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            c => out.push(c),
        }
    }
}
