//! pdm's configuration files.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::bypass::{Bypass, What, shown};
use super::{Surroundings, at, toml};

pub(super) fn bypasses(around: &Surroundings<'_>) -> Vec<Bypass> {
    let below = |folder: PathBuf| folder.join("pdm/config.toml");
    let mut files: Vec<_> = around.system_configs().into_iter().map(below).collect();
    files.extend(around.user_config().map(below));
    files.extend(around.upwards("pdm.toml"));
    let configured = files.into_iter().filter_map(|path| Some((toml(&path)?, path)));
    let configured = configured.flat_map(|(settings, path)| indexes(around, &settings, &path));
    let projects = around.upwards("pyproject.toml").filter_map(|path| Some((toml(&path)?, path)));
    let projects = projects.flat_map(|(project, path)| sources(around, &project, &path));
    configured.chain(projects).collect()
}

/// `[pypi.NAME]` tables with a URL. `pypi.url` itself gives way to PDM_PYPI_URL.
fn indexes(around: &Surroundings<'_>, settings: &Value, path: &Path) -> Vec<Bypass> {
    let tables = settings.get("pypi").and_then(Value::as_object).into_iter().flatten();
    let extra = tables.filter_map(|(name, table)| Some((name, table.get("url")?.as_str()?)));
    extra.filter_map(|(name, url)| around.beside(at(&format!("pypi.{name}"), path), url)).collect()
}

/// `[[tool.pdm.source]]`; the one called `pypi` stands for PDM_PYPI_URL.
fn sources(around: &Surroundings<'_>, project: &Value, path: &Path) -> Vec<Bypass> {
    let listed =
        project.pointer("/tool/pdm/source").and_then(Value::as_array).into_iter().flatten();
    let bypass = |source: &Value| {
        let url = source.get("url")?.as_str()?;
        let beside = around.beside(at("tool.pdm.source", path), url)?;
        match source.get("name").and_then(Value::as_str) {
            Some("pypi") => Some(Bypass::new(beside.by, What::Instead(shown(url)))),
            _ => Some(beside),
        }
    };
    listed.filter_map(bypass).collect()
}
