//! The parsers against captured answers of real mirrors.

use std::path::{Path, PathBuf};

use url::Url;

use crate::index::*;

/// The folder of captures beside the crate, or beside the checkout that it is a worktree of.
/// Without one, the tests pass with a note; in CI they fail.
fn folder() -> Option<PathBuf> {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = ["../shared/captures", "../../shared/captures"]
        .iter()
        .map(|relative| crate_root.join(relative))
        .find(|path| path.is_dir());
    assert!(found.is_some() || std::env::var_os("CI").is_none(), "shared/captures is missing");
    if found.is_none() {
        println!("skipped: no shared/captures beside the checkout");
    }
    found
}

/// One exchange.
struct Exchange {
    origin: String,
    url: Url,
    method: String,
    status: u16,
    content_type: Option<String>,
    body: Vec<u8>,
}

impl Exchange {
    /// Reads an exchange; `None` where the request is no absolute path, or the body was not kept.
    fn read(origin: &str, request: &str, response: &str) -> Option<Self> {
        let mut line = request.lines().next()?.split(' ');
        let (method, path) = (line.next()?, line.next()?);
        let (head, body) = response.split_once("\n\n").unwrap_or((response, ""));
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let chunked = header("transfer-encoding").is_some_and(|coding| coding == "chunked");
        let body = if chunked { dechunk(body)? } else { body.trim_end_matches('\n').to_owned() };
        (!body.contains("<binary ") && header("content-encoding").is_none()).then_some(())?;
        Some(Self {
            origin: origin.to_owned(),
            url: Url::parse("http://127.0.0.1:18911").ok()?.join(path).ok()?,
            method: method.to_owned(),
            status,
            content_type: header("content-type"),
            body: body.into_bytes(),
        })
    }

    fn segments(&self) -> Vec<&str> {
        self.url.path_segments().unwrap().filter(|segment| !segment.is_empty()).collect()
    }

    fn format(&self) -> Option<Format> {
        self.content_type.as_deref().and_then(Format::of_content_type)
    }

    /// Whether it is a page. To an `Accept` that it does not know, devpi answers with the content type
    /// `text_html`, which pip and uv refuse as we do.
    fn answers_a_get(&self) -> bool {
        self.method == "GET"
            && self.status == 200
            && self.url.path().ends_with('/')
            && self.format().is_some()
    }

    fn is_list(&self) -> bool {
        let root = |s: Option<&&str>| s.is_some_and(|s| ["simple", "+simple", "index"].contains(s));
        self.answers_a_get() && root(self.segments().last())
    }

    /// The project whose page this is.
    fn project(&self) -> Option<ProjectName> {
        let segments = self.segments();
        let simple = match segments.as_slice() {
            [.., "simple" | "+simple" | "index", _] => true,
            [_] => self.origin.contains("simpleindex"),
            _ => false,
        };
        (simple && self.answers_a_get())
            .then(|| ProjectName::parse(segments.last().unwrap()).unwrap())
    }
}

fn dechunk(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (size, rest) = body.split_once('\n')?;
        match usize::from_str_radix(size.trim(), 16).ok()? {
            0 => return Some(whole),
            size => {
                whole.push_str(rest.get(..size)?);
                body = rest.get(size..)?.trim_start_matches(['\r', '\n']);
            }
        }
    }
}

/// All exchanges of all files.
fn exchanges(folder: &Path) -> Vec<Exchange> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(exchanges(&path));
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).replace("\r\n", "\n");
        let mut request = String::new();
        for part in text.split(">>> ").skip(1) {
            let (_, part) = part.split_once('\n').unwrap();
            if let Some((head, response)) = part.split_once("<<< ") {
                request.push_str(head);
                let (_, response) = response.split_once('\n').unwrap();
                let response = response.split("\n=== conn").next().unwrap();
                found.extend(Exchange::read(&path.to_string_lossy(), &request, response));
            }
            request.clear();
        }
    }
    found
}

fn read(folder: &Path, file: &str) -> Listing {
    let path = folder.join(file);
    let all = exchanges(path.parent().unwrap());
    let exchange = all.iter().find(|e| e.origin.ends_with(file)).expect(file);
    let project = exchange.project().unwrap();
    parse(&exchange.body, exchange.content_type.as_deref(), &exchange.url, &project).unwrap()
}

#[test]
fn every_project_page_is_read_and_reads_back() {
    let Some(folder) = folder() else { return };
    let mut pages = 0;
    for exchange in exchanges(&folder) {
        let Some(project) = exchange.project() else { continue };
        let origin = &exchange.origin;
        let listing =
            parse(&exchange.body, exchange.content_type.as_deref(), &exchange.url, &project);
        let listing = listing.unwrap_or_else(|error| panic!("{origin}: {error}"));
        assert_eq!(listing.skipped, vec![], "{origin}");
        assert!(!listing.page.files.is_empty(), "{origin}");
        assert_eq!(listing.sources.len(), listing.page.files.len(), "{origin}");
        for file in &listing.page.files {
            assert!(belongs_to(&file.filename, &project), "{origin}: {}", file.filename);
        }
        let page = listing.page.normalized();
        let links = Links::from_page_path(exchange.url.path(), "/tuf/");
        assert_eq!(
            parse_signed(&render_json(&page, &links)).unwrap(),
            (page.clone(), links.clone()),
            "{origin}"
        );
        let html = parse_html(&render_html(&page, &links), &exchange.url, &project).unwrap();
        assert_eq!(html.page.files.len(), page.files.len(), "{origin}");
        pages += 1;
    }
    assert!(pages >= 100, "only {pages} pages");
}

#[test]
fn every_project_list_is_read() {
    let Some(folder) = folder() else { return };
    let mut lists = 0;
    for exchange in exchanges(&folder).iter().filter(|exchange| exchange.is_list()) {
        let origin = &exchange.origin;
        let list = parse_list(&exchange.body, exchange.content_type.as_deref(), &exchange.url);
        let list = list.unwrap_or_else(|error| panic!("{origin}: {error}"));
        let names: Vec<_> = list.projects.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["demo-alpha", "demo-beta-pkg"], "{origin}");
        assert_eq!(list.skipped, 0, "{origin}");
        lists += 1;
    }
    assert!(lists >= 14, "only {lists} lists");
}

/// Error pages, welcome pages and the like, sent as a page.
#[test]
fn no_other_document_is_taken_for_a_page() {
    let Some(folder) = folder() else { return };
    let project = ProjectName::parse("no-such").unwrap();
    let mut others = 0;
    for exchange in exchanges(&folder) {
        let simple = exchange.is_list() || exchange.project().is_some();
        // These list files too: all that there are, or the project's at a path that devpi has for pip.
        let also = exchange.url.path() == "/packages/" || exchange.origin.contains("pip-ua");
        if simple || also || exchange.format().is_none() || exchange.method != "GET" {
            continue;
        }
        let read = parse(&exchange.body, exchange.content_type.as_deref(), &exchange.url, &project);
        assert!(read.is_err(), "{}: {read:?}", exchange.origin);
        others += 1;
    }
    assert!(others >= 10, "only {others} other documents");
}

const ALPHA_1_0: &str = "6a12d8d9e0a9825fcc70fa8a9e07c9ad833a17927300d461a632039a9ee5e8ff";
const ALPHA_1_0_METADATA: &str = "7589940ccba6daa0008a7297ca84e61eb94b91902d3aa0ebc8ca377fb25ac994";

#[test]
fn a_page_of_warehouse_field_by_field() {
    let Some(folder) = folder() else { return };
    let json = read(&folder, "warehouse/05-project-json.txt");
    assert_eq!(json.serial, Some(11));
    assert_eq!(json.page.versions, ["1.0", "1.1"]);
    assert_eq!(json.page.status, Status { marker: Some("active".into()), reason: None });
    assert!(json.page.extra.is_empty() && json.page.meta_extra.is_empty());
    let file = &json.page.files[0];
    let sha256 =
        |hex: &str| std::collections::BTreeMap::from([("sha256".to_owned(), hex.to_owned())]);
    let expected = File {
        filename: "demo_alpha-1.0-py3-none-any.whl".into(),
        hashes: sha256(ALPHA_1_0),
        requires_python: Some(">=3.8".into()),
        size: Some(1199),
        upload_time: Some("2026-11-22T13:58:30.863866Z".into()),
        yanked: Yanked::Because("bad build".into()),
        core_metadata: CoreMetadata::Hashes(sha256(ALPHA_1_0_METADATA)),
        gpg_sig: None,
        provenance: false,
        extra: Default::default(),
    };
    assert_eq!(file, &expected);
    let url = "http://127.0.0.1:18912/packages/98/c2/a31bb0f77831dee3399377115d05732c989c00409b0d1a58f4eae6fa3ff4/demo_alpha-1.0-py3-none-any.whl";
    assert_eq!(json.sources["demo_alpha-1.0-py3-none-any.whl"].url.as_str(), url);

    let html = read(&folder, "warehouse/04-project-html.txt");
    assert_eq!((html.serial, &html.sources), (Some(11), &json.sources));
    assert_eq!(html.page.files[0], File { size: None, upload_time: None, ..expected });
    assert_eq!(html.page.status, json.page.status);
}

#[test]
fn pages_of_other_mirrors_field_by_field() {
    let Some(folder) = folder() else { return };
    let nginx = read(&folder, "bandersnatch-nginx/04-project-html.txt");
    assert_eq!(nginx.serial, Some(35_000_028));
    assert_eq!(
        nginx.sources["demo_alpha-1.0.tar.gz"].url.path(),
        "/packages/41/bc/cc1e8ef913b229ae54c8b23e0d120a10890147c07107ce3c9f61f7294127/demo_alpha-1.0.tar.gz"
    );
    let devpi = read(&folder, "devpi/hosted-prod/05-project-json.txt");
    assert_eq!((devpi.page.files.len(), devpi.serial), (4, None));
    assert_eq!(
        devpi.sources["demo_alpha-1.0.tar.gz"].url.path(),
        "/alice/prod/+f/40d/9e73b9372652c/demo_alpha-1.0.tar.gz"
    );
    let absolute = read(&folder, "devpi/absolute-urls-core-metadata/04-project-html.txt");
    assert_eq!(absolute.page.files[0].core_metadata, CoreMetadata::Unhashed);
    assert_eq!(absolute.sources["demo_alpha-1.1.tar.gz"].url.host_str(), Some("pypi.corp.example"));
    assert_eq!(absolute.page.normalized().files[0].core_metadata, CoreMetadata::None);
    let md5 = read(&folder, "pypiserver-overwrite-md5-fallback/04-project.txt");
    assert_eq!(md5.page.files[0].hashes["md5"], "c689443591ad850f2e794ff388ab8d6b");
    assert_eq!(md5.page.files[0].sha256(), None);
    let plain = read(&folder, "simpleindex-path/04-project-html.txt");
    assert!(plain.page.files.iter().all(|file| file.hashes.is_empty()));
    assert_eq!(plain.page.files[0].filename, "demo_beta_pkg-0.1+corp.2-py3-none-any.whl");
}
