//! What the command's own arguments, and the requirement files that they name, say of other sources.

use std::fs;
use std::path::{Path, PathBuf};

use url::Url;

use super::bypass::{Bypass, What, shown};
use super::environment::{Variables, given, of_pip};
use super::lines;
use super::tool::Tool;

/// A flag that leads past the gateway.
struct Flag {
    short: &'static str,
    long: &'static str,
    what: Effect,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Beside,
    Instead,
    Proxy,
    NoIndex,
    Ignorant,
    Torch,
    /// A file with more of the same.
    Requirements,
}

const fn flag(short: &'static str, long: &'static str, what: Effect) -> Flag {
    Flag { short, long, what }
}

const PIP: [Flag; 10] = [
    flag("-i", "--index-url", Effect::Instead),
    flag("", "--pypi-url", Effect::Instead),
    flag("", "--extra-index-url", Effect::Beside),
    flag("-f", "--find-links", Effect::Beside),
    flag("", "--no-index", Effect::NoIndex),
    flag("", "--proxy", Effect::Proxy),
    flag("", "--isolated", Effect::Ignorant),
    flag("-r", "--requirement", Effect::Requirements),
    flag("-c", "--constraint", Effect::Requirements),
    flag("", "--build-constraint", Effect::Requirements),
];

/// `--index-url` does nothing beside UV_DEFAULT_INDEX, which is set.
const UV: [Flag; 14] = [
    flag("", "--default-index", Effect::Instead),
    flag("", "--index", Effect::Beside),
    flag("", "--extra-index-url", Effect::Beside),
    flag("-f", "--find-links", Effect::Beside),
    flag("", "--no-index", Effect::NoIndex),
    flag("", "--torch-backend", Effect::Torch),
    flag("-r", "--requirements", Effect::Requirements),
    flag("", "--requirement", Effect::Requirements),
    flag("-c", "--constraints", Effect::Requirements),
    flag("", "--constraint", Effect::Requirements),
    flag("", "--overrides", Effect::Requirements),
    flag("", "--override", Effect::Requirements),
    flag("-b", "--build-constraints", Effect::Requirements),
    flag("", "--build-constraint", Effect::Requirements),
];

const PIPENV: [Flag; 4] = [
    flag("-i", "--index", Effect::Beside),
    flag("", "--pypi-mirror", Effect::Instead),
    flag("", "--extra-pip-args", Effect::Beside),
    flag("-r", "--requirements", Effect::Requirements),
];

/// Short flags that take no value, and may stand before another in one word.
const SWITCHES: [char; 9] = ['h', 'I', 'l', 'n', 'q', 'U', 'v', 'V', 'y'];

/// uv's variables that name requirement files.
const UV_FILES: [&str; 3] = ["UV_CONSTRAINT", "UV_OVERRIDE", "UV_BUILD_CONSTRAINT"];

/// Requirement files that name one another are followed so deep.
const DEEPEST: usize = 8;

/// Where the command runs, and who asks.
pub(super) struct Place<'a> {
    pub tool: Tool,
    pub folder: &'a Path,
    pub gateway: &'a Url,
}

impl Place<'_> {
    /// The ways past the gateway in `command`.
    pub(super) fn arguments(&self, command: &[String]) -> Vec<Bypass> {
        let arguments = command.get(1..).unwrap_or_default();
        if self.tool == Tool::Barrier {
            let program = command.first().map(String::as_str).unwrap_or_default();
            return vec![Bypass::new(program, What::Ignorant)];
        }
        self.words(arguments, flags(self.tool), "", self.folder, DEEPEST)
    }

    /// The ways in the files that variables name.
    pub(super) fn variables(&self, variables: &Variables) -> Vec<Bypass> {
        let pip = of_pip(variables).filter(|(_, option)| names_files(option));
        let pip = pip.map(|(name, _)| (Tool::Pip, name));
        let named = pip.chain(UV_FILES.map(|name| (Tool::Uv, name)));
        named
            .filter(|(whose, _)| self.tool.heeds(*whose))
            .filter_map(|(whose, name)| Some((whose, given(variables, name)?)))
            .flat_map(|(tool, files)| Place { tool, ..*self }.files(files))
            .collect()
    }

    /// The ways in requirement files, separated by white space.
    pub(super) fn files(&self, files: &str) -> Vec<Bypass> {
        files
            .split_whitespace()
            .flat_map(|file| self.requirements(self.folder, file, DEEPEST))
            .collect()
    }

    /// The ways in `words`, which stand in `file` where it has a name.
    fn words(
        &self,
        words: &[String],
        flags: &[Flag],
        file: &str,
        folder: &Path,
        depth: usize,
    ) -> Vec<Bypass> {
        let mut found = Vec::new();
        for (at, word) in words.iter().enumerate() {
            let Some((flag, value)) = flags.iter().find_map(|f| Some((f, self.given(f, word)?)))
            else {
                continue;
            };
            let next = || words.get(at + 1).map(String::as_str).unwrap_or_default();
            let value = value.unwrap_or_else(next);
            let name = if flag.long.is_empty() { flag.short } else { flag.long };
            let by = if file.is_empty() { name.to_owned() } else { format!("{name} in {file}") };
            match effect(flag.what, value) {
                Some(what) if !self.is_gateway(value) => found.push(Bypass::new(by, what)),
                Some(_) => {}
                None if depth > 0 => found.extend(self.requirements(folder, value, depth - 1)),
                None => {}
            }
        }
        found
    }

    /// Whether `word` is that flag; its value, if the word has it.
    fn given<'w>(&self, flag: &Flag, word: &'w str) -> Option<Option<&'w str>> {
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let known = flag.long.strip_prefix("--")?;
            // pip takes any beginning of a flag that no other flag has.
            let shortened = self.tool == Tool::Pip && name.len() >= 4 && known.starts_with(name);
            return (name == known || shortened).then_some(value);
        }
        let letter = flag.short.strip_prefix('-')?;
        let rest = word.strip_prefix('-')?.trim_start_matches(SWITCHES).strip_prefix(letter)?;
        Some(Some(rest.trim_start_matches('=')).filter(|rest| !rest.is_empty()))
    }

    /// The ways in a requirement file.
    fn requirements(&self, folder: &Path, file: &str, depth: usize) -> Vec<Bypass> {
        let path = local(folder, file);
        let Ok(text) = fs::read_to_string(&path) else { return Vec::new() };
        let shown = path.display().to_string();
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        let flags = flags(if self.tool == Tool::Uv { Tool::Uv } else { Tool::Pip });
        let lines = lines::options(&text);
        lines.iter().flat_map(|words| self.words(words, flags, &shown, &folder, depth)).collect()
    }

    fn is_gateway(&self, value: &str) -> bool {
        Url::parse(value).is_ok_and(|url| url.origin() == self.gateway.origin())
    }
}

/// Whether pip's option of that name, in a variable or in pip.conf, names requirement files.
pub(super) fn names_files(option: &str) -> bool {
    matches!(option, "requirement" | "constraint" | "build-constraint")
}

/// Where a requirement file lies, which may be named by a `file:` URL.
fn local(folder: &Path, file: &str) -> PathBuf {
    let url = Url::parse(file).ok().filter(|url| url.scheme() == "file");
    let path = url.and_then(|url| url.to_file_path().ok());
    path.unwrap_or_else(|| folder.join(file))
}

fn flags(tool: Tool) -> &'static [Flag] {
    match tool {
        Tool::Pip => &PIP,
        Tool::Uv => &UV,
        Tool::Pipenv => &PIPENV,
        _ => &[],
    }
}

/// What a flag with that value does; nothing where it names a requirement file.
fn effect(effect: Effect, value: &str) -> Option<What> {
    Some(match effect {
        Effect::Beside => What::Beside(shown(value)),
        Effect::Instead => What::Instead(shown(value)),
        Effect::Proxy => What::Proxy(shown(value)),
        Effect::NoIndex => What::NoIndex,
        Effect::Ignorant => What::Ignorant,
        Effect::Torch => What::Torch,
        Effect::Requirements => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(folder: &Path, line: &str) -> Vec<String> {
        let command: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let gateway = "http://127.0.0.1:17001/simple/".parse().unwrap();
        let place = Place { tool: Tool::of(&command), folder, gateway: &gateway };
        place.arguments(&command).iter().map(Bypass::to_string).collect()
    }

    #[test]
    fn flags_of_every_tool() {
        for (line, starts) in [
            (
                "pip install -i https://ann:hunter2@a.example/simple six",
                "--index-url has https://***@a.example/simple asked",
            ),
            ("pip install -ihttps://a.example six", "--index-url has https://a.example asked"),
            ("pip install -qi https://a.example six", "--index-url has https://a.example asked"),
            ("python -Im pip install -vvihttps://a.example six", "--index-url has https://a.ex"),
            ("uv pip install -qf /srv/wheels six", "--find-links names another source"),
            ("pip3 install --index-url=https://a.example six", "--index-url has https://a.example"),
            (
                "pip install --extra-i https://a.example six",
                "--extra-index-url names another source",
            ),
            ("python -m pip install -f /srv/wheels six", "--find-links names another source"),
            ("pip --isolated install six", "--isolated does not"),
            ("pip install --no-index six", "--no-index has no index asked"),
            (
                "pip --proxy http://p.example:3128 install six",
                "--proxy has the gateway asked through",
            ),
            ("uv pip install --default-index https://a.example six", "--default-index has"),
            (
                "uv add --index=x=https://a.example six",
                "--index names another source of packages (x=https",
            ),
            ("uv sync --torch-backend cpu", "--torch-backend has packages taken from PyTorch"),
            ("pipenv install -i https://a.example six", "--index names"),
            ("sudo pip install six", "sudo does not hand on"),
        ] {
            let said = said(Path::new("/nowhere"), line);
            assert!(said.len() == 1 && said[0].starts_with(starts), "{line}: {said:?}");
        }
    }

    #[test]
    fn harmless_words() {
        for line in [
            "pip install --no-input --progress-bar off --upgrade six",
            "pip install -i http://127.0.0.1:17001/simple/ six",
            "pip install -r /nowhere/requirements.txt",
            "uv pip install -i https://a.example six",
            "uv run script --index-strategy first-index",
            "pdm add six",
            "pip download -dri https://a.example",
            "make -i https://a.example",
        ] {
            assert!(said(Path::new("/nowhere"), line).is_empty(), "{line}");
        }
    }

    #[test]
    fn requirement_files_are_read_and_those_that_they_name() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "r.txt",
            "six  # -i https://no.example\n-r more/r.txt\n--find-links=/srv/wheels # mine\n",
        );
        write("more/r.txt", "-c c.txt\n  -i https://a.example/simple\n");
        write("more/c.txt", "--extra-index-url https://b.example\n-r ../r.txt\n");
        let found = said(folder.path(), "pip install -r r.txt");
        let has = |part: &str| found.iter().any(|line| line.contains(part));
        for part in [
            "--index-url in ",
            "more/r.txt has https://a.example/simple",
            "--extra-index-url in",
            "--find-links in",
        ] {
            assert!(has(part), "{part}: {found:?}");
        }
        assert!(!has("no.example"), "{found:?}");
        // uv heeds its default index more than that of the file.
        let found = said(folder.path(), "uv pip install -r r.txt");
        assert!(found.iter().all(|line| !line.contains("a.example")), "{found:?}");
        assert!(found.iter().any(|line| line.contains("b.example")), "{found:?}");
    }

    const WARNING: &str = "--extra-index-url in ";

    /// A folder with `r.txt`, which names another index.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("r.txt"), "--extra-index-url https://b.example\n").unwrap();
        folder
    }

    #[test]
    fn requirement_files_by_every_name() {
        let folder = folder();
        let url = Url::from_file_path(folder.path().join("r.txt")).unwrap();
        fs::write(folder.path().join("nested.txt"), format!("-r {url}\n")).unwrap();
        for line in [
            "pip install -qr r.txt".to_owned(),
            "pip install -Uqrr.txt".to_owned(),
            "pip install --build-constraint r.txt six".to_owned(),
            "python -Im pip install -c r.txt".to_owned(),
            format!("pip install -r {url}"),
            "pip install -r nested.txt".to_owned(),
            "uv pip install -qr r.txt".to_owned(),
            "uv pip install --overrides r.txt six".to_owned(),
            "uv pip install --override=r.txt six".to_owned(),
            "uv pip compile --constraint r.txt r.in".to_owned(),
            "uv pip install -b r.txt six".to_owned(),
        ] {
            let said = said(folder.path(), &line);
            assert!(said.len() == 1 && said[0].starts_with(WARNING), "{line}: {said:?}");
        }
    }

    #[test]
    fn variables_that_name_files() {
        let folder = folder();
        let gateway = "http://127.0.0.1:17001/simple/".parse().unwrap();
        let count = |tool, name: &str, files: &str| {
            let place = Place { tool, folder: folder.path(), gateway: &gateway };
            place.variables(&[(name.to_owned(), files.to_owned())].into()).len()
        };
        for name in ["PIP_REQUIREMENT", "PIP_constraint", "PIP_BUILD_CONSTRAINT"] {
            assert_eq!(count(Tool::Pip, name, "none.txt r.txt"), 1, "{name}");
            assert_eq!((count(Tool::Uv, name, "r.txt"), count(Tool::Other, name, "r.txt")), (0, 1));
        }
        for name in UV_FILES {
            assert_eq!((count(Tool::Uv, name, "r.txt"), count(Tool::Pip, name, "r.txt")), (1, 0));
        }
    }
}
