//! uv's configuration files.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::bypass::{Bypass, What, shown};
use super::super::environment::is_true;
use super::{Surroundings, at, texts, toml};

pub(super) fn bypasses(around: &Surroundings<'_>) -> Vec<Bypass> {
    if around.variable("UV_NO_CONFIG").is_some_and(is_true) {
        return Vec::new();
    }
    let whole = files(around).into_iter().filter_map(|path| Some((toml(&path)?, path)));
    let projects = around.upwards("pyproject.toml").filter_map(|path| {
        let project = toml(&path)?;
        Some((project.get("tool")?.get("uv")?.clone(), path))
    });
    whole.chain(projects).flat_map(|(settings, path)| in_file(around, &settings, &path)).collect()
}

fn files(around: &Surroundings<'_>) -> Vec<PathBuf> {
    let below = |folder: PathBuf| folder.join("uv/uv.toml");
    let mut files: Vec<_> = around.system_configs().into_iter().map(below).collect();
    files.push("/etc/uv/uv.toml".into());
    files.extend(around.user_config().map(below));
    files.extend(around.variable("UV_CONFIG_FILE").map(PathBuf::from));
    files.extend(around.upwards("uv.toml"));
    files
}

fn in_file(around: &Surroundings<'_>, settings: &Value, path: &Path) -> Vec<Bypass> {
    let mut found: Vec<_> = indexes(around, settings, path).collect();
    let pip = settings.get("pip");
    for (section, settings) in
        [Some(("", settings)), pip.map(|pip| ("pip.", pip))].into_iter().flatten()
    {
        let by = |key: &str| at(&format!("{section}{key}"), path);
        for key in ["extra-index-url", "find-links"] {
            let sources = texts(settings, key);
            found.extend(sources.into_iter().filter_map(|source| around.beside(by(key), source)));
        }
        if settings.get("no-index").and_then(Value::as_bool) == Some(true) {
            found.push(Bypass::new(by("no-index"), What::NoIndex));
        }
        if settings.get("torch-backend").is_some() {
            found.push(Bypass::new(by("torch-backend"), What::Torch));
        }
        // It heeds no exceptions, where the variable of that name does.
        for proxy in texts(settings, "http-proxy") {
            found.push(Bypass::new(by("http-proxy"), What::Proxy(shown(proxy))));
        }
    }
    found
}

/// Other indexes. A default one gives way to ours, unless a package is pinned to it by name.
fn indexes<'v>(
    around: &'v Surroundings<'_>,
    settings: &'v Value,
    path: &'v Path,
) -> impl Iterator<Item = Bypass> + use<'v> {
    let listed = settings.get("index").and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(move |index| {
        let default = index.get("default").and_then(Value::as_bool) == Some(true);
        let pinned =
            || index.get("name").and_then(Value::as_str).is_some_and(|n| is_pinned(settings, n));
        if default && !pinned() {
            return None;
        }
        around.beside(at("index", path), index.get("url")?.as_str()?)
    })
}

/// Whether a package is to come from the index of that name.
fn is_pinned(settings: &Value, name: &str) -> bool {
    let names = |source: &Value| source.get("index").and_then(Value::as_str) == Some(name);
    let sources = settings.get("sources").and_then(Value::as_object).into_iter().flatten();
    sources.into_iter().any(|(_, source)| match source {
        Value::Array(several) => several.iter().any(names),
        one => names(one),
    })
}
