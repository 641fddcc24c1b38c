//! Which tool a command is.

use std::path::Path;

/// An installer, as far as its ways are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// pip, also as `python -m pip`.
    Pip,
    /// uv and uvx.
    Uv,
    /// pipenv.
    Pipenv,
    /// pdm.
    Pdm,
    /// poetry, which takes an index from its project alone.
    Poetry,
    /// A program that does not hand on its environment, such as sudo.
    Barrier,
    /// Anything else: it may start any of the others.
    Other,
}

/// uv's commands that have nothing to do with a project.
const UV_WITHOUT_PROJECT: [&str; 8] =
    ["tool", "python", "venv", "cache", "self", "help", "auth", "publish"];

impl Tool {
    /// The tool that `command` starts.
    pub fn of(command: &[String]) -> Self {
        let Some((program, arguments)) = command.split_first() else { return Self::Other };
        match name(program) {
            "uvx" if starts(arguments, "poetry") => Self::Poetry,
            "uv" | "uvx" => match after(arguments, "run") {
                Some(inner) if starts(inner, "poetry") => Self::of_poetry(inner),
                _ => Self::Uv,
            },
            "pipx" => match after(arguments, "run") {
                Some(inner) if starts(inner, "poetry") => Self::Poetry,
                _ => Self::Other,
            },
            "pipenv" => Self::Pipenv,
            "pdm" => Self::Pdm,
            "poetry" => Self::of_poetry(command),
            "sudo" | "doas" | "su" | "ssh" | "docker" | "podman" => Self::Barrier,
            name if numbered(name, "pip") => Self::Pip,
            name if numbered(name, "python") || numbered(name, "pypy") => {
                module(arguments).map_or(Self::Other, |inner| Self::of(&inner))
            }
            _ => Self::Other,
        }
    }

    /// `poetry run …` is what it runs.
    fn of_poetry(command: &[String]) -> Self {
        match after(command, "run") {
            Some(inner) => Self::of(inner),
            None => Self::Poetry,
        }
    }

    /// Whether a command of this tool heeds the variables and files of `other`.
    pub fn heeds(self, other: Self) -> bool {
        match self {
            Self::Other | Self::Barrier => true,
            Self::Pipenv => matches!(other, Self::Pipenv | Self::Pip),
            // It may be told to resolve with uv.
            Self::Pdm => matches!(other, Self::Pdm | Self::Uv),
            tool => tool == other,
        }
    }

    /// Whether `command` may write a file that names the index for good.
    pub fn may_lock(self, command: &[String]) -> bool {
        let has = |word: &str| command.iter().any(|given| given == word);
        match self {
            Self::Pip => has("lock"),
            Self::Uv if command.first().is_some_and(|program| name(program) == "uvx") => false,
            Self::Uv if has("pip") => has("compile"),
            Self::Uv => !UV_WITHOUT_PROJECT.iter().any(|word| starts(rest(command), word)),
            _ => true,
        }
    }
}

/// The file name of a program.
fn name(program: &str) -> &str {
    Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or(program)
}

/// `pip`, `pip3`, `pip3.11`
fn numbered(name: &str, base: &str) -> bool {
    let rest = name.strip_prefix(base);
    rest.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// What `python` runs as a module: its name and its arguments. Short options may be joined: `-Im pip`, `-mpip`.
fn module(arguments: &[String]) -> Option<Vec<String>> {
    let mut words = arguments.iter();
    loop {
        let word = words.next()?;
        if word.starts_with("--") {
            if word == "--check-hash-based-pycs" {
                words.next();
            }
            continue;
        }
        let mut letters = word.strip_prefix('-').filter(|letters| !letters.is_empty())?.chars();
        let takes = letters.find(|letter| matches!(letter, 'c' | 'm' | 'W' | 'X'));
        let value = Some(letters.as_str()).filter(|value| !value.is_empty());
        match takes {
            Some('m') => {
                return Some(value.map(str::to_owned).into_iter().chain(words.cloned()).collect());
            }
            Some('c') => return None,
            Some(_) if value.is_none() => drop(words.next()),
            _ => {}
        }
    }
}

/// Whether the first word that is no option is `word`.
fn starts(words: &[String], word: &str) -> bool {
    words.iter().find(|word| !word.starts_with('-')).is_some_and(|first| name(first) == word)
}

/// What follows `word`.
fn after<'a>(words: &'a [String], word: &str) -> Option<&'a [String]> {
    let at = words.iter().position(|given| given == word)?;
    words.get(at + 1..)
}

fn rest(command: &[String]) -> &[String] {
    command.get(1..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn tools_are_known_by_what_is_run() {
        for (line, tool) in [
            ("pip install six", Tool::Pip),
            ("/venv/bin/pip3.11 install six", Tool::Pip),
            ("python -m pip install six", Tool::Pip),
            ("python3 -I -X utf8 -m pip install six", Tool::Pip),
            ("pypy3 -m pip list", Tool::Pip),
            ("python -Im pip install six", Tool::Pip),
            ("python -ISmpip install six", Tool::Pip),
            ("python -Wignore -IX dev --check-hash-based-pycs always -m pip list", Tool::Pip),
            ("python -c pip -m pip", Tool::Other),
            ("python -cm pip", Tool::Other),
            ("python script.py -m pip", Tool::Other),
            ("python", Tool::Other),
            ("uv sync", Tool::Uv),
            ("python -m uv sync", Tool::Uv),
            ("uv run pytest", Tool::Uv),
            ("uvx ruff", Tool::Uv),
            ("pipenv install", Tool::Pipenv),
            ("pdm lock", Tool::Pdm),
            ("poetry install", Tool::Poetry),
            ("python3.12 -m poetry lock", Tool::Poetry),
            ("uvx poetry install", Tool::Poetry),
            ("uv run poetry install", Tool::Poetry),
            ("pipx run poetry install", Tool::Poetry),
            ("poetry run pip install six", Tool::Pip),
            ("poetry -q run python -m pip list", Tool::Pip),
            ("sudo pip install six", Tool::Barrier),
            ("pipx install six", Tool::Other),
            ("pipdeptree", Tool::Other),
            ("make", Tool::Other),
            ("", Tool::Other),
        ] {
            assert_eq!(Tool::of(&words(line)), tool, "{line}");
        }
    }

    #[test]
    fn who_may_write_a_lock_file() {
        for (line, may) in [
            ("pip install six", false),
            ("pip lock six", true),
            ("uv pip install six", false),
            ("uv pip compile r.in", true),
            ("uv -q tool install six", false),
            ("uvx six", false),
            ("uv sync", true),
            ("uv run x", true),
            ("pdm sync", true),
            ("make", true),
        ] {
            let command = words(line);
            assert_eq!(Tool::of(&command).may_lock(&command), may, "{line}");
        }
    }
}
