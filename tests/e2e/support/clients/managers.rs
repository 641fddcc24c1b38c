//! poetry and pipenv: they lock a project, and install it into an environment of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::plain;
use crate::support::packages::Package;
use crate::support::process::run;
use crate::support::secs;
use crate::support::tools;

/// Who manages a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    Poetry,
    Pipenv,
}

impl Manager {
    pub const ALL: [Self; 2] = [Self::Poetry, Self::Pipenv];

    /// Locks and installs a new project that needs `package`; nothing of an earlier one is kept.
    pub fn install(self, index: &str, package: &Package) -> Project {
        let folder = tempfile::tempdir().expect("a folder");
        self.write(folder.path(), index, &package.project);
        let mut command = self.command(folder.path());
        let output = run(command.current_dir(folder.path()), secs(240));
        let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        Project { ok: output.status.success(), said, folder }
    }

    fn write(self, folder: &Path, index: &str, project: &str) {
        let (name, text) = match self {
            Self::Poetry => (
                "pyproject.toml",
                format!(
                    "[project]\nname = \"qx-project\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n\
                     dependencies = [{project:?}]\n\n[tool.poetry]\npackage-mode = false\n\n\
                     [[tool.poetry.source]]\nname = \"verified\"\nurl = {index:?}\npriority = \"primary\"\n"
                ),
            ),
            Self::Pipenv => (
                "Pipfile",
                format!(
                    "[[source]]\nname = \"verified\"\nurl = {index:?}\nverify_ssl = false\n\n[packages]\n{project} = \"*\"\n"
                ),
            ),
        };
        fs::write(folder.join(name), text).expect("a file");
    }

    fn command(self, folder: &Path) -> Command {
        let python = tools::python("python");
        let mut command = match self {
            Self::Poetry => plain(tools::python("poetry"), folder),
            Self::Pipenv => plain(tools::python("pipenv"), folder),
        };
        match self {
            Self::Poetry => {
                command.args(["install", "--no-interaction", "--no-cache"]);
                command.env("POETRY_VIRTUALENVS_IN_PROJECT", "true");
                command.env("POETRY_VIRTUALENVS_CREATE", "true");
                command.env("POETRY_KEYRING_ENABLED", "false");
            }
            Self::Pipenv => {
                command.arg("--python").arg(python).arg("install");
                command.env("PIPENV_VENV_IN_PROJECT", "1").env("PIPENV_IGNORE_VIRTUALENVS", "1");
                command.env("PIPENV_NOSPIN", "1").env("PIPENV_YES", "1").env("CI", "1");
                command.env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
            }
        }
        command
    }
}

/// A project, as its manager left it.
pub struct Project {
    ok: bool,
    said: String,
    folder: TempDir,
}

impl Project {
    /// Fails unless it ended well, the file is in the lock file, and exactly its module is in the environment.
    pub fn expect(&self, file: &Package) -> &Self {
        assert!(self.ok, "{} does not install:\n{}", file.filename, self.said);
        let locks = ["poetry.lock", "Pipfile.lock"].map(|name| self.folder.path().join(name));
        let lock = locks.iter().find_map(|path| fs::read_to_string(path).ok());
        assert!(lock.expect("a lock file").contains(&file.sha256()), "{}", self.said);
        let python = self.folder.path().join(".venv/bin/python");
        let module = file.module();
        let mut command = plain(python, self.folder.path());
        command.args(["-c", &format!("import {module}; print({module}.MARK)")]);
        let output = run(&mut command, secs(60));
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), file.mark, "{}", self.said);
        self
    }
}
