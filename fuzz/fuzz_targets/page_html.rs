//! A project page in HTML, as an upstream sends it.
#![no_main]

use countersign::index::{File, Links, ProjectName, Yanked};
use countersign::index::{parse_html, parse_signed, render_html, render_json};
use libfuzzer_sys::fuzz_target;
use url::Url;

fn told(file: &File) -> (&str, Option<&str>, Option<&str>, &Yanked) {
    (&file.filename, file.sha256(), file.requires_python.as_deref(), &file.yanked)
}

fuzz_target!(|body: &[u8]| {
    let url = Url::parse("https://index.example/simple/foo/").unwrap();
    let foo = ProjectName::parse("foo").unwrap();
    if let Ok(listing) = parse_html(body, &url, &foo) {
        assert_eq!(listing.sources.len(), listing.page.files.len());
        let (page, links) = (listing.page.normalized(), Links::from_page_path(url.path(), "/tuf/"));
        let again = parse_html(&render_html(&page, &links), &url, &foo).unwrap().page;
        assert!(again.files.iter().map(told).eq(page.files.iter().map(told)));
        assert_eq!(again.status, page.status);
        assert_eq!(parse_signed(&render_json(&page, &links)).unwrap(), (page, links));
    }
});
