//! The login for the mirror: from its URL, from a `user:password` file, or from a netrc file.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use url::Url;

use super::ConfigError;

/// A login, as the value of an `Authorization` header (Basic, RFC 7617). Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(HeaderValue);

impl Credentials {
    /// Basic credentials; `None` where the user name has a colon, which RFC 7617 does not allow.
    pub fn basic(user: &str, password: &str) -> Option<Self> {
        if user.contains(':') {
            return None;
        }
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        let mut value = HeaderValue::from_str(&format!("Basic {encoded}")).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    /// The header's value, marked as sensitive.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

/// The login for the mirror at `simple`, from its URL or from `file`.
pub(super) fn of(
    simple: &Url,
    from_url: Option<Credentials>,
    file: Option<&Path>,
) -> Result<Option<Credentials>, ConfigError> {
    let Some(path) = file else { return Ok(from_url) };
    if from_url.is_some() {
        return Err(ConfigError::TwoLogins { path: path.into() });
    }
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::CredentialsFile {
        path: path.into(),
        why: error.to_string(),
    })?;
    read(&text, simple.host_str().unwrap_or_default())
        .map(Some)
        .map_err(|why| ConfigError::CredentialsFile { path: path.into(), why })
}

/// Reads either kind of file; the message never has any of the file's text.
fn read(text: &str, host: &str) -> Result<Credentials, String> {
    let (user, password) = if is_netrc(text) {
        netrc(text, host).ok_or(format!("it has no login for machine {host}"))?
    } else {
        let line = text.lines().next().unwrap_or_default().trim_end();
        let (user, password) = line
            .split_once(':')
            .ok_or("its first line is not user:password, and it is no netrc file")?;
        (user.to_owned(), password.to_owned())
    };
    Credentials::basic(&user, &password).ok_or("its user name has a colon".into())
}

fn is_netrc(text: &str) -> bool {
    matches!(words(text).first().map(String::as_str), Some("machine" | "default" | "macdef"))
}

/// The login for `host`, or else the `default` one, as curl and ftp read such a file.
fn netrc(text: &str, host: &str) -> Option<(String, String)> {
    let mut words = words(text).into_iter();
    let (mut user, mut password) = (None, None);
    let mut ours = false;
    while let Some(word) = words.next() {
        match word.as_str() {
            // The first entry that matches counts.
            "machine" | "default" if ours => break,
            "machine" => ours = words.next()?.eq_ignore_ascii_case(host),
            "default" => ours = true,
            "login" if ours => user = words.next(),
            "password" if ours => password = words.next(),
            "login" | "password" | "account" => drop(words.next()),
            _ => {}
        }
    }
    Some((user?, password.unwrap_or_default()))
}

/// The words of a netrc file, without comments and macros; a word may be quoted.
fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut macro_body = false;
    for line in text.lines() {
        if macro_body {
            macro_body = !line.trim().is_empty();
            continue;
        }
        let line = line.trim_start();
        if line.starts_with('#') {
            continue;
        }
        macro_body = line.split_whitespace().any(|word| word == "macdef");
        let mut chars = line.chars().peekable();
        while let Some(word) = next_word(&mut chars) {
            found.push(word);
        }
    }
    found
}

fn next_word(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    while chars.next_if(|c| c.is_whitespace()).is_some() {}
    chars.peek()?;
    let quoted = chars.next_if_eq(&'"').is_some();
    let mut word = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted => break,
            '\\' => word.extend(chars.next()),
            c if c.is_whitespace() && !quoted => break,
            c => word.push(c),
        }
    }
    Some(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn basic(user: &str, password: &str) -> Credentials {
        Credentials::basic(user, password).unwrap()
    }

    #[test]
    fn reads_user_and_password() {
        assert_eq!(read("ann:a:b c\r\nmore", "m.example"), Ok(basic("ann", "a:b c")));
        assert_eq!(basic("Aladdin", "open sesame").0, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn reads_netrc() {
        let text = "# mine\nmachine other.example login x password y\n\
                    machine m.example\n  login ann\n  account z\n  password \"a \\\"b\"\n\
                    macdef init\nmachine m.example login eve password e\n\n\
                    machine m.example login late password l\ndefault login any password one\n";
        assert_eq!(read(text, "M.example"), Ok(basic("ann", "a \"b")));
        assert_eq!(read(text, "other.example"), Ok(basic("x", "y")));
        assert_eq!(read(text, "third.example"), Ok(basic("any", "one")));
    }

    #[test]
    fn messages_have_nothing_of_the_file() {
        for text in ["hunter2", "", "machine a.example login ann password hunter2"] {
            let said = read(text, "m.example").unwrap_err();
            assert!(!said.contains("hunter2") && !said.contains("ann"), "{said}");
        }
        assert_eq!(format!("{:?}", basic("ann", "hunter2")), "Credentials(***)");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), host in "[a-z.]{1,8}") {
            let _ = read(&text, &host);
            let _ = read(&format!("machine {text}"), &host);
        }
    }
}
