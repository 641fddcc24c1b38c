//! Looking after a repository: its journal, its garbage, its damage, and a copy of it for any web server.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::thread::sleep;

use serde_json::Value;

use crate::support::clients::TufClient;
use crate::support::http::Request;
use crate::support::mirror::{Bandersnatch, Mirror, Pypiserver};
use crate::support::packages::{Package, sdist, wheel};
use crate::support::process::{Daemon, free_port};
use crate::support::sidecar::{Setup, Sidecar, page_path, target_path};
use crate::support::tools::{need, python};
use crate::support::{eventually, secs};

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command that must succeed writes, each line as JSON.
fn json(sidecar: &Sidecar, arguments: &[&str]) -> Vec<Value> {
    let output = sidecar.try_control(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn fsck(sidecar: &Sidecar) -> Output {
    sidecar.try_control(&["fsck"])
}

#[test]
fn the_journal_tells_what_was_published() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    let files = [wheel("qx-told", "1.0"), wheel("qx-other", "1.0"), wheel("qx-told", "2.0")];
    let sidecar = Setup::before(&mirror).start();
    for file in &files {
        mirror.add(file);
        sidecar.wait_for(file);
    }
    let all = json(&sidecar, &["log", "--json"]);
    let numbers: Vec<_> = all.iter().map(|commit| commit["number"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a > b) && numbers.last() == Some(&1), "{numbers:?}");
    let told = json(&sidecar, &["log", "--json", "--project", "Qx.Told", "--oldest-first"]);
    let added: Vec<_> = told
        .iter()
        .flat_map(|commit| commit["projects"][0]["added"].as_array())
        .flatten()
        .collect();
    let added: Vec<_> = added.iter().map(|file| file["filename"].as_str().unwrap()).collect();
    assert_eq!(added, [files[0].filename.as_str(), files[2].filename.as_str()]);
    assert!(json(&sidecar, &["log", "--json", "--since", "1h"]).len() >= 3);
    assert!(json(&sidecar, &["log", "--json", "--since", "2100-01-01"]).is_empty());
    let text = stdout(&sidecar.try_control(&["log", "-n", "1"]));
    assert!(text.contains("commit ") && !text.contains("commit 1 "), "{text}");
}

#[test]
fn garbage_goes_beside_the_running_process_and_nothing_else_does() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    let file = wheel("qx-kept", "1.0");
    mirror.add(&file);
    let sidecar = Setup::before(&mirror).bins(16).set("store.grace", "2s").start();
    sidecar.wait_for(&file);
    let client = sidecar.python_tuf();
    client.fetch(&[&page_path("qx-kept")]);
    let newer = wheel("qx-kept", "2.0");
    mirror.add(&newer);
    sidecar.wait_for(&newer);
    // The one wait that is meant: for the grace period.
    sleep(secs(3));
    let config = sidecar.data().with_file_name("countersign.toml");
    let config = config.to_str().expect("a name");
    let dry = sidecar.try_control(&["gc", "--dry-run", "--config", config]);
    assert!(dry.status.success(), "{dry:?}");
    for name in stdout(&dry).lines() {
        assert!(!name.starts_with("root/") && !name.starts_with("journal/"), "{name}");
    }
    let timestamps = sidecar.data().join("repository/timestamps");
    eventually("one timestamp that is left", secs(30), || {
        let output = sidecar.try_control(&["gc", "--config", config]);
        assert!(output.status.success(), "{output:?}");
        (fs::read_dir(&timestamps).expect("a folder").count() == 1).then_some(())
    });
    let result = client.fetch(&[&page_path("qx-kept"), &target_path(&newer)]);
    assert_eq!(result.sha256(&target_path(&newer)), Some(newer.sha256().as_str()));
    let third = wheel("qx-kept", "3.0");
    mirror.add(&third);
    sidecar.wait_for(&third);
    let checked = fsck(&sidecar);
    assert!(checked.status.success(), "{}", stdout(&checked));
}

#[test]
fn damage_is_found_beside_the_running_process() {
    need!(Python, Nginx);
    let mirror = Bandersnatch::start();
    let file = wheel("qx-whole", "1.0");
    mirror.add(&file);
    let sidecar = Setup::before(&mirror).bins(16).start();
    sidecar.wait_for(&file);
    let whole = fsck(&sidecar);
    assert_eq!(whole.status.code(), Some(0), "{}", stdout(&whole));
    assert!(stdout(&whole).contains("nothing is wrong"), "{}", stdout(&whole));

    let pages = sidecar.data().join("repository/pages");
    // Each page has the number of its commit in its name: the newest is what is published.
    let number = |path: &Path| path.extension()?.to_str()?.parse::<u64>().ok();
    let newest = fs::read_dir(&pages).expect("a folder").flatten().map(|entry| entry.path());
    let newest = newest.max_by_key(|path| number(path)).expect("a page");
    fs::write(&newest, "broken").expect("a file");
    let damaged = fsck(&sidecar);
    assert_eq!(damaged.status.code(), Some(1));
    let name = newest.file_name().expect("a name").to_string_lossy().into_owned();
    let found = stdout(&damaged);
    assert!(found.lines().any(|line| line.starts_with(&format!("pages/{name}: "))), "{found}");
    let output = sidecar.try_control(&["fsck", "--json"]);
    let lines: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[0]["level"], "damage");
    assert_eq!(lines.last().expect("a summary")["summary"]["damage"], 1);
}

/// A web server that knows nothing of TUF, over an exported folder.
pub struct Web {
    _daemon: Daemon,
    url: String,
}

impl Web {
    pub fn over(folder: &Path, log: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new(python("python"));
        command.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()]);
        command.arg("--directory").arg(folder);
        let mut daemon = Daemon::spawn(&mut command, log);
        let url = format!("http://127.0.0.1:{port}/");
        daemon.wait_for("the web server", secs(30), |_| Request::new("GET", &url).try_send().ok());
        Self { _daemon: daemon, url }
    }

    pub fn urls(&self) -> [String; 2] {
        ["metadata/", "targets/"].map(|folder| format!("{}{folder}", self.url))
    }
}

#[test]
fn an_exported_folder_satisfies_clients() {
    need!(Python, TufJs, Nginx);
    exported_from(&Bandersnatch::start());
}

/// Whose lengths are learnt later.
#[test]
fn an_exported_folder_satisfies_clients_before_pypiserver() {
    need!(Python, TufJs);
    exported_from(&Pypiserver::start());
}

fn exported_from(mirror: &dyn Mirror) {
    let files = [wheel("qx-copied", "1.0"), sdist("qx-copied", "1.0")];
    for file in &files {
        mirror.add(file);
    }
    let sidecar = Setup::before(mirror).bins(16).start();
    for file in &files {
        sidecar.wait_for(file);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("tuf");
    let exports = |files: bool| {
        let upstream = mirror.simple_url();
        let mut arguments = vec!["export", "--to", to.to_str().expect("a name")];
        if files {
            arguments.extend(["--files", "--upstream", &upstream]);
        }
        sidecar.try_control(&arguments)
    };
    let output = exports(false);
    assert!(output.status.success(), "{output:?}");
    assert!(stdout(&output).contains("2 files are left out"), "{}", stdout(&output));
    let web = Web::over(&to, &folder.path().join("log"));
    let [metadata, targets] = web.urls();
    let clients = [
        TufClient::python(&sidecar.root(), &metadata, &targets),
        TufClient::js(&sidecar.root(), &metadata, &targets),
    ];
    let page = page_path("qx-copied");
    for client in &clients {
        let result = client.fetch(&[&page]);
        assert_eq!(result.versions["snapshot"], sidecar.version("snapshot"));
        assert!(result.sha256(&page).is_some());
        let missing = client.try_fetch(&[&target_path(&files[0])]);
        assert!(missing.error.is_some(), "it is a target, and not there");
    }

    // The same clients, with what they remember, after the folder was brought up to date.
    let newer = wheel("qx-copied", "2.0");
    mirror.add(&newer);
    sidecar.wait_for(&newer);
    let output = exports(true);
    assert!(output.status.success(), "{output:?}");
    let all: Vec<&Package> = files.iter().chain([&newer]).collect();
    let paths: Vec<_> = all.iter().map(|file| target_path(file)).collect();
    let mut wanted: Vec<&str> = paths.iter().map(String::as_str).collect();
    wanted.push(&page);
    for client in &clients {
        let result = client.fetch(&wanted);
        for (file, path) in all.iter().zip(&paths) {
            assert_eq!(result.sha256(path), Some(file.sha256().as_str()));
        }
    }
}

/// A copy of the repository, as a backup makes it; or back again.
fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("cp");
    assert!(copied.success(), "{} to {}", from.display(), to.display());
}

fn restore(setup: &Setup, more: &[&str]) {
    let output = setup.tool(&[&["restore", "--advance"], more].concat());
    assert!(output.status.success(), "{output:?}");
}

/// Clients that hold the later state go on without an error.
#[test]
fn a_backup_is_gone_on_with_before_clients_that_have_seen_more() {
    need!(Python, TufJs, Nginx);
    let mirror = Bandersnatch::start();
    let [first, second, third] = ["1.0", "2.0", "3.0"].map(|version| wheel("qx-back", version));
    mirror.add(&first);
    let sidecar = Setup::before(&mirror).bins(16).at_fixed_ports().start();
    sidecar.wait_for(&first);
    let setup = sidecar.stop();
    let (repository, backup) = (setup.data().join("repository"), setup.data().join("backup"));
    copy(&repository, &backup);

    let sidecar = setup.start();
    let clients = [sidecar.python_tuf(), sidecar.tuf_js()];
    mirror.add(&second);
    sidecar.wait_for(&second);
    let page = page_path("qx-back");
    let refresh = |file: &Package| {
        let target = target_path(file);
        clients.each_ref().map(|client| {
            let result = client.fetch(&[&page, &target]);
            assert_eq!(result.sha256(&target), Some(file.sha256().as_str()));
            result.versions
        })
    };
    let later = refresh(&second);
    let setup = sidecar.stop();
    copy(&backup, &repository);
    restore(&setup, &[]);
    setup.fsck();
    let sidecar = setup.start();
    // What the backup had forgotten is found at the mirror again.
    sidecar.wait_for(&second);
    let advanced = refresh(&second);
    for (later, advanced) in later.iter().zip(&advanced) {
        for role in ["timestamp", "snapshot"] {
            assert!(advanced[role] > later[role], "{role}: {later:?}, {advanced:?}");
        }
    }

    // Numbers beyond the Unix time, and then a backup that knows nothing of them.
    let setup = sidecar.stop();
    restore(&setup, &["--past", "9000000000"]);
    let sidecar = setup.start();
    mirror.add(&third);
    sidecar.wait_for(&third);
    let highest = refresh(&third).iter().flat_map(|seen| seen.values().copied()).max();
    let highest = highest.expect("versions");
    assert!(highest > 9_000_000_000);
    let setup = sidecar.stop();
    copy(&backup, &repository);
    restore(&setup, &[]);
    let sidecar = setup.start();
    let refused = clients[0].try_fetch(&[&page]);
    assert!(refused.error.is_some(), "the Unix time is not enough: {refused:?}");
    let setup = sidecar.stop();
    let output = setup.tool(&["restore", "--advance", "--past", "9007199254740991"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    restore(&setup, &["--past", &highest.to_string()]);
    setup.fsck();
    let sidecar = setup.start();
    sidecar.wait_for(&third);
    for seen in refresh(&third) {
        assert!(seen["timestamp"] > highest && seen["snapshot"] > highest, "{seen:?}");
    }
}
