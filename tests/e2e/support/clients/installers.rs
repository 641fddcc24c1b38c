//! pip and uv, each time into an empty folder and without a cache.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::plain;
use crate::support::packages::Package;
use crate::support::process::run;
use crate::support::secs;
use crate::support::tools::{self, Tool};

/// Who installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installer {
    Pip,
    /// pip 24.3.1, which takes a file that was cut short for whole.
    OldPip,
    Uv,
}

impl Installer {
    /// Those that are current.
    pub const CURRENT: [Self; 2] = [Self::Pip, Self::Uv];
    pub const ALL: [Self; 3] = [Self::Pip, Self::OldPip, Self::Uv];

    fn command(self, home: &std::path::Path) -> std::process::Command {
        let mut command = match self {
            Self::Pip => plain(tools::python("python"), home),
            Self::OldPip => plain(Tool::OldPip.path(), home),
            Self::Uv => plain(tools::python("uv"), home),
        };
        match self {
            Self::Uv => {
                command
                    .args(["pip", "install", "--no-cache", "--no-config", "--python"])
                    .arg(tools::python("python"));
            }
            _ => {
                let options = [
                    "--isolated",
                    "--disable-pip-version-check",
                    "install",
                    "--no-cache-dir",
                    "--no-compile",
                ];
                command.args(["-m", "pip"]).args(options);
            }
        }
        command
    }

    /// `install --index-url INDEX REQUIREMENT...`
    pub fn install<'a>(
        self,
        index: &str,
        requirements: impl IntoIterator<Item = &'a str>,
    ) -> Install {
        self.run(&["--index-url", index], requirements, &[])
    }

    /// The same, and what failed is not tried again.
    pub fn install_hastily<'a>(
        self,
        index: &str,
        requirements: impl IntoIterator<Item = &'a str>,
    ) -> Install {
        let options: &[_] = match self {
            Self::Uv => &["--index-url", index],
            _ => &["--retries", "0", "--index-url", index],
        };
        self.run(options, requirements, &[("UV_HTTP_RETRIES", "0")])
    }

    /// uv with two indexes: the second is asked for what the first does not have. What failed is not tried again.
    pub fn install_from_either(index: &str, other: &str, requirement: &str) -> Install {
        let options = ["--index", index, "--default-index", other];
        Self::Uv.run(&options, [requirement], &[("UV_HTTP_RETRIES", "0")])
    }

    /// A file's own URL, without any hash; the index is there for what it might need.
    pub fn install_url(self, index: &str, url: &str) -> Install {
        self.run(&["--index-url", index, "--no-deps"], [url], &[])
    }

    /// With `--require-hashes`: each file by its own.
    pub fn install_hashed(self, index: &str, files: &[&Package]) -> Install {
        let pins: Vec<_> = files
            .iter()
            .map(|file| format!("{} --hash=sha256:{}", file.requirement(), file.sha256()))
            .collect();
        let folder = tempfile::tempdir().expect("a folder");
        let list = folder.path().join("requirements.txt");
        fs::write(&list, pins.join("\n")).expect("a file");
        let list = list.to_str().expect("a name");
        self.run(&["--index-url", index, "--require-hashes", "-r", list], [], &[])
    }

    fn run<'a>(
        self,
        options: &[&str],
        requirements: impl IntoIterator<Item = &'a str>,
        variables: &[(&str, &str)],
    ) -> Install {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = self.command(folder.path());
        command
            .arg("--target")
            .arg(folder.path().join("installed"))
            .args(options)
            .args(requirements)
            .envs(variables.iter().copied());
        let output = run(&mut command, secs(180));
        let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        Install {
            ok: output.status.success(),
            said: String::from_utf8_lossy(&said).into_owned(),
            folder,
        }
    }
}

/// How it went.
pub struct Install {
    /// It ended well.
    pub ok: bool,
    /// Standard output and error.
    pub said: String,
    folder: TempDir,
}

impl Install {
    /// Fails unless it ended well and exactly this file's module is there.
    pub fn expect(&self, file: &Package) -> &Self {
        assert!(self.ok, "{} does not install:\n{}", file.filename, self.said);
        self.expect_contents(file);
        self
    }

    /// Fails unless what is there of the file is what is in it.
    fn expect_contents(&self, file: &Package) {
        for (name, bytes) in file.module_files() {
            let installed = fs::read(self.folder.path().join("installed").join(&name)).ok();
            assert!(
                installed.as_ref() == Some(&bytes),
                "{name} of {}:\n{}",
                file.filename,
                self.said
            );
        }
    }

    /// Fails if it ended well, or left anything of the file.
    pub fn expect_refused(&self, file: &Package) {
        assert!(!self.ok, "{} was installed:\n{}", file.filename, self.said);
        assert_eq!(self.mark(file), None, "{}", self.said);
    }

    /// Fails if it ended well with anything but exactly this file.
    pub fn expect_refused_or(&self, file: &Package) {
        match self.ok {
            true => self.expect_contents(file),
            false => self.expect_refused(file),
        }
    }

    /// The `MARK` in what was installed of a project.
    pub fn mark(&self, file: &Package) -> Option<String> {
        let source = fs::read_to_string(self.module(file)).ok()?;
        let value = source.trim().strip_prefix("MARK = ")?;
        Some(value.trim_matches('"').to_owned())
    }

    fn module(&self, file: &Package) -> PathBuf {
        self.folder.path().join("installed").join(file.module()).join("__init__.py")
    }
}
