//! Findings as text for a terminal. Pure.

use std::fmt::Write as _;

use bytesize::ByteSize;

use super::facts::Group;
use super::judge::{Finding, Level, Topic};

/// Columns.
const WIDTH: usize = 100;
const INDENT: &str = "        ";

/// All findings, and the verdict.
pub fn render(upstream: &str, findings: &[Finding]) -> String {
    let mut text = format!("{}\n", printable(upstream));
    for topic in Topic::ALL {
        let mut of_topic = findings.iter().filter(|finding| finding.topic == topic).peekable();
        if of_topic.peek().is_some() {
            let _ = writeln!(text, "\n{}", topic.title());
        }
        of_topic.for_each(|finding| write(&mut text, finding));
    }
    let _ = write!(text, "\n{}", verdict(findings));
    text
}

/// One sentence that sums up.
pub fn verdict(findings: &[Finding]) -> &'static str {
    let failed = findings.iter().any(|finding| finding.level == Level::Fail);
    match failed {
        true => "Not everything could be signed: see the lines marked FAIL.",
        false => "Everything that was looked at could be signed.",
    }
}

fn write(text: &mut String, finding: &Finding) {
    let label = match finding.level {
        Level::Ok => "  ok    ",
        Level::Note => "  note  ",
        Level::Fail => "  FAIL  ",
    };
    match finding.level {
        Level::Ok => wrap(text, label, &format!("{} {}", finding.what, finding.todo)),
        _ => {
            wrap(text, label, &finding.what);
            wrap(text, INDENT, &format!("-> {}", finding.todo));
        }
    }
    if let Some(command) = &finding.command {
        // Whole, to be copied.
        let _ = writeln!(text, "{INDENT}{}", printable(command));
    }
    for example in &finding.examples {
        wrap(text, "          - ", &format!("{}: {}", example.what, example.why));
    }
    if finding.more > 0 {
        wrap(text, "          - ", &format!("and {} more", number(finding.more)));
    }
}

/// Writes a paragraph; its later lines are as far in as its first.
fn wrap(text: &mut String, first: &str, paragraph: &str) {
    let mut column = first.len();
    text.push_str(first);
    let margin = " ".repeat(first.len());
    for (i, word) in printable(paragraph).split(' ').enumerate() {
        if i > 0 && column + 1 + word.len() > WIDTH {
            let _ = write!(text, "\n{margin}");
            column = margin.len();
        } else if i > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
    text.push('\n');
}

/// What the mirror chose reaches no terminal as it is: all but printable ASCII is escaped.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => shown.push(c),
            c => shown.extend(c.escape_default()),
        }
    }
    shown
}

/// `1,234,567`
pub(super) fn number(n: impl TryInto<u64>) -> String {
    let digits = n.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 page`, `1,234 pages`.
pub(super) fn many(n: impl TryInto<u64>, noun: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    if n == 1 { format!("1 {noun}") } else { format!("{} {noun}s", number(n)) }
}

/// `1.5 GiB`
pub(super) fn size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

/// As an argument that a shell takes as it is: origins and the like are not ours to trust.
pub(super) fn quoted(argument: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"@%+=:,./_-".contains(&b);
    match !argument.is_empty() && argument.bytes().all(plain) {
        true => argument.to_owned(),
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    }
}

/// Those of a group that are not among its examples.
pub(super) fn more(group: &Group) -> u64 {
    group.count.saturating_sub(group.examples.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(
            [number(0u64), number(999u64), number(1000u64), number(16_123_456u64)],
            ["0", "999", "1,000", "16,123,456"]
        );
        assert_eq!([many(1u64, "page"), many(0u64, "page")], ["1 page", "0 pages"]);
        assert_eq!(size(1_610_612_736), "1.5 GiB");
    }

    #[test]
    fn nothing_of_the_mirror_reaches_the_terminal_or_a_shell() {
        assert_eq!(printable("a\u{1b}[31m\u{202e}é\n"), r"a\u{1b}[31m\u{202e}\u{e9}\n");
        assert_eq!(quoted("https://m.example:8443/a+b/"), "https://m.example:8443/a+b/");
        assert_eq!(quoted("http://a;reboot"), "'http://a;reboot'");
        assert_eq!(quoted("a'$(b)"), r"'a'\''$(b)'");
    }

    #[test]
    fn paragraphs_are_wrapped() {
        let mut text = String::new();
        wrap(&mut text, "  ok    ", &"word ".repeat(40));
        assert!(
            text.lines().count() == 3 && text.lines().all(|line| line.len() <= WIDTH),
            "{text}"
        );
        assert!(text.lines().skip(1).all(|line| line.starts_with("        word")), "{text}");
    }
}
