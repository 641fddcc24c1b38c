//! What the name of a distribution file says.

use super::ProjectName;
use super::name;

/// The endings of distribution files: what installers take today, and what indexes still list
/// from earlier days.
const ENDINGS: [&str; 20] = [
    ".whl",
    ".tar.gz",
    ".zip",
    ".egg",
    ".tar.bz2",
    ".tgz",
    ".tar.xz",
    ".exe",
    ".msi",
    ".tar",
    ".tbz",
    ".tbz2",
    ".txz",
    ".tar.z",
    ".tar.lz",
    ".tar.lzma",
    ".tlz",
    ".tar.zst",
    ".rpm",
    ".deb",
];

/// Whether `filename` ends like a distribution file (`.whl`, `.tar.gz`, `.zip`, `.egg`, …), in any case.
pub fn is_distribution(filename: &str) -> bool {
    let bytes = filename.as_bytes();
    ENDINGS.iter().any(|ending| {
        let ending = ending.as_bytes();
        let start = bytes.len().checked_sub(ending.len());
        // A bare ending names nothing.
        start.is_some_and(|at| at > 0)
            && start
                .and_then(|at| bytes.get(at..))
                .is_some_and(|end| end.eq_ignore_ascii_case(ending))
    })
}

/// The projects that a file of this name may belong to: what stands before each `-`, normalized,
/// shortest first, each once. A wheel's first component is its project (PEP 427).
pub fn project_candidates(filename: &str) -> Vec<ProjectName> {
    let splits = if is_wheel(filename) { 1 } else { usize::MAX };
    let mut names = Vec::new();
    let dashes = filename.match_indices('-').map(|(at, _)| at);
    for at in dashes.take(splits).take_while(|at| *at <= name::LONGEST) {
        match filename.get(..at).map(ProjectName::parse) {
            Some(Ok(name)) if names.last() != Some(&name) => names.push(name),
            _ => {}
        }
    }
    names
}

/// Whether `filename` may belong to `project`, going by its name alone.
pub fn belongs_to(filename: &str, project: &ProjectName) -> bool {
    project_candidates(filename).contains(project)
}

fn is_wheel(filename: &str) -> bool {
    filename.get(filename.len().saturating_sub(4)..).is_some_and(|e| e.eq_ignore_ascii_case(".whl"))
}

/// In bytes. More than any file system takes.
const LONGEST: usize = 1_000;

/// Why a text cannot be a file name, if it cannot: it is empty, a dot segment or too long, or has a slash or
/// a control character. Whether a name is a safe target path is decided elsewhere.
pub(super) fn defect(filename: &str) -> Option<&'static str> {
    if filename.is_empty() {
        Some("the file name is empty")
    } else if matches!(filename, "." | "..") {
        Some("the file name is a dot segment")
    } else if filename.contains('/') {
        Some("the file name contains a slash")
    } else if filename.len() > LONGEST {
        Some("the file name is longer than 1,000 bytes")
    } else if filename.contains(char::is_control) {
        Some("the file name contains a control character")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(filename: &str) -> Vec<String> {
        project_candidates(filename).into_iter().map(String::from).collect()
    }

    #[test]
    fn knows_distributions_by_their_ending() {
        for name in ["a-1.whl", "a-1.tar.gz", "A-1.ZIP", "a-1-py2.7.egg", "a.win32.exe", "a.Tar.Xz"]
        {
            assert!(is_distribution(name), "{name}");
        }
        for name in ["", ".whl", "a.whl.metadata", "a.asc", "index.html", "é", "a.whl.provenance"]
        {
            assert!(!is_distribution(name), "{name}");
        }
    }

    #[test]
    fn splits_a_name_at_every_dash() {
        assert_eq!(candidates("foo-bar-1.0.tar.gz"), ["foo", "foo-bar"]);
        assert_eq!(candidates("Foo_Bar-1.0-py3-none-any.whl"), ["foo-bar"]);
        assert_eq!(candidates("foo--bar-1.0.zip"), ["foo", "foo-bar"]);
        assert_eq!(candidates("foo-1.0-py2.7.egg"), ["foo", "foo-1-0"]);
        assert!(candidates("nothing.zip").is_empty());
        assert!(candidates("-1.0.zip").is_empty());
    }

    #[test]
    fn a_long_name_is_cut_short() {
        assert!(candidates(&"a-".repeat(100_000)).len() <= 100);
    }

    #[test]
    fn belongs_by_any_split() {
        let name = |n| ProjectName::parse(n).unwrap();
        assert!(belongs_to("foo-bar-1.0.tar.gz", &name("foo-bar")));
        assert!(belongs_to("Foo.Bar-1.0.tar.gz", &name("foo-bar")));
        assert!(!belongs_to("foo-bar-1.0.tar.gz", &name("bar")));
        assert!(!belongs_to("foo-bar-1.0-py3-none-any.whl", &name("foo-bar")));
    }
}
