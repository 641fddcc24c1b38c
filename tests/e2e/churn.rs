//! It does not churn: what did not change is not signed again.

use crate::support::mirror::{Bandersnatch, Mirror, Pypiserver};
use crate::support::packages::{sdist, wheel};
use crate::support::sidecar::{Setup, tree};
use crate::support::tools::need;
use crate::support::{eventually, secs};

#[test]
fn pypiserver_which_has_no_validators() {
    need!(Python);
    a_hundred_polls(&Pypiserver::start());
}

#[test]
fn bandersnatch_which_has_validators() {
    need!(Python, Nginx);
    a_hundred_polls(&Bandersnatch::start());
}

fn a_hundred_polls(mirror: &dyn Mirror) {
    let files = [wheel("qx-calm", "1.0"), sdist("qx-calm", "1.0"), wheel("qx-quiet", "1.0")];
    for file in &files {
        mirror.add(file);
    }
    let sidecar = Setup::before(mirror).set("watch.interval", "100ms").start();
    let client = sidecar.python_tuf();
    for file in &files {
        sidecar.wait_for(file);
    }
    client.fetch(&[]);
    // Whatever follows a first publication has followed by then.
    polls(mirror, 5);
    let journal = || tree(&sidecar.data().join("repository/journal")).len();
    let before = (sidecar.version("snapshot"), sidecar.version("bin"), journal());
    let publications = sidecar.metric("countersign_publications_total", &[]);

    polls(mirror, 100);
    assert_eq!((sidecar.version("snapshot"), sidecar.version("bin"), journal()), before);
    assert_eq!(sidecar.metric("countersign_publications_total", &[]), publications);

    let new = wheel("qx-calm", "1.1");
    mirror.add(&new);
    sidecar.wait_for(&new);
    assert!(sidecar.version("snapshot") > before.0);
}

/// Waits until the mirror's log shows so many more looks at a page.
fn polls(mirror: &dyn Mirror, count: usize) {
    let asked = mirror.asked_for("/qx-calm/");
    eventually("polls", secs(300), || {
        (mirror.asked_for("/qx-calm/") >= asked + count).then_some(())
    });
}
