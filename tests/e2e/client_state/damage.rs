//! Files that are not what was written: damaged, or of another program's or another version's making.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use serde_json::Value;

use super::scene::{Scene, said};
use crate::support::clients::TufClient;
use crate::support::process::run;
use crate::support::secs;
use crate::support::tools::need;

type Damage = fn(&[u8]) -> Vec<u8>;

const DAMAGES: [(&str, Damage); 5] = [
    ("empty", |_| Vec::new()),
    ("cut short", |bytes| bytes[..bytes.len() / 2].to_vec()),
    ("zeros", |bytes| vec![0; bytes.len()]),
    ("another's", |_| br#"{"signatures":[],"signed":{}}"#.to_vec()),
    ("a changed digit", |bytes| {
        let mut bytes = bytes.to_vec();
        let at = bytes.windows(11).position(|window| window == b"\"version\":1").map(|at| at + 10);
        // Any digit will do where the version is another.
        let at = at.or_else(|| bytes.iter().rposition(u8::is_ascii_digit)).expect("a digit");
        bytes[at] = if bytes[at] == b'9' { b'8' } else { bytes[at] + 1 };
        bytes
    }),
];

/// What is damaged is fetched again, and it is said; only a damaged root cannot be made good from the repository.
#[test]
fn a_damaged_file() {
    need!(Python, Nginx);
    let mut scene = Scene::new();
    let mut names: Vec<String> = fs::read_dir(scene.state())
        .expect("a folder")
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".json"))
        .collect();
    names.sort();
    assert!(names.len() >= 5, "{names:?}");
    for (what, damage) in DAMAGES {
        for name in &names {
            let at = format!("{name}: {what}");
            let (path, before) = (scene.state().join(name), scene.versions());
            let whole = fs::read(&path).expect("a file");
            fs::write(&path, damage(&whole)).expect("a file");
            let file = scene.files[0].clone();
            let command = &mut scene.downloading(&file);
            let output = run(command.env("COUNTERSIGN_LOG", "warn"), secs(60));
            if name == "root.json" {
                let said = said(&output);
                let helps =
                    [scene.state().to_str().expect("a name"), "damaged", "a source that you trust"];
                assert!(helps.iter().all(|part| said.contains(part)), "{at}: {said}");
                fs::write(&path, whole).expect("a file");
            } else {
                assert!(output.status.success(), "{at}: {output:?}");
                scene.downloaded(&file);
                assert_eq!(fs::read(&path).expect("a file"), whole, "{at}");
            }
            if ["timestamp.json", "snapshot.json"].contains(&name.as_str()) {
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(said.contains("does not count any more"), "{at}: {said}");
            }
            scene.has_not_gone_back(&before);
        }
    }
    let file = scene.publish();
    scene.fetches(&file);
}

/// python-tuf keeps the same files, and its roots in a folder of their own.
#[test]
fn a_folder_of_another_client() {
    need!(Python, Nginx);
    let mut scene = Scene::new();
    let other = TufClient::python(
        &scene.sidecar.root(),
        &scene.sidecar.metadata_url(),
        &scene.sidecar.targets_url(),
    );
    other.fetch(&[]);
    for name in ["timestamp.json", "snapshot.json", "targets.json"] {
        fs::copy(other.state().join(name), scene.state().join(name)).expect("a copy");
    }
    let root = scene.state().join("root.json");
    let history = scene.state().join("root_history");
    fs::create_dir(&history).expect("a folder");
    fs::rename(&root, history.join("1.root.json")).expect("a move");
    symlink("root_history/1.root.json", &root).expect("a link");
    fs::write(scene.state().join("of a later version"), "keep me").expect("a file");
    let before = scene.versions();
    let file = scene.publish();
    scene.fetches(&file);
    scene.has_not_gone_back(&before);
    scene.has_the_newest();
    assert!(scene.state().join("of a later version").exists());
}

/// The folders of a gateway's user, as an earlier and a later version would have written them.
#[test]
fn a_trust_store_of_another_version() {
    need!(Python, Nginx);
    let scene = Scene::new();
    let file = scene.files[0].clone();
    scene.gateway().installs(&scene, &file);
    let folder = pinned(&scene);
    let pin = folder.join("pin.json");
    let whole = fs::read(&pin).expect("a pin");

    // Of an earlier one: nothing but the pinned root, and none of the delegated roles.
    for entry in fs::read_dir(folder.join("metadata")).expect("a folder").flatten() {
        fs::remove_file(entry.path()).expect("a removal");
    }
    scene.gateway().installs(&scene, &file);

    let mut later: Value = serde_json::from_slice(&whole).expect("JSON");
    later["format"] = 2.into();
    later["more"] = "of it".into();
    fs::write(&pin, later.to_string()).expect("a file");
    let output = run(&mut scene.gateway_command(scene.folder.path()), secs(60));
    let said_of_later = said(&output);
    assert!(said_of_later.contains("newer countersign (format 2)"), "{said_of_later}");

    fs::write(&pin, &whole[..whole.len() / 2]).expect("a file");
    let output = run(&mut scene.gateway_command(scene.folder.path()), secs(60));
    let said_of_damage = said(&output);
    assert!(
        said_of_damage.contains("damaged") && said_of_damage.contains("trust remove"),
        "{said_of_damage}"
    );

    fs::write(&pin, whole).expect("a file");
    fs::write(folder.join("metadata/root.json"), "{}").expect("a file");
    let gateway = scene.gateway();
    let answer = gateway.page();
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(
        answer.text().contains("damaged") && answer.text().contains("trust remove"),
        "{}",
        answer.text()
    );
    gateway.installs_nothing(&file);
}

/// The one folder of the trust store.
fn pinned(scene: &Scene) -> PathBuf {
    let indexes = scene.folder.path().join(".local/share/countersign/indexes");
    let folders = fs::read_dir(indexes).expect("a folder").flatten().map(|entry| entry.path());
    let mut folders = folders.filter(|path| path.join("pin.json").exists());
    folders.next().expect("a pin")
}
