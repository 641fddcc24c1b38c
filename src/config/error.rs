//! What is wrong with a configuration, each in one sentence.

use std::fmt;
use std::path::PathBuf;

use super::redact::redacted;

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file is not TOML.
    #[error("the configuration file {} is not valid TOML at line {line}: {reason}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// There is no such key.
    #[error("unknown {kind} {name}{place}: known here are {}", .known.join(", "))]
    Unknown {
        /// "key" or "environment variable".
        kind: &'static str,
        /// As it was written.
        name: String,
        /// " in file", or nothing.
        place: String,
        /// What could be meant, as it would be written.
        known: Vec<String>,
    },
    /// A value is refused.
    #[error("{setting} is refused: {reason}")]
    Refused {
        /// The key, where it was set, and its value.
        setting: Setting,
        /// What it must be.
        reason: String,
    },
    /// `upstream.url` is needed and not set.
    #[error(
        "no upstream is given: name the simple index to sign with --upstream URL, upstream.url or COUNTERSIGN_UPSTREAM__URL"
    )]
    NoUpstream,
}

/// A key, where it was set, and its value; credentials are not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// As in the file: `watch.interval`.
    pub key: String,
    /// The value as text.
    pub value: String,
    /// Where it was set.
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable, by this name.
    Variable(String),
    /// A flag, by this name.
    Flag(&'static str),
}

/// Longer values are cut in sentences, characters.
const SHOWN: usize = 100;

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, origin, .. } = self;
        let value: String = match key.as_str() {
            // Somebody may have put the credentials themselves here.
            "upstream.credentials" => "***".into(),
            _ => redacted(&self.value).chars().take(SHOWN).collect(),
        };
        match origin {
            Origin::Default => write!(f, "{key} = {value} (the default)"),
            Origin::File(path) => write!(f, "{key} = {value} in {}", path.display()),
            Origin::Variable(name) => write!(f, "{name}={value}"),
            Origin::Flag(flag) => write!(f, "{flag} {value}"),
        }
    }
}
