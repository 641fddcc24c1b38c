//! Pipenv's project files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::bypass::{Bypass, What, shown};
use super::{Surroundings, at, toml};

pub(super) fn bypasses(around: &Surroundings<'_>) -> Vec<Bypass> {
    let named = around.variable("PIPENV_PIPFILE").map(|file| around.folder.join(file));
    let found = || around.upwards("Pipfile").find(|path| path.is_file());
    let Some(pipfile) = named.or_else(found) else { return Vec::new() };
    let lock = PathBuf::from(format!("{}.lock", pipfile.display()));
    let project = toml(&pipfile).unwrap_or_default();
    let locked: Value = fs::read(&lock)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let mut found = sources(around, project.get("source"), &pipfile);
    found.extend(sources(around, locked.pointer("/_meta/sources"), &lock));
    found
}

/// Sources that are asked as they stand: PIPENV_PYPI_MIRROR takes the place of PyPI alone.
fn sources(around: &Surroundings<'_>, listed: Option<&Value>, path: &Path) -> Vec<Bypass> {
    let listed = listed.and_then(Value::as_array).into_iter().flatten();
    let urls = listed.filter_map(|source| source.get("url")?.as_str()).filter(|url| !is_pypi(url));
    let instead = |url: &str| {
        let bypass = around.beside(at("source", path), url)?;
        Some(Bypass::new(bypass.by, What::Instead(shown(url))))
    };
    urls.filter_map(instead).collect()
}

fn is_pypi(url: &str) -> bool {
    let path = url.trim_start_matches("https://").trim_start_matches("http://");
    matches!(path.trim_end_matches('/'), "pypi.org/simple" | "pypi.python.org/simple")
}
