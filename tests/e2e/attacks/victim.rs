//! A gateway that asks the attacker, and what its users see.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use super::scene::Scene;
use crate::support::attacker::Place;
use crate::support::clients::{Install, Installer};
use crate::support::clock::WrongClock;
use crate::support::http::{JSON, Request, Response, get};
use crate::support::packages::Package;
use crate::support::process::{Daemon, run};
use crate::support::sidecar::{SOON, binary, page_path, target_path};
use crate::support::{eventually, secs};

/// `countersign gateway`, with a state of its own.
pub struct Victim {
    daemon: Daemon,
    origin: String,
    _folder: TempDir,
}

/// How a gateway is started.
#[derive(Default)]
pub struct Settings<'a> {
    pub clock: Option<&'a WrongClock>,
    pub flags: &'a [&'a str],
}

impl Victim {
    /// Knows the root, and nothing else yet.
    pub fn of(scene: &Scene) -> Self {
        Self::with(scene, &Settings::default())
    }

    pub fn with(scene: &Scene, settings: &Settings) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let index = scene.attacker.simple_url();
        let root = scene.world.sidecar.root();
        let data = folder.path().join("data");
        let mut pin = binary();
        pin.args(["trust", "add", &index]).arg("--root").arg(root).arg("--data").arg(&data);
        let output = run(&mut pin, secs(60));
        assert!(output.status.success(), "{output:?}");
        let daemon = launch(&index, folder.path(), settings);
        let mut victim = Self { daemon, origin: String::new(), _folder: folder };
        victim.origin = victim.daemon.wait_for("the gateway", secs(60), address);
        victim
    }

    pub fn simple_url(&self) -> String {
        format!("{}/simple/", self.origin)
    }

    /// Its answer on a project's page.
    pub fn page(&self, file: &Package) -> Response {
        let url = format!("{}{}/", self.simple_url(), file.normalized());
        Request::new("GET", &url).header("Accept", JSON).send()
    }

    /// Its answer on a file.
    pub fn file(&self, file: &Package) -> Response {
        get(&self.file_url(file))
    }

    pub fn core_metadata(&self, file: &Package) -> Response {
        get(&format!("{}.metadata", self.file_url(file)))
    }

    fn file_url(&self, file: &Package) -> String {
        format!("{}/tuf/targets/{}", self.origin, target_path(file))
    }

    /// By the file's own URL, without any hash.
    pub fn install_url(&self, installer: Installer, file: &Package) -> Install {
        installer.install_url(&self.simple_url(), &self.file_url(file))
    }

    /// Waits until it has asked for a timestamp again.
    pub fn refreshes(&self, scene: &Scene) {
        scene.attacker.forget();
        eventually("a refresh", SOON, || {
            self.page(&scene.good);
            (scene.attacker.asked(&Place::role("timestamp")) > 0).then_some(())
        });
    }

    pub fn install(&self, installer: Installer, file: &Package) -> Install {
        installer.install(&self.simple_url(), [file.project.as_str()])
    }

    /// pip and uv install exactly this, at the latest soon.
    pub fn installs(&self, file: &Package) {
        eventually("a good page", SOON, || (self.page(file).status == 200).then_some(()));
        for installer in Installer::CURRENT {
            self.install(installer, file).expect(file);
        }
    }

    /// The page is refused: 403, with a reason, a sentence, and a line in the log with these words; and pip and uv
    /// install nothing.
    pub fn refuses_page(&self, file: &Package, words: &[&str]) {
        let answer = eventually("a refusal", SOON, || {
            let answer = self.page(file);
            (answer.status != 200).then_some(answer)
        });
        self.is_refusal(&answer, words);
        self.installs_nothing(file);
    }

    /// The same where other bytes than those that are signed come as the page.
    pub fn refuses_another_page(&self, file: &Package) {
        let path = page_path(&file.normalized());
        self.refuses_page(file, &[&path]);
        let reason = self.page(file).reason;
        let checks = ["(hash)", "(length)", "(too-long)"];
        assert!(checks.iter().any(|check| reason.contains(check)), "{reason}");
    }

    /// The same of a file.
    pub fn refuses_file(&self, file: &Package, words: &[&str]) {
        self.is_refusal(&self.file(file), words);
        self.installs_nothing(file);
    }

    pub fn installs_nothing(&self, file: &Package) {
        for installer in Installer::CURRENT {
            self.refuses_to(installer, file);
        }
    }

    pub fn refuses_to(&self, installer: Installer, file: &Package) {
        let index = self.simple_url();
        installer.install_hastily(&index, [file.project.as_str()]).expect_refused(file);
    }

    fn is_refusal(&self, answer: &Response, words: &[&str]) {
        assert_eq!(answer.status, 403, "{}", answer.text());
        self.explains(answer, words);
    }

    /// Its reason is in the answer, and in the log.
    pub fn explains(&self, answer: &Response, words: &[&str]) {
        says(answer, words);
        self.expect_logged(words);
    }

    /// One line of the log has all of these in it.
    pub fn expect_logged(&self, words: &[&str]) {
        eventually(&format!("a log line with {words:?}"), SOON, || {
            let log = self.daemon.log();
            log.lines().any(|line| words.iter().all(|word| line.contains(word))).then_some(())
        });
    }

    pub fn peak_memory(&self) -> u64 {
        self.daemon.peak_memory()
    }
}

/// `countersign gateway` by somebody who has pinned nothing, where it ends by itself; and what is pinned after that.
pub fn first_use(scene: &Scene, trust: &[&str]) -> (Output, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let index = scene.attacker.simple_url();
    let mut command = binary();
    command.args(["gateway", "--index", &index, "--listen", "127.0.0.1:0"]).args(trust);
    let output = run(command.arg("--data").arg(folder.path()), secs(60));
    let mut list = binary();
    let list = run(list.args(["trust", "list", "--json", "--data"]).arg(folder.path()), secs(60));
    (output, serde_json::from_slice(&list.stdout).expect("a list"))
}

/// An answer that tells its reader which check failed: pip shows the phrase, uv title and detail.
pub fn says(answer: &Response, words: &[&str]) {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    let detail = problem["detail"].as_str().expect("a detail");
    let all = format!("{} {detail}", answer.reason);
    for word in words {
        assert!(all.contains(word), "no {word:?} in {all:?}");
    }
    if answer.status == 403 {
        assert!(answer.reason.starts_with("Blocked by countersign:"), "{all}");
    }
}

fn launch(index: &str, folder: &Path, settings: &Settings) -> Daemon {
    let mut command = binary();
    command.args(["gateway", "--index", index, "--listen", "127.0.0.1:0", "--refresh", "100ms"]);
    command.args(settings.flags).arg("--data").arg(folder.join("data"));
    command.current_dir(folder).env("XDG_CACHE_HOME", folder.join("cache"));
    if let Some(clock) = settings.clock {
        command.envs(clock.env());
    }
    Daemon::spawn(&mut command, &folder.join("gateway.log"))
}

/// The origin in the line with which it begins.
fn address(log: &str) -> Option<String> {
    let line = log.lines().find(|line| line.contains("listening"))?;
    let start = line.find("127.0.0.1:")?;
    let rest = &line[start..];
    let end =
        rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(rest.len());
    Some(format!("http://{}", &rest[..end]))
}
