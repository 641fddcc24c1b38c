//! It keeps up: what the mirror gets is soon verifiable, and what it loses is soon gone.

use crate::support::clients::{Installer, TufClient, upload};
use crate::support::http::get;
use crate::support::mirror::{Bandersnatch, Devpi, Mirror, Pypiserver};
use crate::support::packages::{Package, wheel};
use crate::support::sidecar::{Setup, Sidecar, page_path, target_path};
use crate::support::tools::need;

/// No poll comes within the test: only the upload itself can have been noticed.
fn rarely_polling(mirror: &dyn Mirror) -> Sidecar {
    Setup::bare(&mirror.simple_url()).set("watch.interval", "1h").start()
}

fn verifiable(client: &TufClient, file: &Package) -> bool {
    let page = page_path(&file.normalized());
    let result = client.fetch(&[&page, &target_path(file)]);
    result.sha256(&target_path(file)) == Some(&file.sha256())
}

#[test]
fn an_upload_to_pypiserver_is_signed_at_once() {
    need!(Python);
    uploads_are_signed(&Pypiserver::start(), "/", "any", "any");
}

#[test]
fn an_upload_to_devpi_is_signed_at_once() {
    need!(Python);
    uploads_are_signed(&Devpi::start(false), Devpi::UPLOAD_PATH, Devpi::USER, Devpi::PASSWORD);
}

fn uploads_are_signed(mirror: &dyn Mirror, path: &str, user: &str, password: &str) {
    let first = wheel("qx-known", "1.0");
    mirror.add(&first);
    let sidecar = rarely_polling(mirror);
    sidecar.wait_for(&first);
    let client = sidecar.python_tuf();
    assert!(verifiable(&client, &first));

    for file in [wheel("qx-known", "1.1"), wheel("qx-new", "1.0")] {
        let output = upload(&format!("{}{path}", sidecar.origin), user, password, &file);
        assert!(output.status.success(), "{output:?}");
        sidecar.wait_for(&file);
        assert!(verifiable(&client, &file), "{} with a cached state", file.filename);
        assert!(verifiable(&sidecar.python_tuf(), &file), "{} from nothing", file.filename);
        Installer::Uv.install(&sidecar.simple_url(), [file.requirement().as_str()]).expect(&file);
    }
    let uploads = [("route", "upload"), ("code_class", "2xx")];
    assert_eq!(sidecar.metric("countersign_http_requests_total", &uploads), 2.0);
    assert!(mirror.asked_for("POST ") >= 2);
}

#[test]
fn what_is_put_into_the_mirror_is_signed_within_the_poll_interval() {
    need!(Python);
    let mirror = Pypiserver::start();
    let first = wheel("qx-known", "1.0");
    mirror.add(&first);
    let sidecar = Setup::before(&mirror).start();
    sidecar.wait_for(&first);
    let client = sidecar.python_tuf();
    assert!(verifiable(&client, &first));
    for file in [wheel("qx-known", "1.1"), wheel("qx-new", "1.0")] {
        mirror.add(&file);
        sidecar.wait_for(&file);
        assert!(verifiable(&client, &file));
        Installer::Pip.install(&sidecar.simple_url(), [file.requirement().as_str()]).expect(&file);
    }
}

#[test]
fn a_deleted_file_leaves_page_and_metadata() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    let (kept, deleted) = (wheel("qx-two", "1.0"), wheel("qx-two", "2.0"));
    mirror.add(&kept);
    mirror.add(&deleted);
    let sidecar = Setup::before(&mirror).start();
    sidecar.wait_for(&deleted);
    let client = sidecar.python_tuf();
    assert!(verifiable(&client, &deleted));

    mirror.delete(&deleted);
    sidecar.wait_for_absence(&deleted);
    assert!(!verifiable(&client, &deleted));
    assert!(verifiable(&client, &kept));
    assert!(!get(&sidecar.file_url(&deleted)).is_whole());
    Installer::Pip.install(&sidecar.simple_url(), ["qx-two"]).expect(&kept);
}

#[test]
fn a_webhook_is_heard() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    mirror.add(&wheel("qx-hooked", "1.0"));
    let sidecar = rarely_polling(&mirror);
    let file = wheel("qx-hooked", "1.1");
    sidecar.wait_for(&wheel("qx-hooked", "1.0"));
    mirror.add(&file);
    sidecar.webhook("qx-hooked");
    sidecar.wait_for(&file);
}

#[test]
fn an_unknown_project_is_signed_when_somebody_asks() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    let sidecar = Setup::bare(&mirror.simple_url()).set("watch.mode", "on-demand").start();
    let file = wheel("qx-asked", "1.0");
    mirror.add(&file);
    assert_eq!(sidecar.version("snapshot"), 1);
    Installer::Pip.install(&sidecar.simple_url(), ["qx-asked"]).expect(&file);
    assert!(verifiable(&sidecar.python_tuf(), &file));
    assert_eq!(sidecar.page("qx-nothing").status, 404);
}

#[test]
fn a_block_acts_at_once_and_can_be_taken_back() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    let (old, new, other) =
        (wheel("qx-bad", "1.0"), wheel("qx-bad", "2.0"), wheel("qx-worse", "1.0"));
    for file in [&old, &new, &other] {
        mirror.add(file);
    }
    let sidecar = rarely_polling(&mirror);
    for file in [&old, &new, &other] {
        sidecar.wait_for(file);
        assert_eq!(get(&sidecar.file_url(file)).body, file.bytes);
    }
    let client = sidecar.python_tuf();
    assert!(verifiable(&client, &new));

    // No waiting here: it holds when the command returns.
    sidecar.control(&["block", "qx-bad", &new.filename]);
    assert_eq!(sidecar.listed(&new), None);
    assert_eq!(get(&sidecar.file_url(&new)).status, 403);
    assert!(!verifiable(&client, &new));
    assert!(verifiable(&client, &old));
    Installer::Pip.install(&sidecar.simple_url(), ["qx-bad"]).expect(&old);

    sidecar.control(&["block", "qx-worse"]);
    assert_eq!(sidecar.page("qx-worse").status, 403);
    assert_eq!(get(&sidecar.file_url(&other)).status, 403);
    assert!(!verifiable(&client, &other));
    assert!(sidecar.refusals("blocked") >= 1.0);
    sidecar.expect_logged(&["qx-worse"]);

    sidecar.control(&["block", "--undo", "qx-worse"]);
    sidecar.wait_for(&other);
    assert!(verifiable(&client, &other));
}
