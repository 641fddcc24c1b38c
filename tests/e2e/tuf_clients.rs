//! Real TUF clients, each with only `1.root.json` and the URLs, and their default limits.

use sha2::{Digest, Sha256};

use crate::support::clients::TufClient;
use crate::support::mirror::{Bandersnatch, Devpi, Mirror, Pypiserver};
use crate::support::packages::{Package, sdist, wheel};
use crate::support::secs;
use crate::support::sidecar::{Setup, Sidecar, page_path, target_path};
use crate::support::tools::need;

#[test]
fn pypiserver_with_1024_bins() {
    need!(Python, TufJs);
    satisfies_clients(&Pypiserver::start(), 1024);
}

#[test]
fn devpi_with_1024_bins() {
    need!(Python, TufJs);
    satisfies_clients(&Devpi::start(false), 1024);
}

#[test]
fn bandersnatch_with_1024_bins() {
    need!(Python, TufJs, Nginx);
    satisfies_clients(&Bandersnatch::start(), 1024);
}

#[test]
fn the_fewest_bins() {
    need!(Python, TufJs, Nginx);
    satisfies_clients(&Bandersnatch::start(), 16);
}

/// tuf-js needs time quadratic in the number of bins: it gets ten minutes.
#[test]
fn the_most_bins() {
    need!(Python, TufJs, Nginx);
    satisfies_clients(&Bandersnatch::start(), 16_384);
}

fn satisfies_clients(mirror: &dyn Mirror, bins: u32) {
    let files = [wheel("qx-alpha", "1.0"), wheel("Qx_Beta", "2.0"), sdist("qx-alpha", "1.0")];
    for file in &files {
        mirror.add(file);
    }
    let sidecar = Setup::before(mirror).bins(bins).start();
    for file in &files {
        sidecar.wait_for(file);
    }
    verifies(&sidecar, &sidecar.python_tuf(), &files);
    verifies(&sidecar, &sidecar.tuf_js().within(secs(600)), &files);
}

/// A client gets the page that is served and the files that the mirror has, and nothing else.
fn verifies(sidecar: &Sidecar, client: &TufClient, files: &[Package]) {
    let pages =
        ["qx-alpha", "qx-beta"].map(|project| (page_path(project), sidecar.page(project).body));
    let targets: Vec<_> = files.iter().map(target_path).collect();
    let mut paths: Vec<&str> = pages.iter().map(|(path, _)| path.as_str()).collect();
    paths.extend(targets.iter().map(String::as_str));
    paths.push("files/qx-alpha/qx_alpha-9.9-py3-none-any.whl");
    let result = client.fetch(&paths);
    for (path, body) in &pages {
        let served = hex::encode(Sha256::digest(body));
        assert_eq!(result.sha256(path), Some(served.as_str()), "{path}: served is signed");
    }
    for (path, file) in targets.iter().zip(files) {
        assert_eq!(result.sha256(path), Some(file.sha256().as_str()), "{path}");
    }
    assert!(!result.targets["files/qx-alpha/qx_alpha-9.9-py3-none-any.whl"].found);
    assert_eq!(result.versions["root"], 1);
    assert_eq!(result.versions["targets"], 1);
    assert_eq!(result.versions["snapshot"], sidecar.version("snapshot"));
}
