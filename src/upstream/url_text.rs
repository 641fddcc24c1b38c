//! The simple index's URL, origins, and URLs as they may be shown.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::{Origin, Url};

use super::{ConfigError, Credentials};

/// A URL whose `Display` and `Debug` show neither credentials nor the query, where presigned URLs keep theirs.
#[derive(Clone, PartialEq, Eq)]
pub struct MirrorUrl(Url);

impl MirrorUrl {
    /// Reads the URL of a simple index as an operator writes it. Its path is made to end in `/`; credentials in
    /// it are taken out.
    ///
    /// # Errors
    /// [`ConfigError`] where it is no `http` or `https` URL, or has a query or a fragment.
    pub fn simple_base(text: &str) -> Result<(Self, Option<Credentials>), ConfigError> {
        let wrong = |why| ConfigError::Url { value: redact_text(text), why };
        let mut url = parse(text).map_err(wrong)?;
        if url.path().contains('@') {
            // Most likely the end of a password, the first part of which was taken for a host.
            return Err(wrong(
                "its path has an '@': write a '/' in a password as %2F, an '@' in a path as %40",
            ));
        }
        let credentials = take_credentials(&mut url).map_err(wrong)?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok((Self(url), credentials))
    }

    /// The URL itself.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// The URL itself.
    pub fn into_url(self) -> Url {
        self.0
    }
}

impl From<Url> for MirrorUrl {
    fn from(url: Url) -> Self {
        Self(url)
    }
}

impl fmt::Display for MirrorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.0))
    }
}

impl fmt::Debug for MirrorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads an origin (`https://files.example`) as an operator writes it.
pub(super) fn origin(text: &str) -> Result<Origin, ConfigError> {
    let wrong = |why| ConfigError::Origin { value: redact_text(text), why };
    let url = parse(text).map_err(wrong)?;
    if has_userinfo(&url) {
        return Err(wrong("credentials are sent to the mirror alone"));
    }
    if url.path() != "/" {
        return Err(wrong("an origin is a scheme, a host and a port, without a path"));
    }
    Ok(url.origin())
}

fn parse(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "it is no absolute URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("its scheme is neither http nor https");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it has a query or a fragment");
    }
    Ok(url)
}

fn take_credentials(url: &mut Url) -> Result<Option<Credentials>, &'static str> {
    if !has_userinfo(url) {
        return Ok(None);
    }
    let text = |part| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let user = text(url.username());
    let password = text(url.password().unwrap_or_default());
    strip_userinfo(url);
    Credentials::basic(&user, &password).map(Some).ok_or("its user name has a colon")
}

fn has_userinfo(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn strip_userinfo(url: &mut Url) {
    // Neither can fail: an http URL has a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

/// `url` as a request needs it: without credentials and fragment.
pub(super) fn plain(mut url: Url) -> Url {
    strip_userinfo(&mut url);
    url.set_fragment(None);
    url
}

/// `url` as it may be shown.
pub(super) fn redacted(url: &Url) -> String {
    let mut shown = url.clone();
    let hidden = has_userinfo(&shown);
    strip_userinfo(&mut shown);
    shown.set_fragment(None);
    if shown.query().is_some() {
        shown.set_query(Some("***"));
    }
    let text: String = shown.as_str().chars().take(LONGEST_SHOWN).collect();
    if hidden { text.replacen("://", "://***@", 1) } else { text }
}

/// The longest URL that a message shows, in characters.
const LONGEST_SHOWN: usize = 500;

/// A text that should have been a URL, as it may be shown: whatever may be credentials is left out.
fn redact_text(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at + "://".len());
    let (scheme, rest) = text.split_at(start);
    let rest = match rest.rsplit_once('@') {
        Some((_, host)) => format!("***@{host}"),
        None => rest.to_owned(),
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    format!("{scheme}{}", rest.get(..end).unwrap_or_default()).chars().take(LONGEST_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn base(text: &str) -> (String, bool) {
        let (url, credentials) = MirrorUrl::simple_base(text).unwrap();
        (url.into_url().to_string(), credentials.is_some())
    }

    #[test]
    fn a_base_ends_in_a_slash_and_has_no_credentials() {
        assert_eq!(base("https://m.example/simple"), ("https://m.example/simple/".into(), false));
        assert_eq!(base("http://m.example:80"), ("http://m.example/".into(), false));
        assert_eq!(
            base("https://u:p%40@m.example/root/pypi/+simple/"),
            ("https://m.example/root/pypi/+simple/".into(), true)
        );
    }

    #[test]
    fn a_wrong_url_is_named_without_its_secrets() {
        for text in [
            "htps//ann:hunter2@m.example/simple/",
            "https://ann:hunter2/x@m.example/",
            "https://ann:hunter2#x@m.example/",
            "https://ann:1/hunter2@m.example/",
            "ann:hunter2@m.example",
            "ftp://ann:hunter2@m.example/",
            "https://m.example/simple/?token=hunter2",
            "https://m.example/simple/#hunter2",
            "https://ann%3Ahunter2:x@m.example/",
        ] {
            let said = MirrorUrl::simple_base(text).unwrap_err().to_string();
            assert!(said.contains("m.example"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn neither_display_nor_debug_shows_secrets() {
        let url: Url = "https://ann:hunter2@m.example/a/?sig=hunter3#hunter4".parse().unwrap();
        let url = MirrorUrl::from(url);
        assert_eq!(url.to_string(), "https://***@m.example/a/?***");
        assert_eq!(format!("{url:?}"), url.to_string());
    }

    #[test]
    fn origins_have_no_path() {
        assert!(origin("https://files.example:8443/").is_ok());
        for text in ["https://files.example/x", "files.example", "https://a@b/", "file:///x"] {
            assert!(origin(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_password_survives(password in "[a-zA-Z0-9:/?#@%]{0,12}SECRET[a-zA-Z0-9:/@%]{0,12}") {
            let text = format!("https://ann:{password}@m.example/simple/");
            let shown = match MirrorUrl::simple_base(&text) {
                Ok((url, _)) => url.to_string(),
                Err(error) => error.to_string(),
            };
            prop_assert!(!shown.contains("SECRET"), "{}", shown);
        }
    }
}
