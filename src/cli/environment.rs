//! The process's environment, read once and then handed around.

use std::path::Path;

use super::flags::Location;
use crate::config::{Config, ConfigError, Override};

/// The variables that countersign reads itself.
#[derive(Debug, Clone, Default)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// Those of this process.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        };
        Self(std::env::vars_os().filter_map(text).filter(|(name, _)| is_ours(name)).collect())
    }

    /// These, for tests.
    pub fn of(variables: &[(&str, &str)]) -> Self {
        Self(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    /// The configuration that the file, these variables and `overrides` give.
    ///
    /// # Errors
    /// [`ConfigError`]: one sentence that names what is wrong.
    pub fn config(
        &self,
        location: &Location,
        mut overrides: Vec<Override>,
    ) -> Result<Config, ConfigError> {
        let file = location.config.as_deref().or(self.get("COUNTERSIGN_CONFIG"));
        overrides.extend(location.overrides());
        Config::load(file.map(Path::new), self.0.clone(), &overrides)
    }

    /// What to log: `COUNTERSIGN_LOG`, else `RUST_LOG`.
    pub fn log_filter(&self) -> Option<&str> {
        self.get("COUNTERSIGN_LOG").or(self.get("RUST_LOG")).filter(|filter| !filter.is_empty())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with("COUNTERSIGN_") || name == "RUST_LOG"
}
