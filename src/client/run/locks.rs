//! Lock files: what they hold for good.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use url::Url;

use super::bypass::{Bypass, What, foreign};
use super::environment::{Variables, given, is_true};
use super::tool::Tool;

/// What tools keep of a project, in its folder or in one above it.
const KEPT: [&str; 7] = [
    "uv.lock",
    "pylock.toml",
    "pdm.lock",
    "Pipfile",
    "Pipfile.lock",
    "poetry.lock",
    // `uv add` writes the index into it.
    "pyproject.toml",
];
/// Other endings of what `pip-compile`, `uv pip compile` and `pip lock` write.
const ENDINGS: [&str; 2] = ["txt", "toml"];
/// A larger file is no lock file.
const LARGEST: u64 = 64 << 20;

/// The lock files of a folder, as they were.
pub(super) struct Locks {
    folder: PathBuf,
    before: BTreeMap<PathBuf, Stamp>,
}

/// Changes when the file does.
type Stamp = (Option<SystemTime>, u64);

impl Locks {
    /// Looks at the folder of a project.
    pub(super) fn look(folder: &Path) -> Self {
        Self { before: files(folder).collect(), folder: folder.to_owned() }
    }

    /// The files that were written since, and name `gateway`.
    pub(super) fn naming(&self, gateway: &Url) -> Vec<PathBuf> {
        let origin = format!("{}/", gateway.origin().ascii_serialization());
        let written =
            files(&self.folder).filter(|(path, stamp)| self.before.get(path) != Some(stamp));
        let written: BTreeSet<_> = written.map(|(path, _)| path).collect();
        let names = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|t| t.contains(&origin));
        written.into_iter().filter(names).collect()
    }
}

fn files(folder: &Path) -> impl Iterator<Item = (PathBuf, Stamp)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let other = entries.filter(|path| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| ENDINGS.contains(&ending))
    });
    let kept = folder.ancestors().flat_map(|folder| KEPT.map(|name| folder.join(name)));
    kept.chain(other).filter_map(|path| {
        let about = fs::metadata(&path).ok()?;
        let small = about.is_file() && about.len() <= LARGEST;
        small.then(|| (path, (about.modified().ok(), about.len())))
    })
}

/// Whether lock files that the command installs from name files elsewhere.
pub(super) fn elsewhere(
    tool: Tool,
    command: &[String],
    variables: &Variables,
    folder: &Path,
    gateway: &Url,
) -> Vec<Bypass> {
    let upwards =
        |name: &str| folder.ancestors().map(|at| at.join(name)).find(|path| path.is_file());
    let mut read: Vec<PathBuf> = Vec::new();
    if matches!(tool, Tool::Pip | Tool::Uv) {
        // By its name (PEP 751).
        let named = command.iter().map(|word| folder.join(word)).filter(|path| is_pylock(path));
        read.extend(named);
    }
    let frozen = || {
        let flag = command.iter().any(|word| word == "--frozen");
        flag || given(variables, "UV_FROZEN").is_some_and(is_true)
    };
    if tool == Tool::Uv && frozen() {
        read.extend(upwards("uv.lock"));
    }
    if tool == Tool::Pdm {
        read.extend(["pdm.lock", "pylock.toml"].into_iter().filter_map(upwards));
    }
    let bypass = |path: PathBuf| {
        let text = fs::read_to_string(&path).ok()?;
        let origins = foreign(urls(&text), gateway);
        (!origins.is_empty())
            .then(|| Bypass::new(path.display().to_string(), What::Locked(origins)))
    };
    read.into_iter().filter_map(bypass).collect()
}

fn is_pylock(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name == "pylock.toml" || (name.starts_with("pylock.") && name.ends_with(".toml"))
}

/// The values of every `url` in a TOML file.
fn urls(text: &str) -> impl Iterator<Item = &str> {
    let after = text.split("url").skip(1);
    after.filter_map(|rest| {
        let value = rest.trim_start().strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        value.split(quote).nth(1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway() -> Url {
        "http://127.0.0.1:17001/simple/".parse().unwrap()
    }

    const OURS: &str = "wheels = [{ url = \"http://127.0.0.1:17001/tuf/targets/x.whl\" }]\n";
    const THEIRS: &str =
        "wheels = [{url='https://files.example/x.whl'}, {url = \"https://b.example:8443/y\"}]\n";

    #[test]
    fn files_that_were_written_and_name_the_gateway() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("project/src");
        fs::create_dir_all(&folder).unwrap();
        let put = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        put("old.txt", OURS);
        put("grown.txt", OURS);
        let locks = Locks::look(&folder);
        assert!(locks.naming(&gateway()).is_empty());
        put("grown.txt", &OURS.repeat(2));
        put("new.txt", OURS);
        put("other.txt", THEIRS);
        put("notes.md", OURS);
        put("../uv.lock", OURS);
        put("../notes.txt", OURS);
        put("../Pipfile", "url = 'http://127.0.0.1:170012/'");
        let names: Vec<_> = locks
            .naming(&gateway())
            .iter()
            .map(|path| path.strip_prefix(root.path()).unwrap().display().to_string())
            .collect();
        assert_eq!(names, ["project/src/grown.txt", "project/src/new.txt", "project/uv.lock"]);
    }

    #[test]
    fn files_that_name_other_places() {
        let folder = tempfile::tempdir().unwrap();
        let said = |line: &str, variables: &Variables| {
            let command: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            let found =
                elsewhere(Tool::of(&command), &command, variables, folder.path(), &gateway());
            found.iter().map(Bypass::to_string).collect::<Vec<_>>()
        };
        let none = Variables::new();
        let lines = ["uv sync --frozen", "pdm sync", "pip install -r pylock.dev.toml"];
        for text in ["", OURS] {
            for name in ["uv.lock", "pdm.lock", "pylock.dev.toml"] {
                fs::write(folder.path().join(name), text).unwrap();
            }
            assert!(lines.iter().all(|line| said(line, &none).is_empty()));
        }
        for name in ["uv.lock", "pdm.lock", "pylock.dev.toml"] {
            fs::write(folder.path().join(name), THEIRS).unwrap();
        }
        for line in lines {
            let said = said(line, &none);
            assert!(said.len() == 1, "{line}: {said:?}");
            assert!(
                said[0].contains("names files at https://b.example:8443, https://files.example")
            );
        }
        // It resolves anew, where the index is another one.
        assert!(said("uv sync", &none).is_empty());
        let frozen = [("UV_FROZEN".to_owned(), "1".to_owned())].into();
        assert_eq!(said("uv sync", &frozen).len(), 1);
    }
}
