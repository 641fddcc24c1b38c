//! A repository whose holders sit at one desk: keys without a passphrase, and nobody who asks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::hostile::Hostile;
use crate::support::process::run;
use crate::support::secs;
use crate::support::sidecar::{Setup, binary};

/// The holders: two of three sign root, targets and bins.
pub const HOLDERS: [&str; 3] = ["red", "green", "blue"];

pub struct Desk {
    folder: TempDir,
    pub setup: Setup,
}

impl Desk {
    /// With a repository of 16 bins, made of signed files.
    pub fn before(mirror: &Hostile) -> Self {
        let setup = Setup::bare(&mirror.simple_url())
            .at_fixed_ports()
            .set("watch.interval", "1s")
            .set("no-init", true)
            .set("signing.online", json!(["file:online/"]))
            .set("signing.reload", "1s");
        let desk = Self { folder: tempfile::tempdir().expect("a folder"), setup };
        fs::create_dir_all(desk.setup.data().join("online")).expect("a folder");
        fs::create_dir(desk.path("first")).expect("a folder");
        for name in HOLDERS {
            desk.key(name);
        }
        desk.online("online");
        let holders =
            |flag: &str| HOLDERS.map(|name| format!(" --{flag} {name}={name}.pub.json")).concat();
        desk.does(&format!(
            "root draft --first --out first/root.json{}{} --threshold 2 --targets-threshold 2 --online online.pub.json",
            holders("holder"),
            holders("targets-holder"),
        ));
        desk.does(&format!(
            "targets draft --first --out first/targets.json{} --threshold 2",
            holders("holder")
        ));
        desk.does("bins draft --first --out first/bins.json --online online.pub.json --bins 16");
        desk.sign("root", "first/root.json", &["red", "green"], "");
        desk.sign("targets", "first/targets.json", &["red", "green"], "--root first/root.json");
        desk.sign("bins", "first/bins.json", &["red", "green"], "--targets first/targets.json");
        let made = desk.setup.tool_configured(&["init", "--signed", &desk.text("first")]);
        assert!(made.status.success(), "{made:?}");
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("a name").to_owned()
    }

    /// Runs the command here; words are separated by spaces.
    pub fn tries(&self, words: &str) -> Output {
        let mut command = binary();
        command.args(words.split_whitespace()).current_dir(self.folder.path());
        run(&mut command, secs(120))
    }

    /// The same, where it must end well.
    pub fn does(&self, words: &str) {
        let output = self.tries(words);
        assert!(output.status.success(), "{words}: {output:?}");
    }

    /// A key of a holder: `NAME.pem` and `NAME.pub.json`.
    pub fn key(&self, name: &str) {
        self.does(&format!("key generate --out {name}.pem"));
    }

    /// A key that the sidecar finds; its public side lies here too.
    pub fn online(&self, name: &str) {
        let folder = self.setup.data().join("online");
        let key = folder.join(format!("{name}.pem"));
        self.does(&format!("key generate --out {}", key.display()));
        let public = format!("{name}.pub.json");
        fs::copy(folder.join(&public), self.path(&public)).expect("a copy");
    }

    pub fn sign(&self, role: &str, file: &str, keys: &[&str], more: &str) {
        for key in keys {
            self.does(&format!("{role} sign {file} --key {key}.pem --yes {more}"));
        }
    }

    /// What is published now, as `now-ROLE.json`.
    pub fn fetch(&self, roles: &[&str]) {
        for role in roles {
            let file = self.path(&format!("now-{role}.json"));
            let _ = fs::remove_file(&file);
            let out = file.to_str().expect("a name");
            let output = self.setup.tool_configured(&[role, "current", "--out", out]);
            assert!(output.status.success(), "{output:?}");
        }
    }

    /// `ROLE publish FILE …`, files of this desk.
    pub fn publish(&self, words: &str) -> Output {
        let words = words.split_whitespace().map(|word| match word.ends_with(".json") {
            true => self.text(word),
            false => word.to_owned(),
        });
        let words: Vec<_> = words.collect();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        self.setup.tool_configured(&words)
    }

    /// The same, where it must end well.
    pub fn publishes(&self, words: &str) {
        let output = self.publish(words);
        assert!(output.status.success(), "{words}: {output:?}");
    }

    /// Changes a file by hand; what had signed it no longer does.
    pub fn edit(&self, file: &str, change: impl FnOnce(&mut Value)) {
        let path = self.path(file);
        let mut value = json_of(&path);
        change(&mut value);
        fs::write(path, value.to_string()).expect("a file");
    }
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}
