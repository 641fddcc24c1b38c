//! Bad input: a clear refusal each, what was signed stays, and memory stays within a limit.

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::clients::Installer;
use crate::support::hostile::{Answer, Hostile, link, page};
use crate::support::http::{JSON, get};
use crate::support::packages::{Package, wheel};
use crate::support::sidecar::{SOON, Setup, Sidecar};
use crate::support::tools::need;
use crate::support::{eventually, secs};

/// Data memory that the kernel grants the process, bytes. A page may have 64 MiB.
const MEMORY: u64 = 512 << 20;

fn start(upstream: &Hostile) -> Sidecar {
    Setup::bare(&upstream.simple_url())
        .set("watch.interval", "500ms")
        .set("upstream.response-timeout", "2s")
        .set("upstream.page-timeout", "20s")
        .set("limits.list", "128 MiB")
        .memory(MEMORY)
        .start()
}

fn project(name: &str) -> Package {
    wheel(&format!("qx-{name}"), "1.0")
}

/// The process is the same one, within its limit, and serves what it had signed.
fn lives(sidecar: &mut Sidecar, signed: &[&Package]) {
    assert!(sidecar.process().is_running());
    let peak = sidecar.process().peak_memory();
    assert!(peak < MEMORY, "{peak} bytes of memory");
    for file in signed {
        assert_eq!(sidecar.listed(file), Some(file.sha256()), "{}", file.filename);
    }
}

/// Pages that are no good, each on a project that was signed before.
#[test]
fn bad_pages_are_refused() {
    let cases: [(&str, &str, Answer); 11] = [
        ("endless", "oversize", Answer::Endless { content_type: JSON.into(), bytes: 200 << 20 }),
        ("bomb", "oversize", bomb()),
        ("cut", "page-truncated", cut_short()),
        (
            "json",
            "page-truncated",
            Answer::new(200, JSON, r#"{"meta": {"api-version": "1.0"}, "name": "#),
        ),
        ("deep", "page-malformed", Answer::new(200, JSON, "[".repeat(1_000_000))),
        (
            "html",
            "page-malformed",
            Answer::new(200, "text/html", "<html><body><h1>Log in</h1></body></html>"),
        ),
        ("text", "page-malformed", Answer::new(200, "text/plain", "upgrading, come back later")),
        ("other", "page-mismatch", Answer::json(&page("qx-another", &[]))),
        ("error", "page-error", Answer::status(500)),
        ("hang", "page-error", Answer::Hang),
        ("denied", "page-error", Answer::status(403)),
    ];
    let upstream = Hostile::start();
    let files: Vec<_> = cases.iter().map(|(name, ..)| project(name)).collect();
    let names: Vec<_> = files.iter().map(Package::normalized).collect();
    upstream.list(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for file in &files {
        upstream.publish(&[file]);
    }
    let mut sidecar = start(&upstream);
    for file in &files {
        sidecar.wait_for(file);
    }
    let snapshot = sidecar.version("snapshot");
    for ((name, reason, answer), file) in cases.into_iter().zip(&files) {
        let before = sidecar.refusals(reason);
        upstream.answer(&format!("/simple/qx-{name}/"), answer);
        eventually(&format!("{name}: {reason}"), SOON * 2, || {
            (sidecar.refusals(reason) > before).then_some(())
        });
        sidecar.expect_logged(&[reason, &format!("qx-{name}")]);
        lives(&mut sidecar, &[file]);
        upstream.publish(&[file]);
    }
    lives(&mut sidecar, &files.iter().collect::<Vec<_>>());
    assert_eq!(sidecar.version("snapshot"), snapshot, "nothing was signed for it");

    // It goes on: a good page is published.
    let (old, new) = (&files[0], wheel("qx-endless", "1.1"));
    upstream.publish(&[old, &new]);
    sidecar.wait_for(&new);
}

/// 256 MiB of blanks.
fn bomb() -> Answer {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let block = vec![b' '; 1 << 20];
    for _ in 0..256 {
        encoder.write_all(&block).expect("blanks");
    }
    Answer::new(200, JSON, encoder.finish().expect("a bomb")).with("Content-Encoding", "gzip")
}

fn cut_short() -> Answer {
    let body = page("qx-cut", &[]).to_string();
    Answer::Short {
        content_type: JSON.into(),
        promised: body.len() + 100,
        body: Arc::new(body.into_bytes()),
    }
}

/// A redirect, and links, to where nothing may be fetched: the process is not to be led about the network.
#[test]
fn other_origins_are_not_followed() {
    let elsewhere = Hostile::start();
    let upstream = Hostile::start();
    let (good, signed, redirected) =
        (project("linking"), project("moved"), wheel("qx-moved", "9.0"));
    elsewhere.publish(&[&redirected]);
    upstream.list(&["qx-linking", "qx-moved"]);
    upstream.publish(&[&signed]);
    let away = |name: &str, url: &str| {
        let file = wheel("qx-linking", name);
        elsewhere.answer(&format!("/files/{}", file.filename), Answer::file(file.bytes.clone()));
        let mut entry = link(&file);
        entry["url"] = format!("{url}/files/{}", file.filename).into();
        // Whatever has no hash would have to be fetched at once.
        entry["hashes"] = json!({});
        entry
    };
    let links = [
        link(&good),
        away("2.0", &elsewhere.origin()),
        away("3.0", &format!("http://localhost:{}", elsewhere.port)),
        away("4.0", "http://169.254.169.254"),
        away("5.0", &format!("http://[::1]:{}", elsewhere.port)),
        away("6.0", "file:///etc"),
    ];
    upstream.page("qx-linking", &links);
    upstream.answer(&format!("/files/{}", good.filename), Answer::file(good.bytes.clone()));
    let mut sidecar = start(&upstream);
    sidecar.wait_for(&good);
    sidecar.wait_for(&signed);
    sidecar.wait_for_refusals("origin", 4.0);
    let listed = sidecar.page("qx-linking").json();
    assert_eq!(listed["files"].as_array().map(Vec::len), Some(1), "{listed}");

    let before = sidecar.refusals("origin");
    upstream.answer(
        "/simple/qx-moved/",
        Answer::redirect(&format!("{}/simple/qx-moved/", elsewhere.origin())),
    );
    eventually("a refused redirect", SOON, || (sidecar.refusals("origin") > before).then_some(()));
    sidecar.expect_logged(&["origin", "qx-moved"]);
    lives(&mut sidecar, &[&good, &signed]);
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

/// A name that the upstream answers with a redirect to another index is nobody's: signing it would put a public
/// package under a private name.
#[test]
fn an_unknown_name_is_not_fetched_from_another_index() {
    let public = Hostile::start();
    let upstream = Hostile::start();
    let file = project("confused");
    public.publish(&[&file]);
    upstream.answer(
        "/simple/qx-confused/",
        Answer::redirect(&format!("{}/simple/qx-confused/", public.origin())),
    );
    let sidecar = start(&upstream);
    assert_eq!(sidecar.page("qx-confused").status, 404);
    assert_eq!(public.requests(), Vec::<String>::new());
}

#[test]
fn odd_file_names_are_refused_alone() {
    let upstream = Hostile::start();
    let good = project("names");
    let named = |filename: &str| {
        let mut entry = link(&good);
        entry["filename"] = filename.into();
        entry
    };
    let odd = [
        "../qx_names-2.0-py3-none-any.whl",
        "..\\qx_names-3.0-py3-none-any.whl",
        "qx_names-4.0\u{1}-py3-none-any.whl",
        "qx_names-5.0-py3-none-any.whl\r\nSet-Cookie: a=b",
        ".qx_names-6.0.tar.gz",
        "qx_names-7.0%2F..-py3-none-any.whl",
        "qx_names-8.0#x-py3-none-any.whl",
        "..",
        "",
    ];
    let mut links: Vec<Value> = odd.iter().map(|name| named(name)).collect();
    links.push(link(&good));
    upstream.list(&["qx-names"]);
    upstream.publish(&[&good]);
    upstream.page("qx-names", &links);
    let mut sidecar = start(&upstream);
    sidecar.wait_for(&good);
    sidecar.wait_for_refusals("bad-name", odd.len() as f64);
    lives(&mut sidecar, &[&good]);
    let listed = sidecar.page("qx-names").json();
    assert_eq!(listed["files"].as_array().map(Vec::len), Some(1), "{listed}");
    let lines = sidecar.log();
    assert!(
        !lines.contains('\u{1}') && !lines.lines().any(|line| line.starts_with("Set-Cookie")),
        "{lines}"
    );
}

/// A list that is suddenly empty, broken or gone withdraws nothing.
#[test]
fn a_bad_list_withdraws_nothing() {
    let upstream = Hostile::start();
    let files: Vec<_> = (0..60).map(|n| project(&format!("listed-{n}"))).collect();
    let names: Vec<_> = files.iter().map(Package::normalized).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for file in &files {
        upstream.publish(&[file]);
    }
    upstream.list(&names);
    let mut sidecar = start(&upstream);
    for file in &files {
        sidecar.wait_for(file);
    }
    let signed: Vec<_> = files.iter().collect();
    let snapshot = sidecar.version("snapshot");
    let endless = Answer::Endless { content_type: JSON.into(), bytes: 300 << 20 };
    for (case, answer) in [
        ("empty", Answer::json(&json!({ "meta": { "api-version": "1.1" }, "projects": [] }))),
        ("no list", Answer::new(200, "text/html", "<html><body>Log in</body></html>")),
        ("an error", Answer::status(500)),
        ("too long", endless),
    ] {
        let complaints = || sidecar.metric("countersign_refusals_total", &[]);
        let before = complaints();
        upstream.answer("/simple/", answer);
        eventually(case, SOON * 2, || (complaints() > before).then_some(()));
        lives(&mut sidecar, &signed);
        upstream.list(&names);
    }
    assert_eq!(sidecar.version("snapshot"), snapshot);
}

/// More than 50 projects and 5 % that vanish at once wait for the operator's word; a few are believed in time.
#[test]
fn many_withdrawals_wait_for_a_word() {
    let upstream = Hostile::start();
    let files: Vec<_> = (0..60).map(|n| project(&format!("gone-{n}"))).collect();
    let names: Vec<_> = files.iter().map(Package::normalized).collect();
    upstream.list(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for file in &files {
        upstream.publish(&[file]);
    }
    let mut sidecar = Setup::bare(&upstream.simple_url())
        .set("watch.interval", "500ms")
        .set("watch.withdrawal-period", "2s")
        .memory(MEMORY)
        .start();
    for file in &files {
        sidecar.wait_for(file);
    }
    // One alone is believed after three answers.
    upstream.answer("/simple/qx-gone-0/", Answer::status(404));
    sidecar.wait_for_absence(&files[0]);
    for name in &names[1..] {
        upstream.answer(&format!("/simple/{name}/"), Answer::status(404));
    }
    sidecar.wait_for_refusals("mass-withdrawal", 1.0);
    lives(&mut sidecar, &files[1..].iter().collect::<Vec<_>>());
    sidecar.control(&["allow", "--withdrawals"]);
    for file in &files {
        sidecar.wait_for_absence(file);
    }
}

/// Good input, of the largest kind: within the same limit.
#[test]
fn a_page_of_10_000_links_is_published() {
    need!(Python);
    let upstream = Hostile::start();
    let file = project("many");
    let mut links = vec![link(&file)];
    links.extend((1..10_000).map(|n| {
        let filename = format!("qx_many-0.{n}-py3-none-any.whl");
        json!({ "filename": filename, "url": format!("/files/{filename}"), "size": n,
                "hashes": { "sha256": format!("{n:064x}") } })
    }));
    upstream.list(&["qx-many"]);
    upstream.publish(&[&file]);
    upstream.page("qx-many", &links);
    let mut sidecar = start(&upstream);
    eventually("the page", secs(120), || (sidecar.page("qx-many").status == 200).then_some(()));
    sidecar.wait_for(&file);
    let page = sidecar.page("qx-many").json();
    assert_eq!(page["files"].as_array().map(Vec::len), Some(10_000));
    lives(&mut sidecar, &[&file]);
    assert_eq!(get(&sidecar.file_url(&file)).body, file.bytes);
    Installer::Pip.install(&sidecar.simple_url(), ["qx-many==1.0"]).expect(&file);
    let target = "files/qx-many/qx_many-0.9999-py3-none-any.whl";
    let first = "simple/qx-many/vnd.pypi.simple.v1.json";
    let result = sidecar.python_tuf().try_fetch(&[first, target]);
    let error = result.error.expect("the mirror does not have the file");
    assert!(error.contains("404") || error.contains("502") || error.contains("HTTP"), "{error}");
    assert!(result.targets[first].found);
}
