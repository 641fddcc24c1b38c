//! A bundle: made while there is a network, used where there is none.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::clients::{Installer, TufClient};
use crate::support::clock::WrongClock;
use crate::support::gateway::index_url;
use crate::support::hostile::{Answer, Hostile};
use crate::support::http::{JSON, Request, Response, get};
use crate::support::mirror::{Bandersnatch, Devpi, Mirror};
use crate::support::packages::{Package, Wheel, sdist, wheel};
use crate::support::process::{Daemon, run};
use crate::support::sidecar::{SOON, Setup, Sidecar, binary, countersign, page_path, target_path};
use crate::support::tools::need;
use crate::support::{eventually, secs};

const DAY: i64 = 86_400;

/// Two projects, of which one needs the other, and a third that nobody bundles.
struct Scene {
    folder: TempDir,
    mirror: Box<dyn Mirror>,
    sidecar: Sidecar,
    root: PathBuf,
    top: Package,
    base: Package,
    source: Package,
    other: Package,
}

impl Scene {
    fn before(mirror: impl Mirror + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let top = Wheel::new("qx-top", "2.0").requires("qx-base").build();
        let (base, source) = (wheel("qx-base", "1.0"), sdist("qx-base", "1.0"));
        let other = wheel("qx-other", "1.0");
        let files = [&top, &base, &source, &other];
        files.iter().for_each(|file| mirror.add(file));
        let sidecar = Setup::before(&mirror).bins(16).start();
        files.iter().for_each(|file| sidecar.wait_for(file));
        let root = folder.path().join("1.root.json");
        fs::copy(sidecar.root(), &root).expect("a copy of the root");
        let mirror = Box::new(mirror);
        Self { folder, mirror, sidecar, root, top, base, source, other }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("qx.bundle")
    }

    fn create(&self, more: &[&str]) -> Output {
        let (data, out) = (self.folder.path().join("data"), self.path());
        let index = self.sidecar.simple_url();
        let mut arguments = vec!["bundle", "create", "--index", &index, "--root", text(&self.root)];
        arguments.extend(["--data", text(&data), "--output", text(&out)]);
        arguments.extend(more);
        countersign(&arguments)
    }

    /// The bundle; nothing else of it all is there any more.
    fn bundled(self, more: &[&str]) -> Site {
        let output = self.create(&[&["--project", "qx-top", "qx-base"], more].concat());
        assert!(output.status.success(), "{output:?}");
        let Self { folder, mirror, sidecar, root, top, base, source, other } = self;
        let bundle = folder.path().join("qx.bundle");
        sidecar.stop();
        drop(mirror);
        Site { folder, bundle, root, clock: WrongClock::new(), top, base, source, other }
    }
}

/// Where there is no network: a bundle, a root, and a user's folders.
struct Site {
    folder: TempDir,
    bundle: PathBuf,
    root: PathBuf,
    clock: WrongClock,
    top: Package,
    base: Package,
    source: Package,
    other: Package,
}

impl Site {
    fn command(&self, bundle: &Path, more: &[&str]) -> Command {
        let mut command = binary();
        command.args(["gateway", "--listen", "127.0.0.1:0", "--bundle", text(bundle)]).args(more);
        command.current_dir(self.folder.path()).env("HOME", self.folder.path());
        command.env_remove("XDG_DATA_HOME").env_remove("XDG_CACHE_HOME").envs(self.clock.env());
        command
    }

    fn gateway(&self, bundle: &Path, more: &[&str]) -> Gateway {
        let log = self.folder.path().join("gateway.log");
        let _ = fs::remove_file(&log);
        let arguments = [&["--root", text(&self.root)], more].concat();
        let mut daemon = Daemon::spawn(&mut self.command(bundle, &arguments), &log);
        let simple_url = daemon.wait_for("the gateway", secs(60), index_url);
        Gateway { daemon, simple_url }
    }

    /// One sentence, and no gateway.
    fn refused(&self, bundle: &Path, more: &[&str]) -> String {
        let arguments = [&["--root", text(&self.root)], more].concat();
        sentence(&run(&mut self.command(bundle, &arguments), secs(60)), 1)
    }

    /// The bundle with a change: the entry whose name ends so, with other bytes of the same length.
    fn altered(&self, entry: &str) -> PathBuf {
        let mut bytes = fs::read(&self.bundle).expect("a bundle");
        let mut archive = tar::Archive::new(&bytes[..]);
        let found = archive.entries().expect("a tar file").flatten().find_map(|found| {
            let name = found.path().expect("a name").display().to_string();
            name.ends_with(entry)
                .then(|| (found.raw_file_position() as usize, found.size() as usize))
        });
        let (at, size) = found.unwrap_or_else(|| panic!("no entry {entry}"));
        // In the middle of a number or a name, and still the JSON that it was.
        let middle = at
            + size / 2
            + bytes[at + size / 2..].iter().position(u8::is_ascii_alphanumeric).expect("a letter");
        bytes[middle] = if bytes[middle] == b'1' { b'2' } else { b'1' };
        let path = self.folder.path().join("altered.bundle");
        fs::write(&path, bytes).expect("a bundle");
        // What was verified before is not asked for again.
        let _ = fs::remove_dir_all(self.folder.path().join(".cache"));
        path
    }
}

struct Gateway {
    daemon: Daemon,
    simple_url: String,
}

impl Gateway {
    fn page(&self, project: &str) -> Response {
        let url = format!("{}{project}/", self.simple_url);
        Request::new("GET", &url).header("Accept", JSON).send()
    }

    fn file(&self, file: &Package) -> Response {
        let host = self.simple_url.split('/').nth(2).expect("a host");
        get(&format!("http://{host}/tuf/targets/{}", target_path(file)))
    }

    fn installs(&self, site: &Site) {
        for installer in Installer::CURRENT {
            let install = installer.install(&self.simple_url, ["qx-top"]);
            install.expect(&site.top).expect(&site.base);
        }
    }

    /// With a sentence that has these words.
    fn refuses(&self, answer: &Response, words: &[&str]) {
        assert_eq!(answer.status, 403, "{}", answer.text());
        let said = format!("{} {}", answer.reason, answer.text());
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
        eventually(&format!("a log line with {words:?}"), SOON, || {
            let log = self.daemon.log();
            log.lines().any(|line| words.iter().all(|word| line.contains(word))).then_some(())
        });
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a name")
}

fn sentence(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    let last = said.lines().last().expect("a sentence").to_owned();
    assert!(last.starts_with("countersign: "), "{said}");
    last
}

fn installs_without_a_network(mirror: impl Mirror + 'static) {
    let site = Scene::before(mirror).bundled(&[]);
    let gateway = site.gateway(&site.bundle, &[]);
    gateway.installs(&site);
    assert_eq!(gateway.file(&site.source).body, site.source.bytes);
    // Also by the SHA-256 of the root, which is in the bundle.
    let root = hex::encode(Sha256::digest(fs::read(&site.root).expect("a root")));
    drop(gateway);
    let log = site.folder.path().join("other.log");
    let mut command = site.command(&site.bundle, &["--root-sha256", &root]);
    let mut daemon = Daemon::spawn(&mut command, &log);
    let simple_url = daemon.wait_for("the gateway", secs(60), index_url);
    Gateway { daemon, simple_url }.installs(&site);
}

#[test]
fn pip_and_uv_install_from_devpi() {
    need!(Python, Faketime);
    installs_without_a_network(Devpi::start(false));
}

/// With core metadata.
#[test]
fn pip_and_uv_install_from_bandersnatch() {
    need!(Python, Nginx, Faketime);
    installs_without_a_network(Bandersnatch::start());
}

#[test]
fn what_is_not_in_it_is_said_to_be_so() {
    need!(Python, Nginx, Faketime);
    let site = Scene::before(Bandersnatch::start()).bundled(&["--file", "*.whl"]);
    let gateway = site.gateway(&site.bundle, &[]);
    gateway.installs(&site);
    // Its page is whole: nobody takes the file for one that does not exist.
    assert!(gateway.page("qx-base").text().contains(&site.source.filename));
    let words = ["Not in the bundle", &site.source.filename, "is not in this bundle"];
    gateway.refuses(&gateway.file(&site.source), &words[1..]);
    assert_eq!(gateway.file(&site.source).reason, words[0]);
    gateway.refuses(&gateway.page("qx-other"), &["is not in this bundle"]);
    for installer in Installer::CURRENT {
        installer.install(&gateway.simple_url, ["qx-other"]).expect_refused(&site.other);
    }
}

#[test]
fn altered_bytes_are_refused() {
    need!(Python, Nginx, Faketime);
    let site = Scene::before(Bandersnatch::start()).bundled(&[]);
    for role in ["timestamp.json", "snapshot.json", "1.targets.json"] {
        let said = site.refused(&site.altered(role), &[]);
        let role = role.trim_end_matches(".json").trim_start_matches("1.");
        assert!(said.contains(role), "{said}");
    }
    // The root that is given counts, and not the one in the bundle.
    site.gateway(&site.altered("1.root.json"), &[]).installs(&site);

    let page = "vnd.pypi.simple.v1.json";
    let gateway = site.gateway(&site.altered(page), &[]);
    let broken = ["qx-base", "qx-top"].map(|project| gateway.page(project));
    let broken = broken.iter().find(|answer| answer.status != 200).expect("a refusal");
    gateway.refuses(broken, &["its sha256 is", page]);
    for installer in Installer::CURRENT {
        installer.install(&gateway.simple_url, ["qx-top"]).expect_refused(&site.top);
    }
    drop(gateway);

    let gateway = site.gateway(&site.altered(&site.base.filename), &[]);
    gateway.refuses(&gateway.file(&site.base), &[&site.base.filename]);
    for installer in Installer::CURRENT {
        installer.install(&gateway.simple_url, ["qx-top"]).expect_refused(&site.base);
    }
    drop(gateway);
    site.gateway(&site.bundle, &[]).installs(&site);
}

#[test]
fn a_bundle_that_is_none() {
    need!(Python, Nginx, Faketime);
    let site = Scene::before(Bandersnatch::start()).bundled(&[]);
    let whole = fs::read(&site.bundle).expect("a bundle");
    let other = site.folder.path().join("other.bundle");
    for length in [0, 100, whole.len() / 2, whole.len() - 1024, whole.len() - 1] {
        fs::write(&other, &whole[..length]).expect("a bundle");
        assert!(site.refused(&other, &[]).contains("no whole bundle"));
    }
    fs::write(&other, [&whole[..], b"more"].concat()).expect("a bundle");
    assert!(site.refused(&other, &[]).contains("follows"));
    assert!(site.refused(&site.folder.path().join("none"), &[]).contains("No such file"));

    // Nothing is trusted because a bundle says so.
    let output = run(&mut site.command(&site.bundle, &[]), secs(60));
    assert!(sentence(&output, 2).contains("cannot vouch for itself"));
    let elsewhere = Setup::before(&Bandersnatch::start()).bins(16).start();
    let wrong = [text(&elsewhere.root()).to_owned(), "0".repeat(64)];
    for (flag, value) in ["--root", "--root-sha256"].iter().zip(&wrong) {
        let output = run(&mut site.command(&site.bundle, &[flag, value]), secs(60));
        let said = sentence(&output, 1);
        assert!(said.contains("trusted keys") || said.contains("another repository"), "{said}");
    }
}

#[test]
fn an_expired_bundle_needs_a_word() {
    need!(Python, Nginx, Faketime);
    let site = Scene::before(Bandersnatch::start()).bundled(&[]);
    site.clock.turn(30 * DAY);
    let said = site.refused(&site.bundle, &[]);
    assert!(said.contains("expired at") && said.contains("--as-of"), "{said}");
    let gateway = site.gateway(&site.bundle, &["--as-of"]);
    gateway.installs(&site);
    let log = gateway.daemon.log();
    let warned = log.lines().any(|line| line.contains("WARN") && line.contains("--as-of"));
    assert!(warned && log.contains("revoked"), "{log}");
    drop(gateway);
    // The time is the bundle's own, and signed.
    let said = site.refused(&site.altered("timestamp.json"), &["--as-of"]);
    assert!(said.contains("timestamp"), "{said}");
    // A clock that is behind does no harm.
    site.clock.turn(-30 * DAY);
    site.gateway(&site.bundle, &[]).installs(&site);
}

#[test]
fn an_older_bundle_is_a_rollback() {
    need!(Python, Nginx, Faketime);
    let mut scene = Scene::before(Bandersnatch::start());
    let first = scene.create(&["--project", "qx-top", "qx-base"]);
    assert!(first.status.success(), "{first:?}");
    let older = scene.folder.path().join("older.bundle");
    fs::copy(scene.path(), &older).expect("a copy");
    scene.base = wheel("qx-base", "1.1");
    scene.mirror.add(&scene.base);
    scene.sidecar.wait_for(&scene.base);
    let site = scene.bundled(&[]);
    site.gateway(&site.bundle, &[]).installs(&site);
    for more in [&[][..], &["--as-of"]] {
        let said = site.refused(&older, more);
        assert!(
            said.contains("older than one that was used here") && said.contains("--data"),
            "{said}"
        );
    }
    // Somebody else, who has never seen the newer one.
    let gateway = site.gateway(&older, &["--data", "apart"]);
    assert_eq!(gateway.page("qx-base").status, 200);
}

/// Unpacked, it is a TUF repository of its pages.
#[test]
fn other_clients_can_use_it() {
    need!(Python, Nginx, Faketime);
    let site = Scene::before(Bandersnatch::start()).bundled(&[]);
    let (server, bytes) = (Hostile::start(), fs::read(&site.bundle).expect("a bundle"));
    let mut archive = tar::Archive::new(&bytes[..]);
    for entry in archive.entries().expect("a tar file") {
        let mut entry = entry.expect("an entry");
        let (name, mut bytes) = (entry.path().expect("a name").display().to_string(), Vec::new());
        entry.read_to_end(&mut bytes).expect("its bytes");
        server.answer(&format!("/{name}"), Answer::file(bytes));
    }
    let url = |folder: &str| format!("{}/{folder}/", server.origin());
    let client = TufClient::python(&site.root, &url("metadata"), &url("targets"));
    for project in ["qx-top", "qx-base"] {
        let page = page_path(project);
        assert!(client.fetch(&[&page]).targets[&page].found, "{project}");
    }
}

/// What the help promises: a project that is not there is named, and what lay there stays.
#[test]
fn an_unknown_project_is_named() {
    need!(Python, Nginx);
    let scene = Scene::before(Bandersnatch::start());
    fs::write(scene.path(), "the last one").expect("a file");
    let said = sentence(&scene.create(&["--project", "qx-top", "qx-none"]), 1);
    assert!(said.contains("no page of qx-none"), "{said}");
    let list = scene.folder.path().join("requirements.txt");
    fs::write(&list, "-r more.txt\n").expect("a file");
    let said = sentence(&scene.create(&["--requirements", text(&list)]), 2);
    assert!(said.contains("-r more.txt"), "{said}");
    assert_eq!(fs::read(scene.path()).expect("a file"), b"the last one");
    fs::write(&list, "qx-top==2.0 # and what it needs\nqx_base>=1\n").expect("a file");
    let output = scene.create(&["--requirements", text(&list)]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("2 projects, 3 files"), "{output:?}");
}

/// A mirror that hands out other bytes than it lists.
#[test]
fn nothing_unverified_gets_into_a_bundle() {
    need!(Python, Nginx);
    let scene = Scene::before(Bandersnatch::start());
    let large = Wheel::new("qx-top", "3.0").padding(300 << 10).build();
    scene.mirror.add(&large);
    scene.sidecar.wait_for(&large);
    let root = scene.sidecar.root();
    scene.mirror.tamper(&large, &vec![0; large.bytes.len()]);
    let said = sentence(&scene.create(&["--project", "qx-top"]), 1);
    assert!(said.contains(&large.filename), "{said}");
    assert!(!scene.path().exists() && root.exists());
    let left = fs::read_dir(scene.folder.path()).expect("a folder").flatten();
    assert!(left.into_iter().all(|entry| !entry.file_name().to_string_lossy().contains("part")));
}
