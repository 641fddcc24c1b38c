//! A token of SoftHSM, whose files are its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::run;
use super::secs;
use super::tools::Tool;

/// What its user logs in with.
pub const PIN: &str = "86420-pin";

/// A token called `holders`.
pub struct Token {
    folder: TempDir,
}

impl Token {
    pub fn new() -> Self {
        let token = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir(token.files()).expect("a folder");
        let configuration = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            token.files().display()
        );
        fs::write(token.path("softhsm2.conf"), configuration).expect("a file");
        token.write_secret("pin", PIN);
        let mut command = Command::new("softhsm2-util");
        command.args(["--init-token", "--free", "--label", "holders", "--so-pin", "97531-pin"]);
        let output = run(command.args(["--pin", PIN]).envs([token.env()]), secs(120));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        token
    }

    /// What tells the module where its tokens lie.
    pub fn env(&self) -> (String, String) {
        ("SOFTHSM2_CONF".into(), self.path("softhsm2.conf").display().to_string())
    }

    /// What the module keeps. Without it there is no token.
    pub fn files(&self) -> PathBuf {
        self.path("tokens")
    }

    /// A place of the test's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file that only its owner can read.
    pub fn write_secret(&self, name: &str, secret: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, format!("{secret}\n")).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        path
    }

    /// The URI of a key.
    pub fn uri(&self, object: &str) -> String {
        self.uri_with(object, &self.path("pin"))
    }

    pub fn uri_with(&self, object: &str, pin: &Path) -> String {
        format!(
            "pkcs11:token=holders;object={object}?module-path={}&pin-source=file:{}",
            Tool::SoftHsm.path().display(),
            pin.display()
        )
    }
}
