//! Project pages in HTML (PEP 503, 592, 658, 714, 740).

use std::collections::BTreeMap;

use url::Url;

use super::hashes::{self, Hashes};
use super::links;
use super::listing::{Collector, Listing, ParseError};
use super::markup::{Anchor, scan};
use super::normalize;
use super::{CoreMetadata, File, ProjectName, Source, Yanked, belongs_to, is_distribution};

/// Parses a project page in HTML. Links may be absolute, or relative to `page_url` or a `<base>`.
/// An anchor is a file when its link ends like a distribution file or carries a hash; other
/// anchors are passed over, and a file that cannot be taken is skipped.
///
/// An error page or an application's shell is no empty page: a document counts as a simple index
/// when it says so (see PEP 629's version tag, a title such as "Links for"), or when it links a file
/// with a hash or of this project.
///
/// # Errors
/// [`ParseError`] when the document is no simple index, is cut short, cannot be read within fixed memory,
/// or is of API version 2 or later.
pub fn parse_html(
    body: &[u8],
    page_url: &Url,
    project: &ProjectName,
) -> Result<Listing, ParseError> {
    let mut files = Collector::default();
    let head = scan(body, page_url, |anchor| match candidate(anchor) {
        Some((filename, link)) => match file(anchor, &filename, link) {
            Ok((file, source)) => files.take(file, Some(source)),
            Err(why) => files.skip(&filename, why),
        },
        None => Ok(()),
    })?;
    if !head.is_simple()
        && !files.any(|file| !file.hashes.is_empty() || belongs_to(&file.filename, project))
    {
        return Err(ParseError::NotSimple(
            "it links no file of the project, and does not say that it is a simple index",
        ));
    }
    let mut listing = files.listing(project.clone());
    listing.serial = head.serial;
    listing.page.status = head.status;
    listing.page.tracks = head.tracks;
    listing.page.alternate_locations = head.alternate_locations;
    listing.page = listing.page.tidied();
    Ok(listing)
}

/// The file name and the resolved link of an anchor that is a file.
fn candidate(anchor: &Anchor) -> Option<(String, Result<Url, &'static str>)> {
    let (path, fragment) = anchor.href.split_once('#').unwrap_or((&anchor.href, ""));
    let hashed = !fragment_hashes(fragment).is_ok_and(|hashes| hashes.is_empty());
    let written = path.split('?').next().and_then(|path| path.rsplit(['/', '\\']).next());
    let written = written.and_then(|name| links::decoded(name.trim()))?;
    // First what is cheap: a page may have many other links.
    if !hashed && !is_distribution(&written) {
        return None;
    }
    let link = links::resolve(anchor.base, path);
    let filename = link.as_ref().map_or(Some(written), links::last_segment)?;
    (!filename.is_empty()).then_some((filename, link))
}

fn file(
    anchor: &Anchor,
    filename: &str,
    link: Result<Url, &'static str>,
) -> Result<(File, Source), &'static str> {
    let url = link?;
    let fragment = anchor.href.split_once('#').map_or("", |(_, fragment)| fragment);
    let provenance = anchor.get("data-provenance").filter(|link| !link.trim().is_empty());
    let provenance = provenance.and_then(|link| links::resolve(anchor.base, &link).ok());
    let file = File {
        filename: filename.to_owned(),
        hashes: fragment_hashes(fragment)?,
        requires_python: anchor.get("data-requires-python"),
        size: None,
        upload_time: None,
        yanked: anchor.get("data-yanked").map_or(Yanked::No, Yanked::Because),
        core_metadata: core_metadata(anchor),
        gpg_sig: anchor.get("data-gpg-sig").and_then(|sig| sig.trim().parse().ok()),
        provenance: provenance.is_some(),
        extra: BTreeMap::new(),
    };
    Ok((file, Source { url, provenance }))
}

/// The hashes of a fragment, which some indexes share with other things: `#egg=foo&sha256=…`.
fn fragment_hashes(fragment: &str) -> Result<Hashes, &'static str> {
    let mut hashes = Hashes::new();
    for pair in fragment.split('&') {
        hashes::add_pair(&mut hashes, pair)?;
    }
    Ok(hashes)
}

fn core_metadata(anchor: &Anchor) -> CoreMetadata {
    let value = anchor.get("data-core-metadata").or_else(|| anchor.get("data-dist-info-metadata"));
    match value.as_deref().map(str::trim) {
        None | Some("false") => CoreMetadata::None,
        Some(pair) => {
            let mut hashes = Hashes::new();
            // A hash that is none counts as no hash.
            let _ = hashes::add_pair(&mut hashes, pair);
            normalize::core_metadata(hashes)
        }
    }
}
