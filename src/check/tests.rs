//! The whole look, against real servers on loopback.

use super::facts::{FileCause, Form, Kind, List, Measured, PageCause, Replacing, UnknownName};
use super::*;
use crate::upstream::testing::{Mirror, Reply, client, header, ok, redirect, status};

const JSON: &str = "Content-Type: application/vnd.pypi.simple.v1+json\r\n";
const HTML: &str = "Content-Type: text/html\r\n";

/// A mirror whose paths are answered by `route`; what it gives no answer to is not there.
async fn mirror(route: impl Fn(&str, &str) -> Option<Reply> + Send + Sync + 'static) -> Mirror {
    Mirror::start(move |_, request| {
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        route(&path, request).unwrap_or_else(|| status("404 Not Found"))
    })
    .await
}

async fn look(mirror: &Mirror, wanted: Wanted) -> (Report, String) {
    let report = check(&mirror.client(), &Config::default(), wanted).await;
    let text = text::render(&report.upstream, &findings(&report));
    (report, text)
}

fn sample(sample: usize) -> Wanted {
    Wanted { sample, projects: Vec::new() }
}

fn list_json(names: impl IntoIterator<Item = String>) -> String {
    let names: Vec<String> =
        names.into_iter().map(|name| format!("{{\"name\": \"{name}\"}}")).collect();
    format!(r#"{{"meta": {{"api-version": "1.1"}}, "projects": [{}]}}"#, names.join(","))
}

fn page_json(name: &str, files: &[String]) -> String {
    format!(
        r#"{{"meta": {{"api-version": "1.1"}}, "name": "{name}", "files": [{}]}}"#,
        files.join(",")
    )
}

fn file_json(url: &str, filename: &str, more: &str) -> String {
    format!(r#"{{"url": "{url}", "filename": "{filename}"{more}}}"#)
}

fn hashed() -> String {
    format!(r#", "hashes": {{"sha256": "{}"}}"#, "ab".repeat(32))
}

fn name_of(path: &str) -> Option<&str> {
    path.strip_prefix("/simple/")?.strip_suffix('/').filter(|name| !name.is_empty())
}

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|i| format!("demo-{i:03}"))
}

#[tokio::test]
async fn a_mirror_without_flaw() {
    let mirror = mirror(|path, _| match path {
        "/simple/" => Some(ok(JSON, list_json(names(200)))),
        _ => {
            let name = name_of(path).filter(|name| name.starts_with("demo-"))?;
            let filename = format!("{name}-1.0.tar.gz");
            let more = format!("{}, \"size\": 10", hashed());
            Some(ok(
                JSON,
                page_json(name, &[file_json(&format!("../../f/{filename}"), &filename, &more)]),
            ))
        }
    })
    .await;
    let (report, text) = look(&mirror, sample(10)).await;
    assert!(findings(&report).iter().all(|f| f.level != Level::Fail), "{text}");
    assert!(matches!(report.list, List::Listed { projects: 200, format: Form::Json, .. }));
    assert_eq!((report.sample.projects, report.sample.json, report.sample.files), (10, 10, 10));
    assert_eq!(report.unknown_name, UnknownName::NotThere);
    assert!(text.contains("10 projects of 200 looked at; 10 pages could be signed"), "{text}");
    assert!(text.contains("about 200 files; --expected-files 200"), "{text}");
    assert!(text.ends_with("Everything that was looked at could be signed."), "{text}");
    assert_eq!(mirror.requests().iter().filter(|r| r.starts_with("HEAD")).count(), 0);
    // Two looks at the list, one at the front page and at a name that cannot exist.
    assert_eq!(mirror.requests().len(), 14);
}

#[tokio::test]
async fn flaws_of_files_are_named() {
    let mirror = mirror(|path, request| match path {
        "/simple/" => Some(ok(HTML, "<title>Simple Index</title><a href='demo/'>demo</a>")),
        "/simple/demo/" => {
            let sha256 = hashed();
            let huge = format!("{sha256}, \"size\": {}", 1u64 << 40);
            let files = [
                file_json("/f/demo-1.0.tar.gz", "demo-1.0.tar.gz", &sha256),
                file_json(
                    "/f/demo-1.1.tar.gz",
                    "demo-1.1.tar.gz",
                    ", \"hashes\": {\"md5\": \"00\"}",
                ),
                file_json("/f/demo-1.2.tar.gz", "demo-1.2.tar.gz", ", \"size\": 500"),
                file_json("/f/gone-1.3.tar.gz", "demo-1.3.tar.gz", ""),
                file_json("http://files.example/f", "demo-2.0.tar.gz", &sha256),
                file_json("http://169.254.169.254/f", "demo-2.1.tar.gz", &sha256),
                file_json("/f/x", "other-1.0.tar.gz", &sha256),
                file_json("/f/x", "demo-1.0.txt", &sha256),
                file_json("/f/x", "demo-1.0 \\u001b[31m.whl", &sha256),
                file_json("/f/x", "demo-1%2e0.zip", &sha256),
                file_json("/f/x", "demo-3.0.tar.gz", ", \"hashes\": {\"sha256\": \"12\"}"),
                file_json("/f/x", "demo-4.0.tar.gz", &huge),
            ];
            Some(ok(JSON, page_json("demo", &files)))
        }
        "/f/demo-1.0.tar.gz" | "/f/demo-1.1.tar.gz" if request.starts_with("HEAD") => {
            // A HEAD has the length of what a GET would bring, and no body.
            Some(Reply::Close(
                b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\nConnection: close\r\n\r\n".to_vec(),
            ))
        }
        _ => None,
    })
    .await;
    let (report, text) = look(&mirror, sample(100)).await;
    let refused = |cause| report.sample.refused_files[&cause].count;
    assert_eq!(report.sample.files, 12);
    assert_eq!([FileCause::Name, FileCause::Entry].map(refused), [3, 2], "{text}");
    assert_eq!(
        [FileCause::Origin, FileCause::TooLarge, FileCause::Unreachable].map(refused),
        [2, 1, 1]
    );
    let hashless = report.sample.without_sha256;
    assert_eq!((hashless.files, hashless.sized, hashless.bytes), (3, 1, 500));
    assert_eq!(report.lengths.without_sha256, Measured { asked: 2, answered: 1, bytes: 2000 });
    assert_eq!(report.lengths.with_sha256, Measured { asked: 1, answered: 1, bytes: 2000 });
    for said in [
        "12 files are listed on these pages; 9 would be refused.",
        "COUNTERSIGN_UPSTREAM__ORIGINS=http://files.example in the environment",
        "at http://169.254.169.254, which is not an allowed origin: demo/demo-2.1.tar.gz.",
        "demo/other-1.0.tar.gz: its name is not one of this project",
        r"demo/demo-1.0 \u{1b}[31m.whl: the file name contains a control character",
        "3 files have no SHA-256 on the page and would be fetched once to be hashed, 4.4 KiB",
        "Not everything could be signed",
    ] {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(said), "{said}: {text}");
    }
    assert!(mirror.requests().iter().all(|request| !request.contains("/f/x ")));
}

#[tokio::test]
async fn flaws_of_pages_are_named() {
    let mirror = mirror(|path, _| match path {
        "/simple/" => {
            let names = ["broken", "closed", "elsewhere", "gone", "good", "other", "away"];
            Some(ok(JSON, list_json(names.map(str::to_owned))))
        }
        "/simple/broken/" => Some(ok(JSON, "{\"files\": [")),
        "/simple/closed/" => Some(status("403 Forbidden")),
        "/simple/elsewhere/" => {
            Some(redirect("https://index.example/simple/elsewhere/?token=secret"))
        }
        "/simple/away/" => Some(redirect("https://index.example/login")),
        "/simple/other/" => Some(ok(JSON, page_json("another", &[]))),
        "/simple/good/" => Some(ok(JSON, page_json("good", &[]))),
        _ if name_of(path)?.starts_with("countersign-check-") => {
            Some(redirect(&format!("https://index.example{path}")))
        }
        _ => None,
    })
    .await;
    let (report, text) = look(&mirror, sample(100)).await;
    let refused = |cause| report.sample.refused_pages.get(&cause).map(|group| group.count);
    assert_eq!(refused(PageCause::Malformed), Some(2), "{text}");
    assert_eq!([PageCause::Login, PageCause::Redirect].map(refused), [Some(1), Some(1)]);
    assert_eq!((report.sample.missing.count, report.sample.elsewhere.count), (1, 1));
    assert_eq!((report.sample.json, report.sample.empty), (1, 1));
    let UnknownName::Elsewhere { to } = &report.unknown_name else { panic!("{text}") };
    assert!(to.starts_with("https://index.example/simple/countersign-check-"), "{to}");
    assert!(!text.contains("secret"), "{text}");
    assert!(text.contains("upstream.credentials together with"), "{text}");
}

#[tokio::test]
async fn a_login_is_said_at_once() {
    let mirror = mirror(|_, _| Some(status("401 Unauthorized"))).await;
    let (report, text) = look(&mirror, sample(100)).await;
    assert_eq!(report.list, List::Login { status: 401 });
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("name that file in upstream.credentials and set access = \"open\""),
        "{text}"
    );
    assert!(mirror.requests().len() <= 3);
}

#[tokio::test]
async fn what_is_no_index_is_told() {
    let (report, text) = look(&mirror(|_, _| None).await, sample(100)).await;
    assert_eq!(report.list, List::Missing);
    assert!(
        text.contains("FAIL  It has no project list (404), and no project was found."),
        "{text}"
    );
    assert!(!text.contains("login"), "{text}");

    let welcome = mirror(|_, _| Some(ok(HTML, "<title>Welcome</title>Hello"))).await;
    let (report, text) = look(&welcome, sample(100)).await;
    assert!(matches!(report.list, List::Failed { .. }), "{text}");
    assert!(text.contains("FAIL  It cannot be used: it is no project list"), "{text}");

    let gone = mirror(|_, _| None).await;
    let config = gone.config();
    drop(gone);
    let report = check(&client(&config), &Config::default(), sample(100)).await;
    assert!(matches!(report.list, List::Failed { .. }), "{report:?}");
}

#[tokio::test]
async fn without_a_list_projects_can_be_named() {
    let mirror = mirror(|path, _| {
        let page = "<a href='demo-1.0.tar.gz'>demo-1.0.tar.gz</a>";
        (path == "/simple/demo/").then(|| ok(HTML, page))
    })
    .await;
    let projects = vec![ProjectName::parse("demo").unwrap()];
    let (report, text) = look(&mirror, Wanted { sample: 100, projects }).await;
    assert_eq!((report.sample.html, report.sample.files), (1, 1));
    assert!(text.contains("note  It has no project list (404)."), "{text}");
    assert!(text.contains("a larger number if the mirror has more"), "{text}");
}

#[tokio::test]
async fn misleading_validators_are_seen() {
    let mirror = mirror(|path, request| match path {
        "/simple/" => Some(ok(JSON, list_json(names(3)))),
        _ if header(request, "if-none-match").is_some() => {
            Some(Reply::Keep(b"HTTP/1.1 304 Not Modified\r\nETag: \"same\"\r\n\r\n".to_vec()))
        }
        _ => {
            let headers = format!("{JSON}ETag: \"same\"\r\nX-PyPI-Last-Serial: 7\r\n");
            let name = name_of(path).filter(|name| name.starts_with("demo-"))?;
            Some(ok(&headers, page_json(name, &[])))
        }
    })
    .await;
    let (report, text) = look(&mirror, sample(100)).await;
    assert_eq!(report.sample.etags.misleading.as_deref(), Some("\"same\""));
    assert_eq!(report.sample.etags.revalidates, Some(true));
    assert_eq!((report.sample.serials.pages, report.sample.serials.distinct), (3, 1));
    assert!(text.contains("All pages have the same serial, which is not believed."), "{text}");
}

#[tokio::test]
async fn a_mirror_that_goes_away_is_not_asked_to_the_end() {
    let mirror = mirror(|path, _| match path {
        "/simple/" => Some(ok(JSON, list_json(names(200)))),
        path if name_of(path).is_some() => Some(Reply::Close(Vec::new())),
        _ => None,
    })
    .await;
    let (report, text) = look(&mirror, sample(200)).await;
    assert!(report.sample.cut_short && report.sample.projects < 200, "{text}");
    assert!(text.contains("the look at it ended early"), "{text}");
}

#[tokio::test]
async fn devpi_is_known_and_asked_whether_files_can_be_replaced() {
    let mirror = mirror(|path, _| {
        let devpi = "X-Devpi-Server-Version: 6.20.3\r\n";
        match path {
            "/alice/dev/+simple/" => Some(ok(&format!("{JSON}{devpi}"), list_json([]))),
            "/alice/dev?no_projects=" => Some(ok(
                &format!("Content-Type: application/json\r\n{devpi}"),
                r#"{"result": {"volatile": true, "type": "stage"}, "type": "indexconfig"}"#,
            )),
            _ => None,
        }
    })
    .await;
    let mut config = mirror.config();
    config.url = Some(mirror.url("/alice/dev/+simple/").into());
    let report = check(&client(&config), &Config::default(), sample(100)).await;
    assert_eq!(report.mirror.kind, Kind::Devpi);
    assert_eq!(report.replacing, Replacing::Yes { index: "alice/dev".into() });
    let text = text::render(&report.upstream, &findings(&report));
    assert!(text.contains("devpi index alice/dev volatile=False"), "{text}");
}
