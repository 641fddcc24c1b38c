//! What is rendered reads back as what it was rendered from.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

use crate::index::*;

/// Texts with what needs escaping in HTML, JSON and URLs, and with control characters.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9._-]{1,12}",
        "[ -~é\u{0}-\u{1f}\u{80}-\u{9f}\u{2028}\u{feff}😀]{0,16}",
        "&(amp|lt|#x27|copy);?"
    ]
}

fn hashes() -> impl Strategy<Value = BTreeMap<String, String>> {
    let sha256 = option::weighted(0.8, "[0-9a-fA-F]{64}");
    let rest = btree_map("[a-zA-Z0-9_]{1,10}", "[0-9a-f]{30,34}", 0..3);
    (sha256, rest).prop_map(|(sha256, mut hashes)| {
        hashes.extend(sha256.map(|digest| ("sha256".to_owned(), digest)));
        hashes
    })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // serde_json has no NaN and no infinity; those become null.
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn extra() -> impl Strategy<Value = BTreeMap<String, Value>> {
    let key = prop_oneof![
        "[a-z_-]{1,8}",
        Just("files".to_owned()),
        Just("url".to_owned()),
        any::<String>()
    ];
    btree_map(key, value(), 0..3)
}

fn core_metadata() -> impl Strategy<Value = CoreMetadata> {
    prop_oneof![
        Just(CoreMetadata::None),
        Just(CoreMetadata::Unhashed),
        hashes().prop_map(CoreMetadata::Hashes),
    ]
}

fn yanked() -> impl Strategy<Value = Yanked> {
    prop_oneof![Just(Yanked::No), Just(Yanked::Yes), text().prop_map(Yanked::Because)]
}

fn filename() -> impl Strategy<Value = String> {
    let ending = prop_oneof![Just(".tar.gz"), Just(".whl"), Just("")];
    (text(), ending).prop_map(|(stem, ending)| format!("{stem}{ending}"))
}

fn file() -> impl Strategy<Value = File> {
    let time = prop_oneof!["2026-1[0-2]-0[1-9]T10:00:00(\\.[0-9]{1,6})?Z", text()];
    let first =
        (filename(), hashes(), option::of(text()), option::of(any::<u64>()), option::of(time));
    let second = (yanked(), core_metadata(), option::of(any::<bool>()), any::<bool>(), extra());
    (first, second).prop_map(
        |(
            (filename, hashes, requires_python, size, upload_time),
            (yanked, core_metadata, gpg_sig, provenance, extra),
        )| File {
            filename,
            hashes,
            requires_python,
            size,
            upload_time,
            yanked,
            core_metadata,
            gpg_sig,
            provenance,
            extra,
        },
    )
}

fn page() -> impl Strategy<Value = ProjectPage> {
    let status = (option::of(text()), option::of(text()));
    let name =
        "[a-z0-9]([a-z0-9._-]{0,10}[a-z0-9])?".prop_map(|name| ProjectName::parse(&name).unwrap());
    let lists = (vec(text(), 0..4), vec(text(), 0..3), vec(text(), 0..3));
    (name, vec(file(), 0..6), status, lists, extra(), extra()).prop_map(
        |(
            name,
            files,
            (marker, reason),
            (versions, tracks, alternate_locations),
            extra,
            meta_extra,
        )| ProjectPage {
            name,
            files,
            versions,
            status: Status { marker, reason },
            tracks,
            alternate_locations,
            extra,
            meta_extra,
        },
    )
}

fn links() -> impl Strategy<Value = Links> {
    ("(/[a-z+]{1,6}){0,4}/", "/[a-z]{1,6}/")
        .prop_map(|(page, tuf)| Links::from_page_path(&page, &tuf))
}

fn url() -> Url {
    Url::parse("https://index.example/root/pypi/+simple/x/").unwrap()
}

/// The page as far as HTML carries it.
fn in_html(mut page: ProjectPage) -> ProjectPage {
    page.versions.clear();
    page.extra.clear();
    page.meta_extra.clear();
    // Without a hash, only its ending shows that a link is a file.
    page.files.retain(|file| !file.hashes.is_empty() || is_distribution(&file.filename));
    for file in &mut page.files {
        file.size = None;
        file.upload_time = None;
        file.extra.clear();
        let one = |hashes: &mut BTreeMap<String, String>| match hashes.remove_entry("sha256") {
            Some(sha256) => *hashes = BTreeMap::from([sha256]),
            None => *hashes = std::mem::take(hashes).into_iter().take(1).collect(),
        };
        one(&mut file.hashes);
        if let CoreMetadata::Hashes(hashes) = &mut file.core_metadata {
            one(hashes);
        }
    }
    page
}

proptest! {
    #[test]
    fn normal_form_is_reached_at_once(page in page()) {
        let once = page.normalized();
        prop_assert_eq!(once.clone().normalized(), once);
    }

    #[test]
    fn json_reads_back_exactly(page in page(), links in links()) {
        let page = page.normalized();
        let body = render_json(&page, &links);
        let (read, read_links) = parse_signed(&body).unwrap();
        prop_assert_eq!(&read, &page);
        prop_assert_eq!(&read_links, &links);
        prop_assert_eq!(render_json(&read, &read_links), body);
    }

    #[test]
    fn json_reads_back_as_an_upstream_page(page in page(), links in links()) {
        let page = page.normalized();
        let listing = parse_json(&render_json(&page, &links), &url(), &page.name).unwrap();
        prop_assert_eq!(listing.skipped, vec![]);
        prop_assert_eq!(listing.sources.len(), page.files.len());
        prop_assert_eq!(listing.page, page);
    }

    #[test]
    fn html_reads_back_as_far_as_html_goes(page in page(), links in links()) {
        let page = page.normalized();
        let listing = parse_html(&render_html(&page, &links), &url(), &page.name).unwrap();
        prop_assert_eq!(listing.skipped, vec![]);
        prop_assert_eq!(listing.page, in_html(page));
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in vec(any::<u8>(), 0..400)) {
        let name = ProjectName::parse("x").unwrap();
        let _ = parse_json(&body, &url(), &name);
        let _ = parse_html(&body, &url(), &name);
        let _ = parse_signed(&body);
        let _ = parse_list(&body, Some("text/html"), &url());
        let _ = parse_list(&body, Some("application/vnd.pypi.simple.v1+json"), &url());
    }

    #[test]
    fn a_truncated_page_is_refused(page in page(), links in links(), cut in any::<prop::sample::Index>()) {
        let page = page.normalized();
        let json = render_json(&page, &links);
        let cut_json = &json[..cut.index(json.len())];
        prop_assert!(parse_json(cut_json, &url(), &page.name).is_err());
        let html = render_html(&page, &links);
        let end = html.len() - "</body>\n</html>\n".len() + 6;
        prop_assert!(parse_html(&html[..cut.index(end)], &url(), &page.name).is_err());
    }

    #[test]
    fn lists_read_back(names in vec("[a-z0-9]{1,8}", 0..20)) {
        let mut names: Vec<_> = names.iter().map(|n| ProjectName::parse(n).unwrap()).collect();
        names.sort();
        names.dedup();
        let url = Url::parse("https://x.example/root/+simple/").unwrap();
        let html = parse_list(&render_list_html(&names), Some(Format::Html.content_type()), &url).unwrap();
        let json = parse_list(&render_list_json(&names), Some(Format::Json.content_type()), &url).unwrap();
        prop_assert_eq!(&html, &json);
        let read: Vec<_> = json.projects.into_iter().map(|p| p.name).collect();
        prop_assert_eq!(read, names);
    }
}

/// A dependency that turns on serde_json's `preserve_order` would change what is signed.
#[test]
fn keys_are_sorted_at_every_depth() {
    let mut page = parse_json(
        br#"{"meta":{"api-version":"1.0"},"name":"x","files":[],"z":{"b":1,"a":{"d":1,"c":2}},"b":[{"y":1,"x":2}]}"#,
        &url(),
        &ProjectName::parse("x").unwrap(),
    )
    .unwrap()
    .page;
    page.versions = vec!["1".to_owned()];
    let rendered =
        String::from_utf8(render_json(&page, &Links { tuf: "../../tuf/".to_owned() })).unwrap();
    assert_eq!(
        rendered,
        r#"{"b":[{"x":2,"y":1}],"files":[],"meta":{"_tuf":{"metadata":"../../tuf/metadata/","targets":"../../tuf/targets/"},"api-version":"1.4"},"name":"x","versions":["1"],"z":{"a":{"c":2,"d":1},"b":1}}"#
    );
}
