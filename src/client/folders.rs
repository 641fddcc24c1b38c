//! Where a user's files lie (XDG Base Directory Specification 0.8).

use std::ffi::OsString;
use std::path::PathBuf;

const NAME: &str = "countersign";

/// The environment does not say where the user's files lie.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("neither {variable} nor HOME names a folder for the user's files: {instead}")]
pub struct NoHome {
    variable: &'static str,
    instead: &'static str,
}

/// The folder of what must not be lost: pinned roots and trusted metadata. `$XDG_DATA_HOME/countersign`, by default
/// `~/.local/share/countersign`; `variable` gives the environment's.
///
/// # Errors
/// [`NoHome`].
pub fn data(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, NoHome> {
    let missing = NoHome { variable: "XDG_DATA_HOME", instead: "name one with --data DIR" };
    below(variable, missing, ".local/share")
}

/// The folder of what can be had again: verified files. `$XDG_CACHE_HOME/countersign`, by default `~/.cache/countersign`;
/// `variable` gives the environment's.
///
/// # Errors
/// [`NoHome`].
pub fn cache(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, NoHome> {
    let missing = NoHome { variable: "XDG_CACHE_HOME", instead: "set one of them" };
    below(variable, missing, ".cache")
}

fn below(
    variable: impl Fn(&str) -> Option<OsString>,
    missing: NoHome,
    default: &str,
) -> Result<PathBuf, NoHome> {
    // The specification has relative paths ignored.
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base =
        absolute(missing.variable).or_else(|| absolute("HOME").map(|home| home.join(default)));
    base.map(|base| base.join(NAME)).ok_or(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
        move |name| Some(variables.iter().find(|(known, _)| *known == name)?.1.into())
    }

    #[test]
    fn the_specification_is_followed() {
        let home = with(&[("HOME", "/home/ann"), ("XDG_CACHE_HOME", "relative")]);
        assert_eq!(data(&home), Ok("/home/ann/.local/share/countersign".into()));
        assert_eq!(cache(&home), Ok("/home/ann/.cache/countersign".into()));
        let set = with(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d"), ("XDG_CACHE_HOME", "/c")]);
        assert_eq!(data(&set), Ok("/d/countersign".into()));
        assert_eq!(cache(&set), Ok("/c/countersign".into()));
        let said = data(with(&[("HOME", "")])).unwrap_err().to_string();
        assert!(said.contains("HOME") && said.contains("--data"), "{said}");
    }
}
