//! The repository lies in a folder or in a bucket: both hold what they must, and the commands read both.

use std::fs;
use std::process::Output;
use std::thread;

use serde_json::Value;

use crate::support::clients::{Installer, TufClient};
use crate::support::eventually;
use crate::support::fault_proxy::{Act, Fault, FaultProxy};
use crate::support::hostile::{Answer, Hostile};
use crate::support::http::get;
use crate::support::mirror::{Bandersnatch, Mirror};
use crate::support::packages::wheel;
use crate::support::seaweed::Bucket;
use crate::support::sidecar::{Kind, SOON, Setup, init, initialized, page_path, target_path, tree};
use crate::support::tools::need;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn of_two_inits_one_fails() {
    need!(Seaweed);
    let one = Bucket::new();
    let other = one.with_another_ceremony();
    let outputs = thread::scope(|scope| {
        let racers = [&one, &other].map(|bucket| scope.spawn(|| init(bucket, 16)));
        racers.map(|racer| racer.join().expect("a racer"))
    });
    let won: Vec<_> = outputs.iter().map(|output| output.status.success()).collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{outputs:?}");
    let (winner, loser) = if won[0] { (&one, &outputs[1]) } else { (&other, &outputs[0]) };
    let why = ["root/1.root.json", "there is a repository already"];
    assert!(why.iter().any(|why| said(loser).contains(why)), "{}", said(loser));
    let root = fs::read(winner.ceremony.path().join("1.root.json")).expect("a root");
    assert_eq!(one.read("root/1.root.json"), Some(root));
    assert!(winner.online_key().exists());
    assert!(winner.ceremony.path().join("offline-keys").is_dir());
}

#[test]
fn serve_makes_no_repository_in_a_bucket() {
    need!(Seaweed, Nginx);
    let mirror = Bandersnatch::start();
    let bucket = Bucket::new();
    let output = Setup::before(&mirror).store(&bucket).refused();
    assert!(!output.status.success());
    assert!(said(&output).contains("countersign init --store"), "{}", said(&output));
    assert!(bucket.list("").is_empty(), "{:?}", bucket.list(""));
}

/// Two replicas on it would each publish a history of their own.
#[test]
fn a_service_that_lets_several_creators_win_is_refused() {
    need!(Seaweed, Nginx);
    let mirror = Bandersnatch::start();
    let bucket = initialized();
    let proxy = FaultProxy::before(Bucket::port());
    let careless = bucket.anonymous().through(proxy.port);
    Setup::before(&mirror).store(&careless).start().stop();
    proxy.spoil(Fault::always(Act::Unconditional).on("PUT"));
    let output = Setup::before(&mirror).store(&careless).refused();
    assert!(!output.status.success());
    let sentence = said(&output);
    let sentence = sentence.lines().find(|line| line.starts_with("countersign: "));
    assert!(
        sentence.is_some_and(|sentence| sentence.contains("If-None-Match")),
        "{}",
        said(&output)
    );
    assert!(proxy.hits() >= 8);
}

#[test]
fn a_folder_is_served_and_kept() {
    need!(Python, TufJs, Nginx);
    is_served_and_kept(Kind::Folder);
}

#[test]
fn a_bucket_is_served_and_kept() {
    need!(Python, TufJs, Nginx, Seaweed);
    is_served_and_kept(Kind::Bucket);
}

fn is_served_and_kept(kind: Kind) {
    let mirror = Bandersnatch::start();
    let (first, second) = (wheel("qx-kept", "1.0"), wheel("qx-kept", "2.0"));
    mirror.add(&first);
    let sidecar = Setup::on(kind, &mirror).at_fixed_ports().start();
    sidecar.wait_for(&first);
    let clients = [sidecar.python_tuf(), sidecar.tuf_js()];
    let paths = [page_path("qx-kept"), target_path(&first)];
    let paths = [paths[0].as_str(), paths[1].as_str()];
    for client in &clients {
        let result = client.fetch(&paths);
        assert_eq!(result.sha256(paths[1]), Some(first.sha256().as_str()));
    }
    Installer::Pip.install(&sidecar.simple_url(), ["qx-kept"]).expect(&first);
    sidecar.setup().fsck();

    let versions = sidecar.versions();
    let sidecar = sidecar.stop().start();
    assert_eq!(sidecar.versions()[1..], versions[1..]);
    mirror.add(&second);
    sidecar.wait_for(&second);
    let sidecar = sidecar.kill9().start();
    for client in &clients {
        let result = client.fetch(&[&target_path(&second)]);
        assert_eq!(result.sha256(&target_path(&second)), Some(second.sha256().as_str()));
    }
    sidecar.setup().fsck();
    assert_eq!(sidecar.metric("countersign_store_up", &[]), 1.0);
}

#[test]
fn a_file_url_names_a_folder() {
    need!(Nginx);
    let mirror = Bandersnatch::start();
    let file = wheel("qx-elsewhere", "1.0");
    mirror.add(&file);
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("file://{}", folder.path().join("store").display());
    let sidecar = Setup::before(&mirror).bins(16).flag("--store", &url).start();
    eventually("a page", SOON, || sidecar.listed(&file));
    assert!(folder.path().join("store/root/1.root.json").exists());
    assert!(!sidecar.data().join("repository/root").exists());
}

#[test]
fn fsck_finds_what_is_wrong_in_a_folder() {
    need!(Nginx);
    fsck_finds_what_is_wrong(Kind::Folder);
}

#[test]
fn fsck_finds_what_is_wrong_in_a_bucket() {
    need!(Nginx, Seaweed);
    fsck_finds_what_is_wrong(Kind::Bucket);
}

fn fsck_finds_what_is_wrong(kind: Kind) {
    let mirror = Bandersnatch::start();
    let file = wheel("qx-checked", "1.0");
    mirror.add(&file);
    let sidecar = Setup::on(kind, &mirror).start();
    sidecar.wait_for(&file);
    let setup = sidecar.stop();
    setup.fsck();
    let objects = setup.objects();
    let newest = |folder: &str| {
        let names = objects.list(folder);
        format!("{folder}/{}", names.last().expect("an object"))
    };
    let snapshot = {
        let meta = objects.json(&newest("timestamps"));
        format!("metadata/{}.snapshot.json", meta["signed"]["meta"]["snapshot.json"]["version"])
    };
    let bin = {
        let meta = &objects.json(&snapshot)["signed"]["meta"];
        format!("metadata/{}.bins-7.json", meta["bins-7.json"]["version"])
    };
    let victims =
        [newest("pages"), snapshot, bin, newest("timestamps"), "metadata/1.targets.json".into()];
    for victim in victims {
        let right = objects.read(&victim).expect("an object");
        let mut wrong = right.clone();
        let middle = wrong.len() / 2;
        wrong[middle] ^= 1;
        for wrong in [Some(wrong), None] {
            match &wrong {
                Some(bytes) => objects.put(&victim, bytes),
                None if victim.starts_with("timestamps/") => continue,
                None => objects.delete(&victim),
            }
            let output = setup.tool(&["fsck"]);
            assert_eq!(output.status.code(), Some(1), "{victim} {wrong:?}: {}", said(&output));
            let name = victim.split_once('/').expect("a folder").1;
            assert!(said(&output).contains(name), "{victim}: {}", said(&output));
            objects.put(&victim, &right);
        }
    }
    setup.fsck();
}

#[test]
fn the_log_of_a_folder() {
    need!(Nginx);
    the_log_tells_what_happened(Kind::Folder);
}

#[test]
fn the_log_of_a_bucket() {
    need!(Nginx, Seaweed);
    the_log_tells_what_happened(Kind::Bucket);
}

fn the_log_tells_what_happened(kind: Kind) {
    let mirror = Bandersnatch::start();
    let files = [wheel("qx-logged", "1.0"), wheel("qx-other", "1.0"), wheel("qx-logged", "2.0")];
    let sidecar = Setup::on(kind, &mirror).start();
    for file in &files {
        mirror.add(file);
        sidecar.wait_for(file);
    }
    mirror.delete(&files[0]);
    sidecar.wait_for_absence(&files[0]);
    let setup = sidecar.setup();
    let log = |arguments: &[&str]| {
        let all = [&["log", "--json"], arguments].concat();
        let output = setup.tool(&all);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect::<Vec<Value>>()
    };
    let all = log(&[]);
    assert!(all.len() >= 3, "{all:?}");
    for (file, change) in files.iter().zip(["added"; 3]).chain([(&files[0], "removed")]) {
        let tells = |record: &&Value| {
            let projects = record["projects"].as_array().cloned().unwrap_or_default();
            projects.iter().any(|project| {
                let files = project[change].as_array().cloned().unwrap_or_default();
                files.iter().any(|one| {
                    one["filename"] == file.filename.as_str()
                        && one["sha256"] == file.sha256().as_str()
                })
            })
        };
        let count = all.iter().filter(tells).count();
        assert_eq!(count, 1, "{} {change}: {all:#?}", file.filename);
    }
    let other = log(&["--project", "qx-other"]);
    assert!(other.iter().any(|record| record.to_string().contains("qx_other-1.0")));
    assert!(!other.iter().any(|record| record.to_string().contains("qx_logged-2.0")), "{other:?}");
    assert!(log(&["--since", "2999-01-01T00:00:00Z"]).is_empty());
    assert_eq!(log(&["--since", "2001-01-01T00:00:00Z"]).len(), all.len());
    let text = setup.tool(&["log", "--project", "qx-logged"]);
    assert!(said(&text).contains(&files[2].filename), "{}", said(&text));
}

#[test]
fn an_export_of_a_folder_is_a_repository() {
    need!(Python, TufJs, Nginx);
    an_export_is_a_repository(Kind::Folder);
}

#[test]
fn an_export_of_a_bucket_is_a_repository() {
    need!(Python, TufJs, Nginx, Seaweed);
    an_export_is_a_repository(Kind::Bucket);
}

/// Any web server that knows nothing of it can serve it.
fn an_export_is_a_repository(kind: Kind) {
    let mirror = Bandersnatch::start();
    let files = [wheel("qx-carried", "1.0"), wheel("qx-also", "1.0")];
    let sidecar = Setup::on(kind, &mirror).start();
    for file in &files {
        mirror.add(file);
        sidecar.wait_for(file);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("export");
    let output = sidecar.setup().tool(&["export", "--to", to.to_str().expect("a name")]);
    assert!(output.status.success(), "{output:?}");

    let server = Hostile::start();
    for (path, bytes) in tree(&to) {
        let below = path.strip_prefix(&to).expect("below").to_str().expect("a name");
        server.answer(&format!("/{below}"), Answer::file(bytes));
    }
    let origin = server.origin();
    let (metadata, targets) = (format!("{origin}/metadata/"), format!("{origin}/targets/"));
    let root = sidecar.root();
    let clients = [TufClient::python, TufClient::js].map(|new| new(&root, &metadata, &targets));
    for client in clients {
        for file in &files {
            let page = page_path(&file.normalized());
            let result = client.fetch(&[&page]);
            let served = sidecar.page(&file.normalized());
            assert_eq!(result.targets[&page].length, Some(served.body.len() as u64));
            assert_eq!(result.versions["snapshot"], sidecar.version("snapshot"));
        }
    }
}

#[test]
fn what_is_superseded_leaves_a_folder() {
    need!(Python, Nginx);
    what_is_superseded_goes(Kind::Folder);
}

#[test]
fn what_is_superseded_leaves_a_bucket() {
    need!(Python, Nginx, Seaweed);
    what_is_superseded_goes(Kind::Bucket);
}

fn what_is_superseded_goes(kind: Kind) {
    let mirror = Bandersnatch::start();
    let versions: Vec<_> = (0..6).map(|n| wheel("qx-fast", &format!("1.{n}"))).collect();
    // Long while the history is made, so that only the command can collect.
    let sidecar = Setup::on(kind, &mirror).set("store.grace", "1h").at_fixed_ports().start();
    let client = sidecar.python_tuf();
    for file in &versions {
        mirror.add(file);
        sidecar.wait_for(file);
    }
    client.fetch(&[&page_path("qx-fast")]);
    let setup = sidecar.stop().set("store.grace", "2s");
    let objects = setup.objects();
    let before = objects.signed();
    let collect = |arguments: &[&str]| {
        let output = setup.tool_configured(&[&["gc"], arguments].concat());
        assert!(output.status.success(), "{output:?}");
        said(&output)
    };
    let told = eventually("something to collect", SOON, || {
        Some(collect(&["--dry-run"])).filter(|told| told.contains("metadata/"))
    });
    assert!(!told.contains("root/") && !told.contains("journal/"), "{told}");
    assert_eq!(objects.signed(), before);

    let count = |names: &[String], folder: &str| {
        names.iter().filter(|name| name.starts_with(folder)).count()
    };
    let after = eventually("one timestamp", SOON, || {
        collect(&[]);
        Some(objects.signed()).filter(|names| count(names, "timestamps/") == 1)
    });
    for folder in ["root/", "journal/"] {
        assert_eq!(count(&after, folder), count(&before, folder), "{folder}");
    }
    for folder in ["metadata/", "timestamps/", "pages/"] {
        assert!(count(&after, folder) < count(&before, folder), "{folder}: {after:?}");
    }
    setup.fsck();

    // A client from before finds everything, and so does a new one.
    let last = versions.last().expect("a version");
    let sidecar = setup.start();
    for client in [client, sidecar.python_tuf()] {
        let result = client.fetch(&[&page_path("qx-fast"), &target_path(last)]);
        assert_eq!(result.sha256(&target_path(last)), Some(last.sha256().as_str()));
    }
    let next = wheel("qx-fast", "2.0");
    mirror.add(&next);
    sidecar.wait_for(&next);
    sidecar.setup().fsck();
}

/// Without anybody's command, and what is in use stays.
#[test]
fn a_running_process_collects() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    let sidecar = Setup::on(Kind::Folder, &mirror).set("store.grace", "3s").start();
    let client = sidecar.python_tuf();
    let objects = sidecar.setup().objects();
    for n in 0..4 {
        let file = wheel("qx-fast", &format!("1.{n}"));
        mirror.add(&file);
        sidecar.wait_for(&file);
        client.fetch(&[&target_path(&file)]);
    }
    eventually("one timestamp", SOON, || (objects.list("timestamps").len() == 1).then_some(()));
    client.fetch(&[&page_path("qx-fast")]);
    assert!(objects.list("journal").len() >= 4);
    assert_eq!(get(&format!("{}1.root.json", sidecar.metadata_url())).status, 200);
    sidecar.setup().fsck();
}
