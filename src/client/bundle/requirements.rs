//! The names of projects in a requirements file of pip. Versions and markers are of no interest: a page is signed whole.

use crate::index::ProjectName;

/// Options that bring in more than the file itself names.
const ELSEWHERE: [&str; 6] = ["-r", "--requirement", "-c", "--constraint", "-e", "--editable"];

/// The projects that a requirements file names, each once, in its order.
///
/// # Errors
/// The line that cannot be taken, and why; as the end of a sentence.
pub fn projects(text: &str) -> Result<Vec<ProjectName>, String> {
    let mut projects = Vec::new();
    // A backslash joins a line with the next.
    for line in text.replace("\\\r\n", " ").replace("\\\n", " ").lines() {
        let line = without_comment(line).trim();
        if let Some(project) = project(line).map_err(|why| format!("{line:?} {why}"))?
            && !projects.contains(&project)
        {
            projects.push(project);
        }
    }
    Ok(projects)
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with('#') {
        return "";
    }
    line.split(" #").next().unwrap_or(line)
}

fn project(line: &str) -> Result<Option<ProjectName>, String> {
    if line.is_empty() {
        return Ok(None);
    }
    if line.starts_with('-') {
        let option = line.split([' ', '=']).next().unwrap_or(line);
        return match ELSEWHERE.contains(&option) {
            true => Err("is not followed: name what it stands for as well".into()),
            false => Ok(None),
        };
    }
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let (name, rest) = line.split_at(line.find(|c| !named(c)).unwrap_or(line.len()));
    match rest.trim_start().chars().next() {
        None | Some('=' | '<' | '>' | '!' | '~' | ';' | '[' | '(' | '-') => {
            ProjectName::parse(name).map(Some).map_err(|error| format!("is refused: {error}"))
        }
        Some('@') => Err("lies at a URL, and not on the index".into()),
        Some(_) => Err("is no requirement by name".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        let text = "# made by hand\n\nSix\nqx_alpha[extra]==1.0 ; python_version > '3' # why\n--index-url https://m.example/\n\
                    qx.beta ~= 2 \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\nsix>=1\n";
        let names: Vec<_> = projects(text).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["six", "qx-alpha", "qx-beta"]);
        assert!(projects("").unwrap().is_empty());
    }

    #[test]
    fn what_lies_elsewhere_is_refused() {
        for line in [
            "-r other.txt",
            "--requirement=other.txt",
            "-c x",
            "-e .",
            "six @ https://a.example/six.whl",
            "https://a.example/six.whl",
            "./six.whl",
            "é",
            "-",
            "six/x",
        ] {
            let refused = projects(line);
            match line {
                "-" => assert!(refused.unwrap().is_empty()),
                _ => assert!(refused.unwrap_err().contains(line), "{line}"),
            }
        }
    }
}
