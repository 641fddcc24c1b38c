//! Odd and hostile project pages in JSON.

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
        r#"{"meta":{"x":1},"files":[]}"#,
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
    let good =
        format!(r#"{{"filename":"foo-1.zip","url":"foo-1.zip","hashes":{{"sha256":"{sha}"}}}}"#);
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
        let page = format!(r#"{{"filename":"foo-1.zip","url":"x","{name}":{{"sha256":"{sha}"}}}}"#);
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
