//! What tools are configured with in files: their other sources.
//!
//! ```text
//! pip     pip.conf
//! uv      uv.toml, and [tool.uv] of pyproject.toml
//! pdm     pdm.toml, its user's config.toml, and [[tool.pdm.source]] of pyproject.toml
//! pipenv  Pipfile and Pipfile.lock
//! ```
//!
//! A file that cannot be read is passed over: the tool itself will complain.

use std::fs;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Format as _, Toml};
use serde_json::Value;
use url::Url;

use super::bypass::{Bypass, What, shown};
use super::environment::{Variables, given};
use super::tool::Tool;

mod pdm;
mod pip;
mod pipenv;
mod uv;

/// What decides which files a command reads.
pub(super) struct Surroundings<'a> {
    pub tool: Tool,
    pub variables: &'a Variables,
    /// Where the command runs, or where it is told to look for its project.
    pub folder: &'a Path,
    /// The program, with its folder where that is known.
    pub program: Option<&'a Path>,
    /// The gateway's index.
    pub gateway: &'a Url,
}

impl Surroundings<'_> {
    /// The ways past the gateway in all files that the tool heeds.
    pub(super) fn bypasses(&self) -> Vec<Bypass> {
        let mut found = Vec::new();
        let heeds = |tool| self.tool.heeds(tool);
        if heeds(Tool::Pip) {
            found.extend(pip::bypasses(self));
        }
        if heeds(Tool::Uv) {
            found.extend(uv::bypasses(self));
        }
        if heeds(Tool::Pdm) {
            found.extend(pdm::bypasses(self));
        }
        if heeds(Tool::Pipenv) {
            found.extend(pipenv::bypasses(self));
        }
        found
    }

    fn variable(&self, name: &str) -> Option<&str> {
        given(self.variables, name)
    }

    /// A folder of the XDG Base Directory Specification, or its default below the home folder.
    fn user_folder(&self, variable: &str, default: &str) -> Option<PathBuf> {
        let set = self.variable(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        set.or_else(|| Some(Path::new(self.variable("HOME")?).join(default)))
    }

    fn user_config(&self) -> Option<PathBuf> {
        self.user_folder("XDG_CONFIG_HOME", ".config")
    }

    /// The folders of the machine's configuration.
    fn system_configs(&self) -> Vec<PathBuf> {
        let set = self.variable("XDG_CONFIG_DIRS").unwrap_or("/etc/xdg");
        set.split(':').filter(|path| path.starts_with('/')).map(PathBuf::from).collect()
    }

    /// A file by its name in the project's folder and in all above it.
    fn upwards<'n>(&self, name: &'n str) -> impl Iterator<Item = PathBuf> + use<'_, 'n> {
        self.folder.ancestors().map(move |folder| folder.join(name))
    }

    /// `by` names `source`, unless that is the gateway itself.
    fn beside(&self, by: String, source: &str) -> Option<Bypass> {
        let ours = Url::parse(source).is_ok_and(|url| url.origin() == self.gateway.origin());
        (!ours && !source.trim().is_empty()).then(|| Bypass::new(by, What::Beside(shown(source))))
    }
}

/// A TOML file.
fn toml(path: &Path) -> Option<Value> {
    let text = fs::read_to_string(path).ok()?;
    Figment::from(Toml::string(&text)).extract().ok()
}

/// The texts at `key`: one, a list of them, or of tables with a `url`.
fn texts<'v>(value: &'v Value, key: &str) -> Vec<&'v str> {
    match value.get(key) {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| item.as_str().or_else(|| item.get("url")?.as_str()))
            .collect(),
        _ => Vec::new(),
    }
}

/// `KEY in FILE`
fn at(key: &str, path: &Path) -> String {
    format!("{key} in {}", path.display())
}

#[cfg(test)]
mod tests;
