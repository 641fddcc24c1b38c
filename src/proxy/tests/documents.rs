//! Pages, lists and metadata.

use std::io::Read as _;

use super::site::{Sample, Site};
use crate::tuf::Digest;

const JSON: &str = "Accept: application/vnd.pypi.simple.v1+json";

#[tokio::test]
async fn a_page_is_served_as_the_bytes_that_are_signed() {
    let site = Site::start(&[Sample::small("demo-1.0-py3-none-any.whl")]).await;
    for (accept, kind, target) in [
        (JSON, "application/vnd.pypi.simple.v1+json", "vnd.pypi.simple.v1.json"),
        ("Accept: text/html", "text/html; charset=utf-8", "vnd.pypi.simple.v1.html"),
    ] {
        let page = site.get_with("/simple/demo/", accept).await;
        assert_eq!(page.code(), "200");
        assert_eq!(page.header("content-type"), kind);
        assert_eq!(page.header("vary"), "Accept, Accept-Encoding");
        assert_eq!(page.header("countersign-tuf"), "../../tuf/");
        assert_eq!(page.header("content-encoding"), "");
        let digest = Digest::of(&page.body);
        assert_eq!(page.header("etag"), format!("\"{digest}\""));
        for path in [
            format!("simple/demo/{target}"),
            format!("simple/demo/{digest}.{target}"),
            format!("{digest}.simple/demo/{target}"),
        ] {
            let same = site.get(&format!("/tuf/targets/{path}")).await;
            assert_eq!((same.code(), same.header("content-type")), ("200", kind), "{path}");
            assert_eq!(same.body, page.body);
        }
        let other = Digest::of(b"older");
        let gone = site.get(&format!("/tuf/targets/simple/demo/{other}.{target}")).await;
        assert_eq!((gone.code(), gone.header("cache-control")), ("404", "no-store"));
    }
    assert_eq!(site.metric("http_requests_total{code_class=\"2xx\",route=\"page\"}"), 2);
    assert_eq!(site.metric("http_requests_in_flight"), 0);
}

#[tokio::test]
async fn a_page_has_validators_for_each_encoding() {
    let site = Site::start(&[Sample::small("demo-1.0-py3-none-any.whl")]).await;
    let plain = site.get_with("/simple/demo/", JSON).await;
    let gzip = site.get_with("/simple/demo/", &format!("{JSON}\r\nAccept-Encoding: gzip")).await;
    assert_eq!(gzip.header("content-encoding"), "gzip");
    assert_ne!(gzip.header("etag"), plain.header("etag"));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&gzip.body[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
    let tag = plain.header("etag");
    let known = site.get_with("/simple/demo/", &format!("{JSON}\r\nIf-None-Match: {tag}")).await;
    assert_eq!((known.code(), known.body.len()), ("304", 0));
    assert_eq!(known.header("etag"), tag);
    let head = site.head("/simple/demo/").await;
    assert_eq!((head.code(), head.body.len()), ("200", 0));
    let html = site.get("/simple/demo/").await;
    assert_eq!(head.header("content-length"), html.body.len().to_string());
    assert_eq!(head.header("etag"), html.header("etag"));
}

#[tokio::test]
async fn other_spellings_lead_to_the_canonical_page() {
    let site = Site::start(&[]).await;
    for (path, location) in [
        ("/simple/Demo", "../simple/demo/"),
        ("/simple//demo/?format=x", "../../../simple/demo/?format=x"),
        ("/simple", "simple/"),
    ] {
        let moved = site.get(path).await;
        assert_eq!((moved.code(), moved.header("location")), ("301", location), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_or_not_acceptable_says_so() {
    let site = Site::start(&[Sample::small("demo-1.0.zip")]).await;
    let unknown = site.get("/simple/unknown/").await;
    assert_eq!(unknown.code(), "404");
    assert_eq!(unknown.header("content-type"), "application/problem+json");
    assert!(unknown.json()["detail"].as_str().unwrap().contains("unknown"));
    let png = site.get_with("/simple/demo/", "Accept: image/png").await;
    assert_eq!(png.code(), "406");
    let post = "POST /tuf/metadata/timestamp.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(site.send(post).await.code(), "405");
    let head = site.head("/simple/unknown/").await;
    assert_eq!((head.code(), head.body.len()), ("404", 0));
    assert_eq!(site.metric("http_requests_total{code_class=\"aborted\",route=\"page\"}"), 0);
}

#[tokio::test]
async fn metadata_is_served_by_version() {
    let site = Site::start(&[Sample::small("demo-1.0.zip")]).await;
    let timestamp = site.get("/tuf/metadata/timestamp.json").await;
    assert_eq!(timestamp.header("cache-control"), "no-cache");
    let entry = &timestamp.json()["signed"]["meta"]["snapshot.json"];
    let version = entry["version"].as_u64().unwrap();
    let snapshot = site.get(&format!("/tuf/metadata/{version}.snapshot.json")).await;
    assert_eq!(snapshot.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(entry["hashes"]["sha256"], Digest::of(&snapshot.body).to_string());
    assert_eq!(entry["length"], snapshot.body.len());
    for (name, entry) in snapshot.json()["signed"]["meta"].as_object().unwrap() {
        let role = site.get(&format!("/tuf/metadata/{}.{name}", entry["version"])).await;
        assert_eq!(role.code(), "200", "{name}");
    }
    assert_eq!(site.get("/tuf/metadata/1.root.json").await.code(), "200");
    for absent in ["2.root.json", "99.snapshot.json", "1.nothing.json", "root.json"] {
        let absent = site.get(&format!("/tuf/metadata/{absent}")).await;
        assert_eq!((absent.code(), absent.header("cache-control")), ("404", "no-store"));
    }
    let packed = site.get_with("/tuf/metadata/1.root.json", "Accept-Encoding: zstd").await;
    let root = site.get("/tuf/metadata/1.root.json").await;
    assert_eq!(zstd::decode_all(&packed.body[..]).unwrap(), root.body);
}

#[tokio::test]
async fn the_list_names_what_is_published() {
    let site = Site::start(&[Sample::small("demo-1.0.zip")]).await;
    for _ in 0..2 {
        let list = site.get_with("/simple/", JSON).await;
        assert_eq!(list.json()["projects"], serde_json::json!([{ "name": "demo" }]));
        assert_eq!(list.header("countersign-tuf"), "../tuf/");
    }
    let html = site.get("/simple/").await;
    assert_eq!(html.header("content-type"), "text/html; charset=utf-8");
    assert!(String::from_utf8(html.body).unwrap().contains("<a href=\"demo/\">demo</a>"));
}

#[tokio::test]
async fn where_html_is_off_json_is_all_there_is() {
    let samples = [Sample::small("demo-1.0.zip")];
    let site = Site::with(&samples, |config| config.html = false, None).await;
    assert_eq!(
        site.get("/simple/demo/").await.header("content-type"),
        "application/vnd.pypi.simple.v1+json"
    );
    assert_eq!(site.get_with("/simple/demo/", "Accept: text/html").await.code(), "406");
    assert_eq!(site.get("/tuf/targets/simple/demo/vnd.pypi.simple.v1.html").await.code(), "404");
}
