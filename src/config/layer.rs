//! One source of values: the file, the environment or the command line.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Value};

use super::error::{ConfigError, Origin, Setting};
use super::load::Keys;

/// What environment variables begin with.
const PREFIX: &str = "COUNTERSIGN_";
/// Variables that are read elsewhere: where the file lies, and what is logged.
const ELSEWHERE: [&str; 2] = ["CONFIG", "LOG"];
/// The list whose items may have blanks in them: a program with its arguments.
const BLANKS: &str = "signing.online";

/// A value from the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// As in the file: `upstream.url`.
    pub key: &'static str,
    /// The flag, with its dashes.
    pub flag: &'static str,
    /// The value as it was written.
    pub value: String,
}

/// The values of one source.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// Nested, as figment merges them.
    pub values: Dict,
    /// Key to where it was set.
    pub origins: BTreeMap<String, Origin>,
}

impl Layer {
    /// Reads a TOML file.
    pub(super) fn file(path: &Path, keys: &Keys) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
            path: path.into(),
            reason: error.to_string(),
        })?;
        Self::toml(&text, path, keys)
    }

    pub(super) fn toml(text: &str, path: &Path, keys: &Keys) -> Result<Self, ConfigError> {
        let values: Dict = Toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = 1 + text.bytes().take(start).filter(|&byte| byte == b'\n').count();
            let reason = error.message().lines().collect::<Vec<_>>().join(" ");
            ConfigError::Syntax { path: path.into(), line, reason }
        })?;
        let origin = Origin::File(path.into());
        let mut origins = BTreeMap::new();
        for key in leaves(&values) {
            if !keys.contains(&key) {
                return Err(ConfigError::Unknown {
                    kind: "key",
                    place: format!(" in {}", path.display()),
                    known: keys.near(&key).collect(),
                    name: key,
                });
            }
            origins.insert(key, origin.clone());
        }
        Ok(Self { values, origins })
    }

    /// Takes the variables that are meant for countersign.
    pub(super) fn environment(
        variables: impl IntoIterator<Item = (String, String)>,
        keys: &Keys,
    ) -> Result<Self, ConfigError> {
        let mut layer = Self::default();
        for (name, value) in variables {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            if ELSEWHERE.contains(&rest) || set_by_kubernetes(rest) {
                continue;
            }
            let key = rest.to_ascii_lowercase().replace("__", ".").replace('_', "-");
            if !keys.contains(&key) || variable(&key) != name {
                return Err(ConfigError::Unknown {
                    kind: "environment variable",
                    name,
                    place: String::new(),
                    known: keys.near(&key).map(variable).collect(),
                });
            }
            let origin = Origin::Variable(name);
            if value.trim().is_empty() {
                // Empty more often means a template without its value than the wish for nothing.
                let reason = "it is empty: give it a value, or leave it out".into();
                return Err(ConfigError::Refused {
                    setting: Setting { key, value, origin },
                    reason,
                });
            }
            layer.set(&key, &value, origin, keys);
        }
        Ok(layer)
    }

    /// Takes what the command line says.
    pub(super) fn command_line(overrides: &[Override], keys: &Keys) -> Self {
        let mut layer = Self::default();
        for Override { key, flag, value } in overrides {
            layer.set(key, value, Origin::Flag(flag), keys);
        }
        layer
    }

    fn set(&mut self, key: &str, text: &str, origin: Origin, keys: &Keys) {
        let value = if keys.is_list(key) { list(key, text) } else { Value::from(text) };
        match key.split_once('.') {
            Some((section, key)) => {
                let entry = self.values.entry(section.into()).or_insert_with(|| Dict::new().into());
                if let Value::Dict(_, section) = entry {
                    section.insert(key.into(), value);
                }
            }
            None => drop(self.values.insert(key.into(), value)),
        }
        self.origins.insert(key.into(), origin);
    }
}

/// `watch.interval` → `COUNTERSIGN_WATCH__INTERVAL`.
pub(super) fn variable(key: impl AsRef<str>) -> String {
    let key = key.as_ref().replace('.', "__").replace('-', "_");
    format!("{PREFIX}{}", key.to_ascii_uppercase())
}

/// Kubernetes gives each container variables for every service of its namespace; one named `countersign` is likely.
fn set_by_kubernetes(rest: &str) -> bool {
    rest == "PORT" || ["PORT_", "SERVICE_HOST", "SERVICE_PORT"].iter().any(|p| rest.starts_with(p))
}

/// Items are separated by commas or white space; those that may have blanks in them, by commas or line ends.
fn list(key: &str, text: &str) -> Value {
    let between: &[char] = if key == BLANKS { &[',', '\n'] } else { &[',', ' ', '\n', '\t'] };
    let items = text.split(between).map(str::trim).filter(|item| !item.is_empty());
    items.map(Value::from).collect::<Vec<_>>().into()
}

/// The full names of all values, sections excepted.
pub(super) fn leaves(values: &Dict) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in values {
        match value {
            Value::Dict(_, inner) => {
                found.extend(leaves(inner).into_iter().map(|key| format!("{name}.{key}")));
            }
            _ => found.push(name.clone()),
        }
    }
    found
}
