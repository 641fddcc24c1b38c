//! What is served, byte for byte: status, headers, and the paths of mirror and repository.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::hostile::{Answer, Hostile};
use crate::support::http::{End, JSON, Request, Response, get};
use crate::support::mirror::{Bandersnatch, Mirror};
use crate::support::packages::{Package, wheel};
use crate::support::sidecar::{Setup, Sidecar, target_path};
use crate::support::tools::need;

struct Scene {
    mirror: Bandersnatch,
    sidecar: Sidecar,
    file: Package,
}

fn scene() -> Scene {
    let mirror = Bandersnatch::start();
    let file = wheel("qx-served", "1.0+local");
    mirror.add(&file);
    let sidecar = Setup::before(&mirror).start();
    sidecar.wait_for(&file);
    Scene { mirror, sidecar, file }
}

fn head(url: &str) -> Response {
    Request::new("HEAD", url).send()
}

fn page_as(sidecar: &Sidecar, accept: &str) -> Response {
    Request::new("GET", &sidecar.page_url("qx-served")).header("Accept", accept).send()
}

#[test]
fn pages() {
    need!(Nginx);
    let Scene { sidecar, mirror: _mirror, .. } = scene();
    let page = sidecar.page("qx-served");
    assert_eq!(page.header("content-type"), Some(JSON));
    assert_eq!(
        page.header("vary").map(str::to_ascii_lowercase).as_deref(),
        Some("accept, accept-encoding")
    );
    let etag = page.header("etag").expect("a validator");
    assert!(!etag.starts_with("W/"), "{etag}");
    assert!(page.header("cache-control").is_some());
    let repository = page.header("countersign-tuf").expect("where the repository lies");
    assert!(!repository.contains("://"), "{repository}");
    assert_eq!(page.json()["name"], "qx-served");
    assert!(page.json()["meta"]["_tuf"]["metadata"].is_string());

    let unchanged = Request::new("GET", &sidecar.page_url("qx-served"))
        .header("Accept", JSON)
        .header("If-None-Match", etag)
        .send();
    assert_eq!(unchanged.status, 304);
    let only_head =
        Request::new("HEAD", &sidecar.page_url("qx-served")).header("Accept", JSON).send();
    assert_eq!((only_head.status, only_head.body.len()), (200, 0));
    assert_eq!(only_head.header("etag"), Some(etag));
    for accept in ["text/html", "*/*", "text/html;q=0.9, */*;q=0.1"] {
        let html = page_as(&sidecar, accept);
        assert!(
            html.header("content-type").is_some_and(|kind| kind.starts_with("text/html")),
            "{accept}"
        );
        assert_ne!(html.header("etag"), Some(etag));
    }
}

#[test]
fn other_spellings_of_a_page_lead_to_it() {
    need!(Nginx);
    let Scene { sidecar, mirror: _mirror, .. } = scene();
    let simple = sidecar.simple_url();
    let slashless = get(&format!("{simple}qx-served"));
    assert!(matches!(slashless.status, 301 | 302 | 307 | 308), "{}", slashless.status);
    let location = slashless.header("location").expect("a location");
    assert!(!location.contains("://") && location.ends_with("qx-served/"), "{location}");
    let doubled = get(&format!("{}qx-served/", simple.replace("/simple/", "//simple//")));
    assert!(matches!(doubled.status, 301 | 308), "{}", doubled.status);
    let location = doubled.header("location").expect("a location");
    assert!(location.starts_with("..") && location.ends_with("/simple/qx-served/"), "{location}");
    let unknown = get(&format!("{simple}qx-unknown/"));
    assert_eq!((unknown.status, unknown.end), (404, End::Complete));
}

#[test]
fn metadata() {
    need!(Nginx);
    let Scene { sidecar, mirror: _mirror, .. } = scene();
    let url = |name: &str| format!("{}{name}", sidecar.metadata_url());
    let timestamp = get(&url("timestamp.json"));
    assert_eq!(timestamp.status, 200);
    let named = &timestamp.json()["signed"]["meta"]["snapshot.json"];
    let snapshot = get(&url(&format!("{}.snapshot.json", named["version"])));
    assert_eq!(named["length"].as_u64(), Some(snapshot.body.len() as u64));
    assert_eq!(named["hashes"]["sha256"], hex::encode(Sha256::digest(&snapshot.body)));
    assert!(
        snapshot.header("cache-control").is_some_and(|value| value.contains("immutable")),
        "{snapshot:?}"
    );
    assert!(!timestamp.header("cache-control").is_some_and(|value| value.contains("immutable")));
    assert_eq!(snapshot.header("content-encoding"), None, "never compressed unasked");
    let meta = snapshot.json()["signed"]["meta"].as_object().cloned().expect("entries");
    for (name, entry) in &meta {
        let role = get(&url(&format!("{}.{name}", entry["version"])));
        assert_eq!(role.status, 200, "{name}");
        assert_eq!(role.json()["signed"]["version"], entry["version"]);
    }

    let next = get(&url("2.root.json"));
    assert_eq!(next.status, 404);
    assert!(
        next.header("cache-control").is_some_and(|value| value.contains("no-store")),
        "{next:?}"
    );
    for encoding in ["gzip", "br", "zstd"] {
        let request =
            Request::new("GET", &url("1.targets.json")).header("Accept-Encoding", encoding);
        assert_eq!(request.send().header("content-encoding"), Some(encoding));
    }
}

#[test]
fn targets_have_three_names() {
    need!(Nginx);
    let Scene { sidecar, file, mirror: _mirror } = scene();
    let (sha256, path) = (file.sha256(), target_path(&file));
    let (folder, name) = path.rsplit_once('/').expect("a folder");
    for path in [
        path.clone(),
        path.replace('+', "%2B"),
        format!("{folder}/{sha256}.{name}"),
        format!("{sha256}.{folder}/{name}"),
    ] {
        let url = format!("{}{path}", sidecar.targets_url());
        let answer = get(&url);
        assert!(answer.is_whole() && answer.body == file.bytes, "{path}: {}", answer.status);
        assert_eq!(
            head(&url).header("content-length"),
            Some(file.bytes.len().to_string().as_str())
        );
    }
    let wrong = format!("{}{folder}/{}.{name}", sidecar.targets_url(), "0".repeat(64));
    assert!((400..500).contains(&get(&wrong).status), "no target has that hash");
    for path in [
        "files/qx-served/../../../online.pem",
        "files/qx-served/%2e%2e/%2e%2e/x.whl",
        "files/..",
        "",
    ] {
        let answer = get(&format!("{}{path}", sidecar.targets_url()));
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
    }
}

#[test]
fn ranges_come_from_verified_bytes_alone() {
    need!(Nginx);
    let Scene { sidecar, file, mirror: _mirror } = scene();
    let url = sidecar.file_url(&file);
    let whole = get(&url);
    let etag = whole.header("etag").expect("a validator of verified bytes").to_owned();
    assert!(whole.header("cache-control").is_some_and(|value| value.contains("immutable")));
    let part =
        Request::new("GET", &url).header("Range", "bytes=10-19").header("If-Range", &etag).send();
    assert_eq!((part.status, part.body.as_slice()), (206, &file.bytes[10..20]));
    let stale = Request::new("GET", &url)
        .header("Range", "bytes=10-19")
        .header("If-Range", "\"other\"")
        .send();
    assert_eq!((stale.status, stale.body == file.bytes), (200, true));
}

#[test]
fn the_mirrors_own_paths() {
    need!(Nginx);
    let Scene { mirror, sidecar, file } = scene();
    let own = format!("{}{}", sidecar.origin, mirror.file_path(&file));
    for url in [own.clone(), own.replace('+', "%2B")] {
        let answer = get(&url);
        assert!(answer.is_whole() && answer.body == file.bytes, "{url}: {}", answer.status);
    }
    assert_eq!(
        get(&own.replace("qx_served-1.0", "qx_served-9.9")).status,
        403,
        "nothing vouches for it"
    );

    let list = Request::new("GET", &sidecar.simple_url()).header("Accept", JSON).send().json();
    let names: Vec<&Value> =
        list["projects"].as_array().expect("projects").iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["qx-served"]);
}

#[test]
fn all_else_passes_through() {
    let upstream = Hostile::start();
    upstream.answer("/health", Answer::new(200, "text/plain", "well").with("X-Mirror", "yes"));
    upstream.answer("/teapot", Answer::status(418));
    upstream.answer("/files/unsigned-1.0.tar.gz", Answer::file("bytes"));
    let sidecar = Setup::bare(&upstream.simple_url()).start();
    let health = get(&format!("{}/health", sidecar.origin));
    assert_eq!(
        (health.status, health.text().as_str(), health.header("x-mirror")),
        (200, "well", Some("yes"))
    );
    let teapot = get(&format!("{}/teapot", sidecar.origin));
    assert_eq!(teapot.status, 418);
    assert_eq!(get(&format!("{}/files/unsigned-1.0.tar.gz", sidecar.origin)).status, 403);
    assert_eq!(upstream.asked_for("/files/unsigned-1.0.tar.gz"), 0);
    assert_eq!(
        get(&format!("{}/metrics", sidecar.origin)).status,
        404,
        "metrics have a listener of their own"
    );
    assert_eq!(
        get(&format!("{}/simple/", sidecar.admin)).status,
        404,
        "which never serves the index"
    );
}

#[test]
fn an_upload_passes_with_status_and_reason() {
    let upstream = Hostile::start();
    upstream.answer("/upload/", Answer::status(409));
    let sidecar = Setup::bare(&upstream.simple_url()).start();
    let answer = Request::new("POST", &format!("{}/upload/", sidecar.origin)).body("a file").send();
    assert_eq!(
        (answer.status, answer.reason.as_str(), answer.text().as_str()),
        (409, "Scripted", "no")
    );
}
