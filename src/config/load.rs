//! Putting the sources together.

use std::path::Path;

use figment::error::{Actual, Kind};
use figment::providers::Serialized;
use figment::value::{Dict, Value};
use figment::{Error, Figment};

use super::error::{ConfigError, Origin, Setting};
use super::layer::{Layer, Override, leaves};
use super::{Config, validate};

impl Config {
    /// Reads the configuration: defaults, then the file, then the environment, then the command line.
    ///
    /// Of `environment`, only variables that begin with `COUNTERSIGN_` count.
    ///
    /// # Errors
    /// [`ConfigError`]: one sentence that names what is wrong and where it was set.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        overrides: &[Override],
    ) -> Result<Self, ConfigError> {
        let keys = Keys::new();
        let mut layers = Vec::new();
        if let Some(path) = file {
            layers.push(Layer::file(path, &keys)?);
        }
        layers.push(Layer::environment(environment, &keys)?);
        layers.push(Layer::command_line(overrides, &keys));
        let merged = Merged::of(&layers);
        let config = merged.extract()?;
        validate::check(&config).map_err(|fault| merged.refuse(fault.key, fault.reason))?;
        Ok(config)
    }
}

/// Every key there is, by its full name, with its default.
pub(super) struct Keys(Dict);

impl Keys {
    pub(super) fn new() -> Self {
        // The default configuration serialises to a map; a test holds that.
        let defaults = Value::serialize(Config::default()).ok();
        Self(defaults.and_then(Value::into_dict).unwrap_or_default())
    }

    /// All full names.
    pub(super) fn all(&self) -> Vec<String> {
        leaves(&self.0)
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        matches!(self.find(key), Some(value) if value.as_dict().is_none())
    }

    pub(super) fn is_list(&self, key: &str) -> bool {
        matches!(self.find(key), Some(Value::Array(..)))
    }

    /// The keys of the section that `key` is in, or that it names.
    pub(super) fn near(&self, key: &str) -> impl Iterator<Item = String> {
        let named = self.0.get(key.split('.').next().unwrap_or(key));
        let section = match named {
            Some(Value::Dict(..)) => key.split('.').next().map(|name| format!("{name}.")),
            _ => None,
        };
        self.all().into_iter().filter(move |known| match &section {
            Some(section) => known.starts_with(section.as_str()),
            None => !known.contains('.'),
        })
    }

    fn find(&self, key: &str) -> Option<&Value> {
        match key.split_once('.') {
            Some((section, key)) => self.0.get(section)?.as_dict()?.get(key),
            None => self.0.get(key),
        }
    }
}

/// All sources, merged.
pub(super) struct Merged<'a> {
    figment: Figment,
    layers: &'a [Layer],
}

impl<'a> Merged<'a> {
    pub(super) fn of(layers: &'a [Layer]) -> Self {
        let defaults = Figment::from(Serialized::defaults(Config::default()));
        let merge = |all: Figment, layer: &Layer| all.merge(Serialized::defaults(&layer.values));
        Self { figment: layers.iter().fold(defaults, merge), layers }
    }

    /// The values in their types. Text stands for numbers and booleans where these are needed.
    pub(super) fn extract(&self) -> Result<Config, ConfigError> {
        self.figment.extract_lossy().map_err(|error| {
            let reason = reason(&error);
            let mut path = error.path;
            path.truncate(2);
            self.refuse(&path.join("."), reason)
        })
    }

    fn refuse(&self, key: &str, reason: String) -> ConfigError {
        let origin = self.layers.iter().rev().find_map(|layer| layer.origins.get(key));
        let value = self.figment.find_value(key).map(|value| show(&value)).unwrap_or_default();
        let origin = origin.cloned().unwrap_or(Origin::Default);
        ConfigError::Refused { setting: Setting { key: key.into(), value, origin }, reason }
    }
}

pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Array(_, items) => items.iter().map(show).collect::<Vec<_>>().join(", "),
        Value::Empty(..) => "nothing".into(),
        Value::Dict(..) => "a section".into(),
        Value::String(_, text) => text.clone(),
        Value::Char(_, c) => c.to_string(),
        Value::Bool(_, b) => b.to_string(),
        Value::Num(_, n) => match n.to_actual() {
            Actual::Unsigned(n) => n.to_string(),
            Actual::Signed(n) => n.to_string(),
            Actual::Float(n) => n.to_string(),
            other => other.to_string(),
        },
    }
}

/// What figment and serde say, for people who know neither.
fn reason(error: &Error) -> String {
    match &error.kind {
        Kind::UnknownVariant(_, known) => format!("it must be one of {}", known.join(", ")),
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
            format!("it must be {}", in_words(expected))
        }
        Kind::Message(text) if text.contains("socket address") => {
            "it must be an address and a port, as 127.0.0.1:8080 or [::1]:8080".into()
        }
        Kind::Message(text) => text.clone(),
        kind => kind.to_string(),
    }
}

fn in_words(expected: &str) -> &str {
    match expected {
        "u32" | "u64" | "usize" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        other => other,
    }
}
