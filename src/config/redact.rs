//! Credentials stay out of sentences.

/// A URL, or what was meant as one, without user, password and query.
///
/// Leans to hiding too much: a text that cannot be parsed may still hold a password.
pub fn redacted(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (&text[..scheme.len() + 3], rest),
        None => ("", text),
    };
    let (hidden, rest) = match rest.rsplit_once('@') {
        Some((_, rest)) => ("***@", rest),
        None => ("", rest),
    };
    match rest.find(['?', '#']) {
        Some(end) => format!("{scheme}{hidden}{}***", &rest[..=end]),
        None => format!("{scheme}{hidden}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_credentials_and_nothing_else() {
        for (text, shown) in [
            ("https://mirror.example/simple/", "https://mirror.example/simple/"),
            ("https://u:p@mirror.example/simple/", "https://***@mirror.example/simple/"),
            ("https://u:p/a@ss@mirror.example", "https://***@mirror.example"),
            ("u:p@mirror.example", "***@mirror.example"),
            ("https://mirror.example/?token=abc", "https://mirror.example/?***"),
            ("https://mirror.example/p#token", "https://mirror.example/p#***"),
            ("./data", "./data"),
        ] {
            assert_eq!(redacted(text), shown);
        }
    }
}
