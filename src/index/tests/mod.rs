//! The parsers and renderers together: captured answers, round trips, odd and hostile documents.

mod captures;
mod html_pages;
mod json_pages;
mod lists;
mod roundtrip;

use url::Url;

use crate::index::*;

fn url() -> Url {
    Url::parse("https://index.example/simple/foo/").unwrap()
}

fn foo() -> ProjectName {
    ProjectName::parse("foo").unwrap()
}

fn json(body: &str) -> Result<Listing, ParseError> {
    parse_json(body.as_bytes(), &url(), &foo())
}

/// A page with these entries in `files`.
fn files(entries: &str) -> Result<Listing, ParseError> {
    json(&format!(r#"{{"meta":{{"api-version":"1.0"}},"name":"foo","files":[{entries}]}}"#))
}

fn html(body: &str) -> Result<Listing, ParseError> {
    parse_html(body.as_bytes(), &url(), &foo())
}

fn one(anchor: &str) -> File {
    let listing = html(anchor).unwrap();
    assert_eq!((listing.page.files.len(), listing.skipped.len()), (1, 0), "{anchor}");
    listing.page.files.into_iter().next().unwrap()
}

fn why(listing: &Listing) -> Vec<&str> {
    listing.skipped.iter().map(|skipped| skipped.why.as_str()).collect()
}

#[test]
fn the_content_type_decides() {
    let page = r#"<a href="foo-1.zip">x</a>"#.as_bytes();
    let read = |content_type| parse(page, content_type, &url(), &foo());
    assert!(read(Some("text/html;charset=utf-8")).is_ok());
    assert!(read(Some("application/vnd.pypi.simple.v1+html")).is_ok());
    assert!(matches!(read(Some("application/vnd.pypi.simple.v1+json")), Err(ParseError::Json(_))));
    for other in [
        None,
        Some(""),
        Some("text_html"),
        Some("application/json"),
        Some("application/vnd.pypi.simple.v2+json"),
    ] {
        assert!(matches!(read(other), Err(ParseError::ContentType(_))), "{other:?}");
    }
}
