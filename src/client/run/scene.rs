//! A command and what surrounds it: everything that decides where it takes packages from.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use url::Url;

use super::arguments::Place;
use super::config::Surroundings;
use super::environment::{self, Plan, Variables, given};
use super::locks;
use super::tool::Tool;

/// A command, and what surrounds it.
pub(super) struct Scene {
    pub tool: Tool,
    /// The program and its arguments.
    pub words: Vec<String>,
    pub variables: Variables,
    /// The gateway's index.
    pub index: Url,
}

impl Scene {
    /// In this process's folder and environment.
    pub(super) fn here(tool: Tool, words: Vec<String>, index: Url) -> Self {
        Self { tool, words, variables: variables(), index }
    }

    /// The command's environment. Tells what leads past the gateway.
    pub(super) fn plan(&self, warn: &dyn Fn(&str)) -> Plan {
        let Self { tool, words, variables, index } = self;
        let folder = self.folder();
        let plan = environment::plan(variables, *tool, index);
        let mut bypasses = plan.bypasses.clone();
        let place = Place { tool: *tool, folder: &current(), gateway: index };
        bypasses.extend(place.variables(variables));
        bypasses.extend(place.arguments(words));
        let program = self.program();
        let program = program.as_deref();
        let around =
            Surroundings { tool: *tool, variables, folder: &folder, program, gateway: index };
        bypasses.extend(around.bypasses());
        bypasses.extend(locks::elsewhere(*tool, words, variables, &folder, index));
        let mut told = BTreeSet::new();
        for bypass in &bypasses {
            if told.insert(bypass) {
                warn(&bypass.to_string());
            }
        }
        plan
    }

    /// The folder of the project that the command works on.
    pub(super) fn folder(&self) -> PathBuf {
        let (flags, names): (&[&str], &[&str]) = match self.tool {
            Tool::Uv => (&["--directory", "--project"], &["UV_WORKING_DIR", "UV_PROJECT"]),
            Tool::Pdm => (&["--project", "-p"], &["PDM_PROJECT"]),
            _ => (&[], &[]),
        };
        let flag = flags.iter().find_map(|flag| value(&self.words, flag));
        let named = || names.iter().find_map(|name| given(&self.variables, name));
        current().join(flag.or_else(named).unwrap_or_default())
    }

    /// Where the program lies.
    fn program(&self) -> Option<PathBuf> {
        let name = Path::new(self.words.first()?);
        if name.components().count() > 1 {
            return Some(current().join(name));
        }
        let folders = std::env::split_paths(self.variables.get("PATH")?).collect::<Vec<_>>();
        folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
    }
}

/// The value of `flag`: in the same word, or in the next.
fn value<'w>(words: &'w [String], flag: &str) -> Option<&'w str> {
    words.iter().enumerate().find_map(|(at, word)| match word.strip_prefix(flag)? {
        "" => words.get(at + 1).map(String::as_str),
        rest => rest.strip_prefix('='),
    })
}

fn current() -> PathBuf {
    std::env::current_dir().unwrap_or_default()
}

fn variables() -> Variables {
    let text = |text: OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}
