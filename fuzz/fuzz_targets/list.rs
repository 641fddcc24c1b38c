//! A project list, as an upstream sends it: JSON where it begins with a brace.
#![no_main]

use countersign::index::{Format, parse_list, render_list_html, render_list_json};
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|body: &[u8]| {
    let format = if body.starts_with(b"{") { Format::Json } else { Format::Html };
    let url = Url::parse("https://index.example/simple/").unwrap();
    if let Ok(list) = parse_list(body, Some(format.content_type()), &url) {
        let names = || list.projects.iter().map(|project| &project.name);
        for (format, body) in
            [(Format::Json, render_list_json(names())), (Format::Html, render_list_html(names()))]
        {
            let again = parse_list(&body, Some(format.content_type()), &url).unwrap();
            assert!(again.projects.iter().map(|project| &project.name).eq(names()));
        }
    }
});
