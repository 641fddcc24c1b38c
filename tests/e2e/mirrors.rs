//! Real mirrors: countersign starts with nothing but `--upstream`, and unmodified installers work through it.

use url::Url;

use crate::support::clients::Installer;
use crate::support::http::{JSON, Request, get};
use crate::support::mirror::{Bandersnatch, Devpi, Mirror, Pypiserver};
use crate::support::packages::{Package, Wheel, sdist, wheel};
use crate::support::sidecar::{Setup, Sidecar};
use crate::support::tools::need;

const MIB: usize = 1024 * 1024;

#[test]
fn pypiserver() {
    need!(Python);
    let mirror = Pypiserver::start();
    serves_installers(&mirror);
    serves_streamed(&mirror);
}

#[test]
fn devpi() {
    need!(Python);
    let mirror = Devpi::start(false);
    serves_installers(&mirror);
    serves_streamed(&mirror);
}

#[test]
fn bandersnatch() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    serves_installers(&mirror);
    serves_streamed(&mirror);
}

/// Nothing is configured: a wheel above the default `cache.file-limit` is streamed.
#[test]
fn a_wheel_above_the_default_limit_is_streamed() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    let large = Wheel::new("qx-huge", "1.0").padding(257 * MIB).build();
    mirror.add(&large);
    let sidecar = Setup::bare(&mirror.simple_url()).start();
    for installer in Installer::CURRENT {
        installer.install(&sidecar.simple_url(), ["qx-huge"]).expect(&large);
    }
    assert!(fetches(&mirror, &large) >= 2, "a streamed file is fetched for each client");
    assert_eq!(sidecar.metric("countersign_spool_bytes", &[]), 0.0);
}

fn serves_installers(mirror: &dyn Mirror) {
    let base = wheel("qx-base", "1.0");
    let top = Wheel::new("qx-top", "2.0").requires("qx-base").build();
    let local = wheel("Qx.Local", "1.0+abc.1");
    let source = sdist("qx-source", "0.1");
    for file in [&base, &top, &local, &source] {
        mirror.add(file);
    }
    let sidecar = Setup::bare(&mirror.simple_url()).start();
    for installer in Installer::CURRENT {
        let index = sidecar.simple_url();
        let install = installer.install(&index, ["qx-top", "qx-source", "Qx.Local"]);
        install.expect(&top).expect(&base).expect(&source).expect(&local);
        installer.install_hashed(&index, &[&base, &top]).expect(&base).expect(&top);
    }
    for file in [&base, &top, &local, &source] {
        assert_eq!(fetches(mirror, file), 1, "{} is verified once, then kept", file.filename);
    }
    assert!(mirror.asked_for("/qx-top/") > 0, "{:?}", mirror.requests());
    assert!(
        sidecar
            .metric("countersign_http_requests_total", &[("route", "page"), ("code_class", "2xx")])
            >= 8.0
    );
    assert!(
        sidecar.metric(
            "countersign_http_requests_total",
            &[("route", "target"), ("code_class", "2xx")]
        ) >= 12.0
    );
    assert_eq!(sidecar.metric("countersign_refusals_total", &[]), 0.0);
    links_lead_to_targets(&sidecar, &[&base]);
}

/// Links are relative, lead to the target of each file, and a browser's page has the hash in them.
fn links_lead_to_targets(sidecar: &Sidecar, files: &[&Package]) {
    for file in files {
        let url = sidecar.page_url(&file.normalized());
        let page = sidecar.page(&file.normalized());
        assert_eq!(page.header("content-type"), Some(JSON));
        let page = page.json();
        let listed = page["files"].as_array().expect("files");
        let entry = listed
            .iter()
            .find(|entry| entry["filename"] == file.filename.as_str())
            .expect("the file");
        let link = entry["url"].as_str().expect("a link");
        assert!(link.starts_with("../"), "{link}");
        let resolved = Url::parse(&url).and_then(|base| base.join(link)).expect("a URL");
        assert_eq!(resolved.as_str(), sidecar.file_url(file));
        assert_eq!(get(resolved.as_str()).body, file.bytes);

        let html = Request::new("GET", &url).header("Accept", "text/html").send();
        assert!(
            html.header("content-type").is_some_and(|kind| kind.starts_with("text/html")),
            "{html:?}"
        );
        assert!(
            html.text().contains(&format!("{}#sha256={}", file.filename, file.sha256())),
            "{}",
            html.text()
        );
    }
}

fn serves_streamed(mirror: &dyn Mirror) {
    let large = Wheel::new("qx-large", "1.0").padding(3 * MIB).build();
    mirror.add(&large);
    let sidecar = Setup::bare(&mirror.simple_url()).set("cache.file-limit", "1 MiB").start();
    for installer in Installer::CURRENT {
        installer.install(&sidecar.simple_url(), ["qx-large"]).expect(&large);
        installer.install_hashed(&sidecar.simple_url(), &[&large]).expect(&large);
    }
    assert!(fetches(mirror, &large) >= 4, "a streamed file is fetched for each client");
    let direct = get(&sidecar.file_url(&large));
    assert!(direct.is_whole() && direct.body == large.bytes);
    assert_eq!(direct.header("content-length"), Some(large.bytes.len().to_string().as_str()));
    assert_eq!(direct.header("transfer-encoding"), None);
}

/// How often the mirror gave the bytes of a file.
fn fetches(mirror: &dyn Mirror, file: &Package) -> usize {
    let name = file.filename.replace('+', "%2B");
    let gets = |request: &&String| request.starts_with("GET ") && !request.ends_with(".metadata");
    let named = |request: &&String| {
        request.contains(&file.filename) || request.to_uppercase().contains(&name.to_uppercase())
    };
    mirror.requests().iter().filter(gets).filter(named).count()
}
