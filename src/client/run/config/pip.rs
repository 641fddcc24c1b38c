//! pip's configuration files.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::arguments::{Place, names_files};
use super::super::bypass::{Bypass, What, shown};
use super::super::environment::is_true;
use super::super::tool::Tool;
use super::{Surroundings, at};

pub(super) fn bypasses(around: &Surroundings<'_>) -> Vec<Bypass> {
    // So pip is told to read none.
    if around.variable("PIP_CONFIG_FILE") == Some("/dev/null") {
        return Vec::new();
    }
    let read = |path: PathBuf| Some((fs::read_to_string(&path).ok()?, path));
    let files = files(around).into_iter().filter_map(read);
    files.flat_map(|(text, path)| in_file(around, &text, &path)).collect()
}

fn files(around: &Surroundings<'_>) -> Vec<PathBuf> {
    let below = |folder: PathBuf| folder.join("pip/pip.conf");
    let home = around.variable("HOME").map(Path::new);
    let mut files: Vec<_> = around.system_configs().into_iter().map(below).collect();
    files.extend(["/etc/pip.conf", "/Library/Application Support/pip/pip.conf"].map(PathBuf::from));
    files.extend(home.map(|home| home.join(".pip/pip.conf")));
    files.extend(home.map(|home| home.join("Library/Application Support/pip/pip.conf")));
    files.extend(around.user_config().map(below));
    files.extend(environment(around).map(|folder| folder.join("pip.conf")));
    files.extend(around.variable("PIP_CONFIG_FILE").map(PathBuf::from));
    files
}

/// The virtual environment that the command runs in.
fn environment(around: &Surroundings<'_>) -> Option<PathBuf> {
    let of_program = || around.program?.parent()?.parent();
    let active = around.variable("VIRTUAL_ENV").map(Path::new);
    of_program().filter(|folder| folder.join("pyvenv.cfg").exists()).or(active).map(Path::to_owned)
}

fn in_file(around: &Surroundings<'_>, text: &str, path: &Path) -> Vec<Bypass> {
    let place = Place { tool: Tool::Pip, folder: around.folder, gateway: around.gateway };
    let bypass = |(key, value): (String, String)| {
        let by = at(&key, path);
        let found = match key.as_str() {
            "extra-index-url" | "find-links" => around.beside(by, &value),
            "no-index" if is_true(&value) => Some(Bypass::new(by, What::NoIndex)),
            "proxy" => Some(Bypass::new(by, What::Proxy(shown(&value)))),
            key if names_files(key) => return place.files(&value),
            _ => None,
        };
        found.into_iter().collect::<Vec<_>>()
    };
    settings(text).into_iter().flat_map(bypass).collect()
}

/// Keys as pip normalizes them, with the values that say something; of all sections.
fn settings(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let plain = line.trim();
        if plain.is_empty() || plain.starts_with(['#', ';', '[']) {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            // It goes on with the value above.
            if let Some((_, value)) = found.last_mut() {
                *value = format!("{value} {plain}");
            }
            continue;
        }
        let (key, value) = plain.split_once(['=', ':']).unwrap_or((plain, ""));
        let key = key.trim().trim_start_matches('-').replace('_', "-").to_ascii_lowercase();
        found.push((key, value.trim().to_owned()));
    }
    found.retain(|(_, value)| !value.trim().is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_pip_reads_them() {
        let text = "# c\n[global]\nindex-url = https://a.example\nextra_index_url=\n  https://b.example\n  https://c.example\n\
; c\nno-index: \n[install]\n--Find-Links : /srv\n";
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let expected = [
            ("index-url", "https://a.example"),
            ("extra-index-url", " https://b.example https://c.example"),
            ("find-links", "/srv"),
        ];
        assert_eq!(settings(text), expected.map(owned));
    }
}
