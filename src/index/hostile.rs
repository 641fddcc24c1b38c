//! Odd and hostile documents.

use url::Url;

use super::*;

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

mod json_pages {
    use super::*;

    #[test]
    fn versions_one_are_read_and_others_refused() {
        for version in [r#""1.0""#, r#""1.4""#, r#""1.9""#, r#""1""#, "1.1"] {
            let page = format!(r#"{{"meta":{{"api-version":{version}}},"name":"foo","files":[]}}"#);
            assert!(json(&page).is_ok(), "{page}");
        }
        for version in [r#""2.0""#, r#""0.9""#, r#""""#, r#""x""#, "2", "null", "{}"] {
            let page = format!(r#"{{"meta":{{"api-version":{version}}},"name":"foo","files":[]}}"#);
            assert!(matches!(json(&page), Err(ParseError::Version(_))), "{page}");
        }
    }

    #[test]
    fn a_page_needs_files_and_a_sign_of_what_it_is() {
        assert!(json(r#"{"name":"foo","files":[]}"#).is_ok());
        assert!(json(r#"{"meta":{"api-version":"1.0"},"files":[]}"#).is_ok());
        for page in [
            r#"{"files":[]}"#,
            r#"{"meta":{},"files":[]}"#,
            r#"{"meta":[],"name":"foo","files":[]}"#,
            r#"{"meta":{"api-version":"1.0"},"name":"foo"}"#,
            r#"{"meta":{"api-version":"1.0"},"name":"foo","files":{}}"#,
            r#"{"meta":{"api-version":"1.0"},"name":"foo","files":null}"#,
            r#"{"name":"foo","files":[]} x"#,
            r#"{"name":"foo","files":[],"files":[]}"#,
            r#"{"name":"foo","files":[],"name":"foo"}"#,
            r#"{"name":"foo","files":[],"x":{"a":1,"a":2}}"#,
            r#"{"name":"foo","files":[],"x":1e999}"#,
            "[]",
            "null",
            "",
            "<html></html>",
            "\u{FEFF}",
        ] {
            assert!(json(page).is_err(), "{page}");
        }
        assert!(json("\u{FEFF}{\"name\":\"foo\",\"files\":[]}").is_ok());
    }

    #[test]
    fn another_projects_page_is_refused() {
        assert!(json(r#"{"name":"FOO","files":[]}"#).is_ok());
        for name in [r#""bar""#, "1", "null", r#""../foo""#] {
            let page = format!(r#"{{"name":{name},"files":[]}}"#);
            assert!(matches!(json(&page), Err(ParseError::OtherProject { .. })), "{page}");
        }
    }

    #[test]
    fn serials_come_in_all_shapes() {
        for (serial, read) in [
            ("11", Some(11)),
            (r#""11""#, Some(11)),
            ("11.0", Some(11)),
            ("0", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("1e300", None),
            ("null", None),
            ("[]", None),
        ] {
            let page = format!(r#"{{"meta":{{"_last-serial":{serial}}},"name":"foo","files":[]}}"#);
            assert_eq!(json(&page).unwrap().serial, read, "{serial}");
        }
    }

    #[test]
    fn a_bad_entry_does_not_spoil_the_page() {
        let sha = "0".repeat(64);
        let good = format!(
            r#"{{"filename":"foo-1.zip","url":"foo-1.zip","hashes":{{"sha256":"{sha}"}}}}"#
        );
        for (bad, reason) in [
            ("3", "no object"),
            (r#"{"url":"x"}"#, "no file name"),
            (r#"{"filename":7,"url":"x"}"#, "no file name"),
            (r#"{"filename":"foo-2.zip"}"#, "no link"),
            (r#"{"filename":"foo-2.zip","url":null}"#, "no link"),
            (r#"{"filename":"foo-2.zip","url":"ftp://x/foo-2.zip"}"#, "neither http nor https"),
            (r#"{"filename":"foo-2.zip","url":"http://"}"#, "no URL"),
            (r#"{"filename":"../foo-2.zip","url":"x"}"#, "slash"),
            (r#"{"filename":"foo\u0000.zip","url":"x"}"#, "control character"),
            (r#"{"filename":"","url":"x"}"#, "empty"),
            (r#"{"filename":"..","url":"x"}"#, "dot segment"),
            (r#"{"filename":"foo-2.zip","url":"x","hashes":[]}"#, "hashes are no object"),
            (r#"{"filename":"foo-2.zip","url":"x","hashes":{"sha256":"abc"}}"#, "64 hex digits"),
            (r#"{"filename":"foo-2.zip","url":"x","hashes":{"sha256":null}}"#, "64 hex digits"),
            (r#"{"filename":"foo-1.zip","url":"x","hashes":{}}"#, "listed twice"),
        ] {
            let listing = files(&format!("{good},{bad}")).unwrap();
            assert_eq!(listing.page.files.len(), 1, "{bad}");
            assert_eq!(listing.skipped.len(), 1, "{bad}");
            assert!(why(&listing)[0].contains(reason), "{bad}: {:?}", why(&listing));
        }
        assert_eq!(files(&format!("{good},{good}")).unwrap().skipped, vec![]);
    }

    #[test]
    fn odd_values_count_as_absent() {
        let listing = files(
            r#"{"filename":"foo-1.zip","url":"foo-1.zip","requires-python":3,"size":-1,"upload-time":"yesterday",
               "yanked":"","core-metadata":{},"gpg-sig":"yes","provenance":"","_private":1,"future":{"a":[1.5]}}"#,
        );
        let page = listing.unwrap().page;
        let file = page.files.into_iter().next().unwrap();
        assert_eq!((file.requires_python, file.size, file.upload_time), (None, None, None));
        assert_eq!((file.yanked, file.core_metadata), (Yanked::No, CoreMetadata::None));
        assert_eq!((file.gpg_sig, file.provenance), (None, false));
        assert_eq!(
            file.extra.into_iter().collect::<Vec<_>>(),
            [("future".into(), serde_json::json!({"a":[1.5]}))]
        );
    }

    #[test]
    fn core_metadata_is_read_under_each_of_its_names() {
        let sha = "ab".repeat(32);
        for name in ["core-metadata", "data-dist-info-metadata", "dist-info-metadata"] {
            let page =
                format!(r#"{{"filename":"foo-1.zip","url":"x","{name}":{{"sha256":"{sha}"}}}}"#);
            let file = files(&page).unwrap().page.files.remove(0);
            assert!(
                matches!(file.core_metadata, CoreMetadata::Hashes(h) if h["sha256"] == sha),
                "{name}"
            );
            assert!(file.extra.is_empty());
        }
        for (value, read) in [
            ("true", CoreMetadata::Unhashed),
            ("false", CoreMetadata::None),
            (r#"{"md5":"d41d8cd98f00b204e9800998ecf8427e"}"#, CoreMetadata::Unhashed),
            (r#"{"sha256":"short"}"#, CoreMetadata::Unhashed),
        ] {
            let page = format!(r#"{{"filename":"foo-1.zip","url":"x","core-metadata":{value}}}"#);
            assert_eq!(files(&page).unwrap().page.files[0].core_metadata, read, "{value}");
        }
    }

    #[test]
    fn status_tracks_and_unknown_keys_are_kept_and_private_ones_dropped() {
        let listing = json(
            r#"{"meta":{"api-version":"1.4","tracks":["https://b/","https://a/"],"_last-serial":3,"note":"n"},
               "name":"foo","files":[],"versions":["1.1","1.0","1.1"],"alternate-locations":["https://c/"],
               "project-status":{"status":"quarantined","reason":"bad\nnews"},"_x":1,"y":null}"#,
        );
        let page = listing.unwrap().page;
        assert_eq!(page.tracks, ["https://a/", "https://b/"]);
        assert_eq!(page.versions, ["1.0", "1.1"]);
        assert_eq!(page.alternate_locations, ["https://c/"]);
        assert_eq!(
            page.status,
            Status { marker: Some("quarantined".into()), reason: Some("bad news".into()) }
        );
        assert_eq!(page.extra.keys().collect::<Vec<_>>(), ["y"]);
        assert_eq!(page.meta_extra.keys().collect::<Vec<_>>(), ["note"]);
    }

    #[test]
    fn provenance_is_resolved() {
        let listing =
            files(r#"{"filename":"foo-1.zip","url":"x","provenance":"/p/foo-1.zip"}"#).unwrap();
        assert!(listing.page.files[0].provenance);
        let provenance = listing.sources["foo-1.zip"].provenance.clone().unwrap();
        assert_eq!(provenance.as_str(), "https://index.example/p/foo-1.zip");
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = format!(r#"{{"name":"foo","files":[],"x":{}"#, "[".repeat(4_000_000));
        assert!(json(&deep).is_err());
        let wide = format!(r#"{{"name":"foo","files":[],"x":[{}0]}}"#, "0,".repeat(4_000_000));
        assert!(json(&wide).is_err());
        let many = "0,".repeat(4_000_000);
        assert!(matches!(files(&format!("{many}0")), Err(ParseError::TooMany { .. })));
        let entry = |i: usize| format!(r#"{{"filename":"{i}","url":"x"}},"#);
        let many: String = (0..100_001).map(entry).collect();
        assert!(matches!(files(many.trim_end_matches(',')), Err(ParseError::TooMany { .. })));
        let fat = format!(r#"{{"filename":"a","url":"x","y":[{}0]}}"#, "0,".repeat(9_000));
        let fat = vec![fat; 100].join(",");
        assert!(files(&fat).is_err());
    }
}

mod html_pages {
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
        assert_eq!(
            file.hashes.into_iter().collect::<Vec<_>>(),
            [("md5".to_owned(), md5.to_owned())]
        );
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
        assert_eq!(
            base("<base target=_top>").unwrap(),
            "https://index.example/simple/foo/foo-1.zip"
        );
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
        let later =
            r#"<meta name="pypi:repository-version" content="2.0"><a href="foo-1.zip">x</a>"#;
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
        let page = format!(
            r##"<a href="foo-1.zip#sha256={a}">1</a><a href="x/foo-1.zip#sha256={b}">2</a>"##
        );
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
        assert!(matches!(
            html(&format!("<a {}>", "a ".repeat(2 * MANY))),
            Err(ParseError::Html(_))
        ));
        assert!(html(&"</b>".repeat(MANY)).is_err());
        assert!(html(&"<title>".repeat(MANY)).is_err());
        assert!(html(&"&amp;".repeat(MANY)).is_err());
    }
}

mod lists {
    use super::*;

    fn list(body: &str, format: Format) -> Result<ProjectList, ParseError> {
        let url = Url::parse("https://index.example/root/simple/").unwrap();
        parse_list(body.as_bytes(), Some(format.content_type()), &url)
    }

    fn names(list: ProjectList) -> Vec<String> {
        list.projects.into_iter().map(|project| project.name.into()).collect()
    }

    #[test]
    fn json_lists_are_sorted_and_unique() {
        let list = list(
            r#"{"projects":[{"name":"B.b","_last-serial":"7"},{"name":"a","_last-serial":3.0},{"name":"b_b","_last-serial":9},
               {"name":"../x"},{"name":"c","_last-serial":null,"more":[1]}],"meta":{"_last-serial":"12","api-version":"1.4"},"x":{}}"#,
            Format::Json,
        )
        .unwrap();
        assert_eq!((list.skipped, list.last_serial), (1, Some(12)));
        let serials: Vec<_> = list.projects.iter().map(|p| (p.name.as_str(), p.serial)).collect();
        assert_eq!(serials, [("a", Some(3)), ("b-b", Some(9)), ("c", None)]);
    }

    #[test]
    fn html_lists_take_the_folders_beside_them() {
        let list = list(
            r#"<html><body><a href="a/">A</a><a href="/simple/B.b/">b</a><a href="../simple/c">c</a><a href="https://o.example/simple/d/">d</a>
               <a href="../">up</a><a href="/">top</a><a href="/other/e/">e</a><a href="f%2F/">f</a><a href="./">self</a></body></html>"#,
            Format::Html,
        )
        .unwrap();
        assert_eq!(list.skipped, 1);
        assert_eq!(names(list), ["a", "b-b", "c", "d"]);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for body in [
            "{}",
            "[]",
            r#"{"projects":{}}"#,
            r#"{"projects":[{}]}"#,
            r#"{"projects":[1]}"#,
            r#"{"projects":[],"projects":[]}"#,
            r#"{"projects":[{"name":"a"}"#,
            r#"{"meta":{"api-version":"2.0"},"projects":[]}"#,
        ] {
            assert!(list(body, Format::Json).is_err(), "{body}");
        }
        for body in ["", "<html><body>hello</body></html>", r#"<html><body><a href="a/">a</a>"#] {
            assert!(list(body, Format::Html).is_err(), "{body}");
        }
        let empty = "<html><head><title>Simple index</title></head><body></body></html>";
        assert_eq!(names(list(empty, Format::Html).unwrap()), [""; 0]);
        assert_eq!(names(list(r#"{"projects":[]}"#, Format::Json).unwrap()), [""; 0]);
    }

    #[test]
    fn a_large_list_is_read_and_a_larger_one_refused() {
        let body = |n: usize| {
            let entries: Vec<_> = (0..n).map(|i| format!(r#"{{"name":"p{i}"}}"#)).collect();
            format!(r#"{{"meta":{{"api-version":"1.0"}},"projects":[{}]}}"#, entries.join(","))
        };
        assert_eq!(list(&body(100_000), Format::Json).unwrap().projects.len(), 100_000);
        assert!(matches!(list(&body(2_000_001), Format::Json), Err(ParseError::TooMany { .. })));
    }
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
