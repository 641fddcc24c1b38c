//! Words of a file on a terminal. Whoever wrote the file must not be able to write a line of ours.

use std::fmt;

use crate::tuf::KeyId;

/// How many characters of one word are shown.
const LONGEST: usize = 64;

/// A name from a file: as it is where it is plain, else between quotes with all else escaped.
pub fn plain(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+@/*[]?!".contains(c);
    let cut: String = text.chars().take(LONGEST).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    match !cut.is_empty() && cut.chars().all(is_plain) {
        true => format!("{cut}{more}"),
        false => format!("{cut:?}{more}"),
    }
}

/// A whole key id, where it is one.
pub fn full_id(keyid: &KeyId) -> String {
    match keyid.0.len() == 64 && keyid.0.bytes().all(|c| c.is_ascii_hexdigit()) {
        true => keyid.0.clone(),
        false => plain(&keyid.0),
    }
}

/// The holder's name and the first digits of the key id.
pub fn key(keyid: &KeyId, holder: Option<&str>) -> String {
    let id = super::check::shown(keyid);
    match holder {
        Some(name) => format!("{} ({id})", plain(name)),
        None => id.to_string(),
    }
}

/// `a, b and c`.
pub fn list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match (items.pop(), items.is_empty()) {
        (None, _) => "none".into(),
        (Some(last), true) => last,
        (Some(last), false) => format!("{} and {last}", items.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_plain_is_quoted_and_escaped() {
        assert_eq!(plain("red"), "red");
        assert_eq!(plain(""), "\"\"");
        assert_eq!(plain("a b"), "\"a b\"");
        for bad in ["a\nsigned by all", "\u{1b}[2K", "\u{202e}der", "\u{85}", "a\u{200b}"] {
            let shown = plain(bad);
            assert!(shown.is_ascii() && !shown.contains(char::is_control), "{shown:?}");
        }
        assert_eq!(plain(&"a".repeat(100)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn lists_are_read_aloud() {
        assert_eq!(list(Vec::<String>::new()), "none");
        assert_eq!(list(["a"]), "a");
        assert_eq!(list(["a", "b", "c"]), "a, b and c");
    }
}
