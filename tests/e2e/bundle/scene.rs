//! Where a bundle is made, and where it is used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::clients::Installer;
use crate::support::clock::WrongClock;
use crate::support::gateway::index_url;
use crate::support::http::{JSON, Request, Response, get};
use crate::support::mirror::Mirror;
use crate::support::packages::{Package, Wheel, sdist, wheel};
use crate::support::process::{Daemon, run};
use crate::support::sidecar::{SOON, Setup, Sidecar, binary, countersign, target_path};
use crate::support::{eventually, secs};

/// Two projects, of which one needs the other, and a third that nobody bundles.
pub struct Scene {
    pub folder: TempDir,
    pub mirror: Box<dyn Mirror>,
    pub sidecar: Sidecar,
    pub root: PathBuf,
    pub top: Package,
    pub base: Package,
    pub source: Package,
    pub other: Package,
}

impl Scene {
    pub fn before(mirror: impl Mirror + 'static) -> Self {
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

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("qx.bundle")
    }

    pub fn create(&self, more: &[&str]) -> Output {
        create(&self.sidecar, self.folder.path(), more)
    }

    /// The bundle; nothing else of it all is there any more.
    pub fn bundled(self, more: &[&str]) -> Site {
        let output = self.create(&[&["--project", "qx-top", "qx-base"], more].concat());
        assert!(output.status.success(), "{output:?}");
        let Self { folder, mirror, sidecar, root, top, base, source, other } = self;
        let bundle = folder.path().join("qx.bundle");
        sidecar.stop();
        drop(mirror);
        Site { folder, bundle, root, clock: WrongClock::new(), top, base, source, other }
    }
}

/// `bundle create`, to `qx.bundle` in a folder.
pub fn create(sidecar: &Sidecar, folder: &Path, more: &[&str]) -> Output {
    let [data, out] = ["data", "qx.bundle"].map(|name| folder.join(name));
    let (root, index) = (sidecar.root(), sidecar.simple_url());
    let mut arguments = vec!["bundle", "create", "--index", &index, "--root", text(&root)];
    arguments.extend(["--data", text(&data), "--output", text(&out)]);
    arguments.extend(more);
    countersign(&arguments)
}

/// Where there is no network: a bundle, a root, and a user's folders.
pub struct Site {
    pub folder: TempDir,
    pub bundle: PathBuf,
    pub root: PathBuf,
    pub clock: WrongClock,
    pub top: Package,
    pub base: Package,
    pub source: Package,
    pub other: Package,
}

impl Site {
    pub fn command(&self, bundle: &Path, more: &[&str]) -> Command {
        let mut command = binary();
        command.args(["gateway", "--listen", "127.0.0.1:0", "--bundle", text(bundle)]).args(more);
        command.current_dir(self.folder.path()).env("HOME", self.folder.path());
        command.env_remove("XDG_DATA_HOME").env_remove("XDG_CACHE_HOME").envs(self.clock.env());
        command
    }

    pub fn gateway(&self, bundle: &Path, more: &[&str]) -> Gateway {
        let log = self.folder.path().join("gateway.log");
        let _ = fs::remove_file(&log);
        let arguments = [&["--root", text(&self.root)], more].concat();
        let mut daemon = Daemon::spawn(&mut self.command(bundle, &arguments), &log);
        let simple_url = daemon.wait_for("the gateway", secs(60), index_url);
        Gateway { daemon, simple_url }
    }

    /// One sentence, and no gateway.
    pub fn refused(&self, bundle: &Path, more: &[&str]) -> String {
        let arguments = [&["--root", text(&self.root)], more].concat();
        sentence(&run(&mut self.command(bundle, &arguments), secs(60)), 1)
    }

    /// The bundle with a change: the entry whose name ends so, with other bytes of the same length.
    pub fn altered(&self, entry: &str) -> PathBuf {
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

pub struct Gateway {
    pub daemon: Daemon,
    pub simple_url: String,
}

impl Gateway {
    pub fn page(&self, project: &str) -> Response {
        let url = format!("{}{project}/", self.simple_url);
        Request::new("GET", &url).header("Accept", JSON).send()
    }

    pub fn file(&self, file: &Package) -> Response {
        get(&self.file_url(file))
    }

    pub fn core_metadata(&self, file: &Package) -> Response {
        get(&format!("{}.metadata", self.file_url(file)))
    }

    pub fn file_url(&self, file: &Package) -> String {
        let host = self.simple_url.split('/').nth(2).expect("a host");
        format!("http://{host}/tuf/targets/{}", target_path(file))
    }

    pub fn installs(&self, site: &Site) {
        for installer in Installer::CURRENT {
            let install = installer.install(&self.simple_url, ["qx-top"]);
            install.expect(&site.top).expect(&site.base);
        }
    }

    /// With a sentence that has these words.
    pub fn refuses(&self, answer: &Response, words: &[&str]) {
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

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a name")
}

pub fn sentence(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    let last = said.lines().last().expect("a sentence").to_owned();
    assert!(last.starts_with("countersign: "), "{said}");
    last
}
