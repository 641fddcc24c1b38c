//! It protects: the mirror is altered on its disk after countersign signed.

use std::thread;

use crate::support::clients::{Install, Installer};
use crate::support::http::{End, Request, Response, get};
use crate::support::mirror::{Bandersnatch, Mirror};
use crate::support::packages::{Package, Wheel, wheel};
use crate::support::sidecar::{Setup, Sidecar};
use crate::support::tools::need;
use crate::support::{eventually, secs};

/// Larger files are streamed.
const SPOOLED_UP_TO: &str = "256 KiB";
const LARGE: usize = 2 * 1024 * 1024;

/// The two ways in which a file is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Spooled,
    Streamed,
}

const WAYS: [Way; 2] = [Way::Spooled, Way::Streamed];

impl Way {
    fn wheel(self, project: &str) -> Wheel {
        Wheel::new(project, "1.0").mark("right").padding(if self == Self::Streamed {
            LARGE
        } else {
            2000
        })
    }
}

/// A valid wheel of the same name and length, with other contents.
fn wrong(project: &str, way: Way) -> Package {
    way.wheel(project).mark("wrong").build()
}

fn start(mirror: &dyn Mirror) -> Sidecar {
    Setup::before(mirror).set("cache.file-limit", SPOOLED_UP_TO).start()
}

/// Puts files in, and waits until they are signed.
fn signed(mirror: &dyn Mirror, sidecar: &Sidecar, files: &[&Package]) {
    for file in files {
        mirror.add(file);
    }
    for file in files {
        sidecar.wait_for(file);
    }
}

#[test]
fn no_wrong_byte_of_a_spooled_file_gets_out() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    let sidecar = start(&mirror);
    let (other, cut) =
        (Way::Spooled.wheel("qx-other").build(), Way::Spooled.wheel("qx-cut").build());
    signed(&mirror, &sidecar, &[&other, &cut]);
    let altered = wrong("qx-other", Way::Spooled);
    assert_eq!(altered.bytes.len(), other.bytes.len());
    mirror.tamper(&other, &altered.bytes);
    mirror.tamper(&cut, &cut.bytes[..cut.bytes.len() - 1]);

    for (count, file, found) in [(1.0, &other, Some(altered.sha256())), (2.0, &cut, None)] {
        let own_path = format!("{}{}", sidecar.origin, mirror.file_path(file));
        for url in [sidecar.file_url(file), own_path] {
            let answer = get(&url);
            assert!(matches!(answer.status, 403 | 502), "{}: {}", answer.status, answer.text());
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            assert!(answer.json()["detail"].is_string());
        }
        sidecar.wait_for_refusals("mismatch", count);
        sidecar.expect_logged(&["mismatch", &file.filename]);
        if let Some(found) = found {
            sidecar.expect_logged(&["mismatch", &file.filename, &file.sha256(), &found]);
        }
    }
    is_refused_from_then_on(&mirror, &sidecar, &other);
}

/// The name is remembered: it is refused at once, with a reason that pip and uv show, and the mirror is spared.
fn is_refused_from_then_on(mirror: &Bandersnatch, sidecar: &Sidecar, file: &Package) {
    let asked = mirror.asked_for(&file.filename);
    let answer = get(&sidecar.file_url(file));
    assert_eq!(answer.status, 403);
    assert_ne!(answer.reason, "Forbidden", "pip shows the phrase");
    assert_eq!(answer.json()["status"], 403);
    assert_eq!(mirror.asked_for(&file.filename), asked);
    assert!(sidecar.refusals("recent-mismatch") >= 1.0);
}

#[test]
fn no_complete_answer_of_a_streamed_file_is_wrong() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    let sidecar = start(&mirror);
    let names = ["qx-other", "qx-cut", "qx-ranged"];
    let [other, cut, ranged] = names.map(|project| Way::Streamed.wheel(project).build());
    signed(&mirror, &sidecar, &[&other, &cut, &ranged]);
    mirror.tamper(&other, &wrong("qx-other", Way::Streamed).bytes);
    mirror.tamper(&cut, &cut.bytes[..cut.bytes.len() - 1]);
    mirror.tamper(&ranged, &wrong("qx-ranged", Way::Streamed).bytes);

    let answer = get(&sidecar.file_url(&other));
    never_whole(&answer);
    assert_eq!(answer.end, End::Reset, "a client may take a mere close for the end");
    assert_eq!(answer.header("etag"), None, "nothing that invites a client to resume");
    never_whole(&get(&sidecar.file_url(&cut)));
    sidecar.wait_for_refusals("mismatch", 2.0);
    sidecar.expect_logged(&["mismatch", &other.filename, &other.sha256()]);
    is_refused_from_then_on(&mirror, &sidecar, &other);

    // Who resumes gets no part of what was never verified.
    let range =
        Request::new("GET", &sidecar.file_url(&ranged)).header("Range", "bytes=1000-").send();
    assert_ne!(range.status, 206);
    never_whole(&range);
}

fn never_whole(answer: &Response) {
    assert!(
        !answer.is_whole(),
        "{} with {} bytes, {:?}",
        answer.status,
        answer.body.len(),
        answer.end
    );
}

/// Given the file's own URL and no hash, no installer installs what is wrong.
#[test]
fn installers_do_not_install_an_altered_file() {
    need!(Python, OldPip, Nginx);
    let mirror = Bandersnatch::start();
    let sidecar = start(&mirror);
    for_each_installer(&mirror, &sidecar, "stays", |file, altered, install| {
        mirror.tamper(file, &altered.bytes);
        install().expect_refused(file);
    });
    assert!(sidecar.refusals("mismatch") >= 6.0);
}

/// … nor anything that is stitched from both, where the right file comes back between their retries.
#[test]
fn installers_do_not_stitch() {
    need!(Python, OldPip, Nginx);
    let mirror = Bandersnatch::start();
    let sidecar = start(&mirror);
    for_each_installer(&mirror, &sidecar, "returns", |file, altered, install| {
        let asked = mirror.asked_for(&file.filename);
        mirror.tamper(file, &altered.bytes);
        thread::scope(|scope| {
            scope.spawn(|| {
                eventually("a first request", secs(60), || {
                    (mirror.asked_for(&file.filename) > asked).then_some(())
                });
                mirror.tamper(file, &file.bytes);
            });
            install().expect_refused_or(file);
        });
    });
    assert!(sidecar.refusals("mismatch") >= 6.0);
}

/// Each installer, and each way, with a file of its own: after a mismatch a name is refused for a while.
fn for_each_installer(
    mirror: &Bandersnatch,
    sidecar: &Sidecar,
    case: &str,
    check: impl Fn(&Package, &Package, &dyn Fn() -> Install) + Sync,
) {
    let mut cases = Vec::new();
    for installer in Installer::ALL {
        for way in WAYS {
            let project = format!("qx-{case}-{installer:?}-{way:?}").to_lowercase();
            cases.push((installer, way.wheel(&project).build(), wrong(&project, way)));
        }
    }
    let files: Vec<_> = cases.iter().map(|(_, file, _)| file).collect();
    signed(mirror, sidecar, &files);
    thread::scope(|scope| {
        for (installer, file, altered) in &cases {
            let check = &check;
            let index = sidecar.simple_url();
            let url = sidecar.file_url(file);
            scope.spawn(move || check(file, altered, &|| installer.install_url(&index, &url)));
        }
    });
}

#[test]
fn a_page_with_another_hash_changes_the_rest_alone() {
    need!(Python, OldPip, Nginx);
    let mirror = Bandersnatch::start();
    let sidecar = start(&mirror);
    let file = Way::Spooled.wheel("qx-kept").build();
    signed(&mirror, &sidecar, &[&file]);
    assert_eq!(get(&sidecar.file_url(&file)).body, file.bytes);
    let fetched = mirror.asked_for(&file.filename);

    // The mirror's file was replaced, and its page says so; another file is new.
    let altered = wrong("qx-kept", Way::Spooled);
    mirror.tamper(&file, &altered.bytes);
    mirror.claim(&file, &altered.sha256());
    let new = wheel("qx-kept", "0.9");
    mirror.add(&new);
    sidecar.wait_for(&new);
    assert_eq!(sidecar.listed(&file), Some(file.sha256()), "the old entry stays");
    sidecar.wait_for_refusals("changed-hash", 1.0);
    sidecar.expect_logged(&["changed-hash", &file.filename, &file.sha256(), &altered.sha256()]);

    for installer in Installer::ALL {
        installer.install(&sidecar.simple_url(), ["qx-kept==1.0"]).expect(&file);
    }
    Installer::Pip.install(&sidecar.simple_url(), ["qx-kept==0.9"]).expect(&new);
    assert_eq!(mirror.asked_for(&file.filename), fetched, "the old bytes come from the spool");
}

#[test]
fn a_new_file_that_is_not_what_its_page_says_fails_alone() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    let sidecar = start(&mirror);
    let good = wheel("qx-new", "1.0");
    signed(&mirror, &sidecar, &[&good]);
    for way in WAYS {
        let project = format!("qx-lie-{way:?}").to_lowercase();
        let lie = wrong(&project, way);
        let said = way.wheel(&project).build();
        mirror.add_as(&lie, &said.sha256());
        sidecar.wait_for(&said);
        never_whole(&get(&sidecar.file_url(&lie)));
        sidecar.expect_logged(&["mismatch", &lie.filename, &said.sha256(), &lie.sha256()]);
        for installer in Installer::CURRENT {
            installer.install(&sidecar.simple_url(), [project.as_str()]).expect_refused(&lie);
        }
    }
    assert!(sidecar.refusals("mismatch") >= 2.0);
    for installer in Installer::CURRENT {
        installer.install(&sidecar.simple_url(), ["qx-new"]).expect(&good);
    }
}
