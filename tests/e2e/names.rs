//! Names stay: a file name that was signed once keeps its bytes.

use crate::support::clients::{Installer, upload};
use crate::support::http::get;
use crate::support::mirror::{Devpi, Mirror, Pypiserver};
use crate::support::packages::{Package, Wheel, wheel};
use crate::support::sidecar::{Setup, Sidecar};
use crate::support::tools::need;

#[test]
fn pypiserver_that_overwrites() {
    need!(Python);
    names_stay(&Pypiserver::overwriting(), "/", "any", "any");
}

#[test]
fn a_volatile_devpi_index() {
    need!(Python);
    names_stay(&Devpi::start(true), Devpi::UPLOAD_PATH, Devpi::USER, Devpi::PASSWORD);
}

fn again(file: &Package, mark: &str) -> Package {
    Wheel::new(&file.project, &file.version).mark(mark).build()
}

fn names_stay(mirror: &dyn Mirror, path: &str, user: &str, password: &str) {
    let (replaced, deleted, beside) =
        (wheel("qx-name", "1.0"), wheel("qx-name", "2.0"), wheel("qx-name", "3.0"));
    for file in [&replaced, &deleted, &beside] {
        mirror.add(file);
    }
    let sidecar = Setup::before(mirror).start();
    for file in [&replaced, &deleted, &beside] {
        sidecar.wait_for(file);
        assert_eq!(get(&sidecar.file_url(file)).body, file.bytes);
    }

    // Replaced, through countersign: the mirror takes it, the signatures do not.
    let second = again(&replaced, "second");
    let output = upload(&format!("{}{path}", sidecar.origin), user, password, &second);
    assert!(output.status.success(), "{output:?}");
    sidecar.wait_for_refusals("changed-hash", 1.0);
    sidecar.expect_logged(&[
        "changed-hash",
        &second.filename,
        &replaced.sha256(),
        &second.sha256(),
    ]);

    // Deleted, and uploaded anew with other bytes.
    mirror.delete(&deleted);
    sidecar.wait_for_absence(&deleted);
    let anew = again(&deleted, "anew");
    mirror.add(&anew);
    sidecar.wait_for_refusals("retired-name", 1.0);
    sidecar.expect_logged(&["retired-name", &anew.filename, &deleted.sha256(), &anew.sha256()]);
    holds(mirror, &sidecar, &replaced, &anew, &wheel("qx-name", "4.0"));

    // A restart forgets none of it.
    let sidecar = sidecar.kill9().start();
    sidecar.wait_for_refusals("changed-hash", 1.0);
    sidecar.wait_for_refusals("retired-name", 1.0);
    holds(mirror, &sidecar, &replaced, &anew, &wheel("qx-name", "5.0"));

    allow_lets_in_one_hash(mirror, &sidecar, &second, &anew);
}

/// The old bytes stay, the new ones stay out, and everything else goes on.
fn holds(
    mirror: &dyn Mirror,
    sidecar: &Sidecar,
    replaced: &Package,
    anew: &Package,
    new: &Package,
) {
    mirror.add(new);
    sidecar.wait_for(new);
    assert_eq!(sidecar.listed(replaced), Some(replaced.sha256()));
    assert_eq!(sidecar.listed(anew), None);
    assert_eq!(get(&sidecar.file_url(replaced)).body, replaced.bytes, "from the spool");
    assert!(!get(&sidecar.file_url(anew)).is_whole());
    Installer::Pip
        .install(&sidecar.simple_url(), [replaced.requirement().as_str()])
        .expect(replaced);
    Installer::Uv
        .install(&sidecar.simple_url(), [anew.requirement().as_str()])
        .expect_refused(anew);
}

fn allow_lets_in_one_hash(
    mirror: &dyn Mirror,
    sidecar: &Sidecar,
    second: &Package,
    anew: &Package,
) {
    sidecar.control(&["allow", "qx-name", &second.filename, "--sha256", &second.sha256()]);
    sidecar.wait_for(second);
    assert_eq!(get(&sidecar.file_url(second)).body, second.bytes);
    Installer::Pip.install(&sidecar.simple_url(), [second.requirement().as_str()]).expect(second);
    assert_eq!(sidecar.listed(anew), None, "another name is not let in by it");

    // Another hash than the one that the mirror has lets nothing in.
    let other = again(anew, "other");
    let refused =
        sidecar.try_control(&["allow", "qx-name", &anew.filename, "--sha256", &other.sha256()]);
    assert!(!refused.status.success(), "{refused:?}");
    assert_eq!(sidecar.listed(anew), None);
    sidecar.control(&["allow", "qx-name", &anew.filename, "--sha256", &anew.sha256()]);
    sidecar.wait_for(anew);

    // It was used up: the next replacement is refused again.
    let refused = sidecar.refusals("changed-hash");
    mirror.add(&again(second, "third"));
    sidecar.wait_for_refusals("changed-hash", refused + 1.0);
    assert_eq!(sidecar.listed(second), Some(second.sha256()));
}
