//! A page of our own, read back from the store.
#![no_main]

use countersign::index::{parse_signed, render_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok((page, links)) = parse_signed(body) {
        let page = page.normalized();
        let rendered = render_json(&page, &links);
        assert_eq!(parse_signed(&rendered).unwrap(), (page, links));
    }
});
