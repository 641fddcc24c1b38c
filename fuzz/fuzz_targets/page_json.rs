//! A project page in JSON, as an upstream sends it.
#![no_main]

use countersign::index::{Links, ProjectName, parse_json, parse_signed, render_json};
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|body: &[u8]| {
    let url = Url::parse("https://index.example/simple/foo/").unwrap();
    let foo = ProjectName::parse("foo").unwrap();
    if let Ok(listing) = parse_json(body, &url, &foo) {
        assert_eq!(listing.sources.len(), listing.page.files.len());
        let (page, links) = (listing.page.normalized(), Links::from_page_path(url.path(), "/tuf/"));
        assert_eq!(parse_signed(&render_json(&page, &links)).unwrap(), (page, links));
    }
});
