//! The lines of a requirement file, as pip reads them.

/// The words of every line that has options and no requirement.
pub(super) fn options(text: &str) -> Vec<Vec<String>> {
    let lines = joined(text);
    let lines = lines.iter().map(|line| without_comment(line));
    lines
        .filter(|line| line.starts_with('-'))
        .map(|line| line.split_whitespace().map(unquoted).collect())
        .collect()
}

/// One that ends in a backslash goes on in the next.
fn joined(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut begun = String::new();
    for line in text.lines() {
        let comment = line.trim_start().starts_with('#');
        match line.strip_suffix('\\') {
            Some(line) if !comment => begun.push_str(line.trim_matches('\\')),
            _ => {
                // So that it stays a comment.
                begun.push_str(if comment { " " } else { "" });
                begun.push_str(line);
                lines.push(std::mem::take(&mut begun));
            }
        }
    }
    lines.push(begun);
    lines
}

fn without_comment(line: &str) -> &str {
    let begins = |at: usize| line.get(..at).is_some_and(|l| l.trim_end().len() < at || at == 0);
    let comment = line.match_indices('#').map(|(at, _)| at).find(|at| begins(*at));
    line.get(..comment.unwrap_or(line.len())).unwrap_or(line).trim()
}

fn unquoted(word: &str) -> String {
    word.replace(['"', '\''], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_pip_reads_them() {
        for (text, expected) in [
            ("--index-url=\\\nhttps://a\n", &["--index-url=https://a"][..]),
            ("--index-url \\\n  https://a", &["--index-url https://a"]),
            ("--index-\\\nurl=https://a\\", &["--index-url=https://a"]),
            ("-i x\n-f y", &["-i x", "-f y"]),
            ("# c \\\n-i https://a", &["-i https://a"]),
            ("  -i 'https://a'\t# c", &["-i https://a"]),
            ("-i https://a/#b", &["-i https://a/#b"]),
            ("-f é #b", &["-f é"]),
            ("six \\\n# c \\\n-i https://a", &["-i https://a"]),
            ("six \\\n-i https://a", &[]),
            ("#-i https://a", &[]),
        ] {
            let found: Vec<_> = options(text).iter().map(|words| words.join(" ")).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
