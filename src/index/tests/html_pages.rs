//! Odd and hostile project pages in HTML.

use super::*;

#[test]
fn attributes_are_read() {
    let sha = "ab".repeat(32);
    let file = one(&format!(
        r##"<a href="../../p/foo-1.0%2Bx.whl#sha256={sha}" data-requires-python="&gt;=3.8,&#60;4" data-yanked="it&#x27;s &eacute; &lt;bad&gt;"
        data-dist-info-metadata="sha256={sha}" data-gpg-sig="true" data-provenance="/prov">foo</a>"##
    ));
    assert_eq!(file.filename, "foo-1.0+x.whl");
    assert_eq!(file.sha256(), Some(sha.as_str()));
    assert_eq!(file.requires_python.as_deref(), Some(">=3.8,<4"));
    assert_eq!(file.yanked, Yanked::Because("it's é <bad>".into()));
    assert!(matches!(file.core_metadata, CoreMetadata::Hashes(_)));
    assert_eq!((file.gpg_sig, file.provenance), (Some(true), true));
}

#[test]
fn unescaped_specifiers_are_read() {
    let file = one(r#"<a href="foo-1.zip" data-requires-python=">=3.8,<4">foo-1.zip</a>"#);
    assert_eq!(file.requires_python.as_deref(), Some(">=3.8,<4"));
    let file =
        one(r#"<a data-requires-python='>=2.7, !=3.0.*' href='foo-1.zip' data-yanked>x</a>"#);
    assert_eq!(
        (file.requires_python.as_deref(), file.yanked),
        (Some(">=2.7, !=3.0.*"), Yanked::Yes)
    );
}

#[test]
fn other_hashes_are_read() {
    let md5 = "d41d8cd98f00b204e9800998ecf8427e";
    let file = one(&format!(r##"<A HREF="foo-1.zip#egg=foo&amp;md5={md5}">x</A>"##));
    assert_eq!(file.hashes.into_iter().collect::<Vec<_>>(), [("md5".to_owned(), md5.to_owned())]);
    // A hash shows a file, whatever its name ends in.
    assert_eq!(one(&format!(r##"<a href="foo-1.dmg#md5={md5}">x</a>"##)).filename, "foo-1.dmg");
}

#[test]
fn metadata_without_a_hash_is_told_apart_from_none() {
    for (value, read) in [
        ("true", CoreMetadata::Unhashed),
        ("", CoreMetadata::Unhashed),
        ("false", CoreMetadata::None),
    ] {
        let anchor = format!(r#"<a href="foo-1.zip" data-core-metadata="{value}">x</a>"#);
        assert_eq!(one(&anchor).core_metadata, read, "{value}");
    }
}

#[test]
fn a_base_moves_relative_links() {
    let base = |base: &str| {
        let page = format!(r#"<head>{base}</head><a href="foo-1.zip">x</a>"#);
        html(&page).map(|listing| listing.sources["foo-1.zip"].url.to_string())
    };
    assert_eq!(
        base(r#"<base href="https://f.example/d/">"#).unwrap(),
        "https://f.example/d/foo-1.zip"
    );
    assert_eq!(
        base(r#"<base href="/d/"><base href="/e/">"#).unwrap(),
        "https://index.example/d/foo-1.zip"
    );
    assert_eq!(base("<base target=_top>").unwrap(), "https://index.example/simple/foo/foo-1.zip");
    assert!(base(r#"<base href="http://[">"#).is_err());
}

#[test]
fn meta_tags_are_read() {
    let listing = html(
        r#"<!doctype html><html><head><META NAME="pypi:repository-version" CONTENT="1.9">
        <meta name="pypi:project-status" content="archived"><meta name="pypi:project-status-reason" content="a &amp; b">
        <meta name="pypi:tracks" content="https://t/"><meta name="pypi:alternate-locations" content="https://l/">
        </head><body></body></html><!-- SERIAL 42 -->"#,
    )
    .unwrap();
    assert_eq!(listing.serial, Some(42));
    assert_eq!(
        listing.page.status,
        Status { marker: Some("archived".into()), reason: Some("a & b".into()) }
    );
    assert_eq!(listing.page.tracks, ["https://t/"]);
    assert_eq!(listing.page.alternate_locations, ["https://l/"]);
    assert_eq!(listing.page.files, []);
}

#[test]
fn what_is_no_simple_page_is_refused() {
    for page in [
        "",
        "Not Found",
        "<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>",
        r#"<!doctype html><html><body><div id="root"></div><script src="/app.js"></script></body></html>"#,
        r#"<html><body><a href="/login">Log in</a> <a href="/setup.exe">Get our agent</a></body></html>"#,
        r#"<html><body><!-- <a href="foo-1.zip">x</a> --></body></html>"#,
        r#"<html><body><script>"<a href='foo-1.zip'>x</a>"</script></body></html>"#,
        r#"{"meta":{"api-version":"1.0"},"name":"foo","files":[]}"#,
        r#"<html><head><title>Links for foo</title></head><body><a href="foo-1.zip">x</a>"#,
        r#"<body><h1>Links for foo</h1>"#,
    ] {
        assert!(html(page).is_err(), "{page}");
    }
    let later = r#"<meta name="pypi:repository-version" content="2.0"><a href="foo-1.zip">x</a>"#;
    assert!(matches!(html(later), Err(ParseError::Version(_))));
}

#[test]
fn a_plain_or_empty_page_is_read() {
    for (page, files) in [
        ("<html><head><title>Links for foo</title></head><body></body></html>", 0),
        ("<html><head><title>Simple Index</title></head><body></body></html>", 0),
        (
            r#"<html><head><title>Index of /simple/foo/</title></head><body><pre><a href="../">../</a>
            <a href="foo-1.zip">foo-1.zip</a></pre></body></html>"#,
            1,
        ),
        (r#"<a href="foo-1.zip">x</a>"#, 1),
    ] {
        let listing = html(page).unwrap();
        assert_eq!((listing.page.files.len(), listing.skipped), (files, vec![]), "{page}");
    }
}

#[test]
fn bad_links_are_skipped_and_other_links_passed_over() {
    let listing = html(
        r##"<title>Links for foo</title><a href="ftp://x/foo-1.zip">a</a><a href="http://[/foo-2.zip">b</a>
        <a href="foo-3.zip#sha256=00">c</a><a href="a%2Ffoo-4.zip">d</a><a href="foo%00-5.zip">e</a>
        <a href="#top">t</a><a href="">e</a><a href="javascript:0">j</a>
        <a name="x">n</a><a href="foo-6.zip.asc">s</a><a href="https://e.zip">h</a><a href="%FF.zip">u</a>"##,
    )
    .unwrap();
    assert_eq!(listing.page.files, []);
    let names: Vec<_> = listing.skipped.iter().map(|s| s.filename.as_str()).collect();
    assert_eq!(names, ["foo-1.zip", "foo-2.zip", "foo-3.zip", "a/foo-4.zip", "foo\0-5.zip"]);
}

#[test]
fn of_two_files_with_one_name_the_first_counts() {
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    let page =
        format!(r##"<a href="foo-1.zip#sha256={a}">1</a><a href="x/foo-1.zip#sha256={b}">2</a>"##);
    let listing = html(&page).unwrap();
    assert_eq!(listing.page.files[0].sha256(), Some(a.as_str()));
    assert_eq!(why(&listing), ["it is listed twice, with different hashes"]);
    assert_eq!(listing.sources["foo-1.zip"].url.path(), "/simple/foo/foo-1.zip");
}

#[test]
fn ten_thousand_links_are_read() {
    let sha = "0".repeat(64);
    let links: String = (0..10_000)
        .map(|i| format!("<a href=\"../../p/foo-{i}.zip#sha256={sha}\">x</a><br>\n"))
        .collect();
    let listing = html(&format!("<html><body>{links}</body></html>")).unwrap();
    assert_eq!((listing.page.files.len(), listing.sources.len()), (10_000, 10_000));
}

#[test]
fn markup_without_end_is_refused_within_fixed_memory() {
    const MANY: usize = 2_000_000;
    assert!(matches!(html(&"<b>".repeat(MANY)), Err(ParseError::Html(_))));
    assert!(matches!(html(&"<a href=x>".repeat(MANY)), Err(ParseError::Html(_))));
    assert!(matches!(html(&"<body>".repeat(MANY)), Err(ParseError::Html(_))));
    let long = "x".repeat(8 * MANY);
    assert!(matches!(html(&format!("<a href=\"{long}\">")), Err(ParseError::Html(_))));
    assert!(matches!(html(&format!("<!--{long}-->")), Err(ParseError::Html(_))));
    assert!(matches!(html(&format!("<a {}>", "a ".repeat(2 * MANY))), Err(ParseError::Html(_))));
    assert!(html(&"</b>".repeat(MANY)).is_err());
    assert!(html(&"<title>".repeat(MANY)).is_err());
    assert!(html(&"&amp;".repeat(MANY)).is_err());
}
