//! Somebody who installs through `countersign run`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use super::packages::Package;
use super::process::run;
use super::secs;
use super::sidecar::{Sidecar, binary};
use super::tools;

/// A user with a home folder, and a project in it.
pub struct User {
    home: TempDir,
    index: String,
    variables: Vec<(String, String)>,
}

/// A tool that `run` can lead to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Led {
    Pip,
    Uv,
    Pipenv,
    Pdm,
}

impl Led {
    pub const ALL: [Self; 4] = [Self::Pip, Self::Uv, Self::Pipenv, Self::Pdm];

    /// The command that installs the project that [`User::project`] made.
    pub fn install(self) -> Vec<String> {
        let python = tools::python("python").display().to_string();
        let (program, arguments): (_, &[&str]) = match self {
            Self::Pip => {
                ("pip", &["install", "--quiet", "--target", "installed", "-r", "requirements.txt"])
            }
            Self::Uv => ("uv", &["sync", "--quiet", "--python", &python]),
            Self::Pipenv => ("pipenv", &["--python", &python, "install"]),
            Self::Pdm => ("pdm", &["install", "--quiet"]),
        };
        let program = tools::python(program).display().to_string();
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        std::iter::once(program).chain(arguments).collect()
    }
}

impl User {
    /// Who knows the index of a sidecar, and trusts nothing yet.
    pub fn of(sidecar: &Sidecar) -> Self {
        Self::of_index(&sidecar.simple_url())
    }

    pub fn of_index(index: &str) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        fs::create_dir(home.path().join("project")).expect("a folder");
        Self { home, index: index.to_owned(), variables: Vec::new() }
    }

    /// Whose root is pinned.
    pub fn trusting(self, root: &Path) -> Self {
        let index = self.index.clone();
        let root = root.to_str().expect("a name");
        let output = self.countersign(&["trust", "add", &index, "--root", root]);
        assert!(output.status.success(), "{}", said(&output));
        self
    }

    /// With a variable.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// The folder in which commands run.
    pub fn folder(&self) -> PathBuf {
        self.home.path().join("project")
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder().join(name), text).expect("a file");
    }

    /// A project that needs `package`, in the words of `tool`, which is told of no index.
    pub fn project(&self, tool: Led, package: &Package) {
        let needs = &package.project;
        let pyproject = format!(
            "[project]\nname = \"qx-project\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\ndependencies = [{needs:?}]\n"
        );
        match tool {
            Led::Pip => self.write("requirements.txt", needs),
            Led::Uv => self.write("pyproject.toml", &pyproject),
            Led::Pdm => {
                self.write("pyproject.toml", &format!("{pyproject}\n[tool.pdm]\ndistribution = false\n"));
            }
            Led::Pipenv => self.write(
                "Pipfile",
                &format!(
                    "[[source]]\nname = \"pypi\"\nurl = \"https://pypi.org/simple\"\nverify_ssl = true\n\n[packages]\n{needs} = \"*\"\n"
                ),
            ),
        }
    }

    /// `countersign` with arguments.
    pub fn countersign(&self, arguments: &[&str]) -> Output {
        run(self.command().args(arguments), secs(300))
    }

    /// `countersign run --index INDEX OPTIONS -- COMMAND`
    pub fn run_with<S: AsRef<str>>(&self, options: &[&str], words: &[S]) -> Output {
        let mut command = self.running(options);
        run(command.args(words.iter().map(AsRef::as_ref)), secs(300))
    }

    /// The same, without options.
    pub fn run<S: AsRef<str>>(&self, words: &[S]) -> Output {
        self.run_with(&[], words)
    }

    /// `countersign run --index INDEX OPTIONS --`, not started yet.
    pub fn running(&self, options: &[&str]) -> Command {
        let mut command = self.command();
        command.args(["run", "--index", &self.index]).args(options).arg("--");
        command
    }

    /// What `trust list --json` says of the index.
    pub fn pin(&self) -> Value {
        let output = self.countersign(&["trust", "list", "--json"]);
        let pins: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        pins[0].clone()
    }

    /// The `MARK` of what the last install put into the project.
    pub fn mark(&self, package: &Package) -> String {
        let own = self.folder().join(".venv/bin/python");
        let python = if own.exists() { own } else { tools::python("python") };
        let module = package.module();
        let mut command = Command::new(python);
        command.env_clear().current_dir(self.folder()).env("PYTHONPATH", "installed");
        command.args(["-c", &format!("import {module}; print({module}.MARK)")]);
        let output = run(&mut command, secs(60));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn command(&self) -> Command {
        let mut command = binary();
        // No tool takes anything from an environment that happens to be active, or from a cache of whoever runs the tests.
        command.env_clear().current_dir(self.folder());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home.path()).env("NO_COLOR", "1").env("CI", "1");
        command.env("PIP_DISABLE_PIP_VERSION_CHECK", "1").env("PDM_CHECK_UPDATE", "0");
        command.env("PIPENV_VENV_IN_PROJECT", "1").env("PIPENV_IGNORE_VIRTUALENVS", "1");
        command.env("PIPENV_NOSPIN", "1").env("PIPENV_YES", "1");
        command.env("PDM_PYTHON", tools::python("python"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Everything that it printed.
pub fn said(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}
