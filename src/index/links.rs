//! Links: from a page of ours into the TUF repository, and from an upstream's page to its files.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use super::ProjectName;

/// Where a page finds the TUF repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    /// The URL of the TUF prefix, relative to the page's, with a slash at its end: `../../tuf/`.
    pub tuf: String,
}

/// All but the unreserved characters of RFC 3986. `+` too: some servers read it as a space.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Links {
    /// The links of the page at the absolute path `page_path` (`/simple/foo/`), where the
    /// repository is served under `tuf_prefix` (`/tuf/`). They climb to the root, so that they
    /// hold behind any host and any path prefix.
    pub fn from_page_path(page_path: &str, tuf_prefix: &str) -> Self {
        let folder = page_path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let depth = folder.split('/').filter(|segment| !segment.is_empty()).count();
        let mut tuf = "../".repeat(depth);
        for segment in tuf_prefix.split('/').filter(|segment| !segment.is_empty()) {
            tuf.push_str(segment);
            tuf.push('/');
        }
        Self { tuf }
    }

    pub(super) fn metadata(&self) -> String {
        format!("{}metadata/", self.tuf)
    }

    pub(super) fn targets(&self) -> String {
        format!("{}targets/", self.tuf)
    }

    /// The link to a distribution file, at its target path.
    pub(super) fn file(&self, project: &ProjectName, filename: &str) -> String {
        let segment = utf8_percent_encode(filename, SEGMENT);
        format!("{}targets/files/{project}/{segment}", self.tuf)
    }
}

/// The absolute URL that `link` means on a page at `base`: http or https, without fragment. The
/// credentials of the page's own URL, or of the link, are not taken along.
pub(super) fn resolve(base: &Url, link: &str) -> Result<Url, &'static str> {
    let mut url = base.join(link.trim()).map_err(|_| "its link is no URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("its link is neither http nor https");
    }
    url.set_fragment(None);
    if !url.username().is_empty() || url.password().is_some() {
        let cleared = url.set_username("").and_then(|()| url.set_password(None));
        cleared.map_err(|()| "its link has credentials")?;
    }
    Ok(url)
}

/// The last segment of a URL's path, percent-decoded; `None` where there is none or it is no UTF-8.
pub(super) fn last_segment(url: &Url) -> Option<String> {
    decoded(url.path_segments()?.next_back()?)
}

/// A path segment, percent-decoded.
pub(super) fn decoded(segment: &str) -> Option<String> {
    percent_decode_str(segment).decode_utf8().ok().map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_links_to_the_repository_at_the_root() {
        let tuf = |page, prefix| Links::from_page_path(page, prefix).tuf;
        assert_eq!(tuf("/simple/foo/", "/tuf/"), "../../tuf/");
        assert_eq!(tuf("/root/pypi/+simple/foo/", "/tuf/"), "../../../../tuf/");
        assert_eq!(tuf("/foo/", "/a/b"), "../a/b/");
        assert_eq!(tuf("/simple/foo", "tuf"), "../tuf/");
        assert_eq!(tuf("/", "/tuf/"), "tuf/");
        assert_eq!(tuf("", "/tuf/"), "tuf/");
    }

    #[test]
    fn a_link_of_ours_resolves_to_the_target_path() {
        let links = Links::from_page_path("/root/pypi/+simple/foo/", "/tuf/");
        let link = links.file(&ProjectName::parse("foo").unwrap(), "foo-1.0+a b#?%é.whl");
        let page = Url::parse("https://x.example/root/pypi/+simple/foo/").unwrap();
        let url = page.join(&link).unwrap();
        assert!(url.path().starts_with("/tuf/targets/files/foo/foo-1.0%2Ba%20b%23%3F%25"), "{url}");
        assert_eq!(last_segment(&url).unwrap(), "foo-1.0+a b#?%é.whl");
    }

    #[test]
    fn links_resolve_without_credentials_and_fragment() {
        let base = Url::parse("https://user:pass@x.example/simple/foo/").unwrap();
        let ok = |link| resolve(&base, link).unwrap().to_string();
        assert_eq!(ok("../../p/a.whl#sha256=0"), "https://x.example/p/a.whl");
        assert_eq!(ok("//y.example/a.whl"), "https://y.example/a.whl");
        assert_eq!(ok(" a.whl?sig=1 "), "https://x.example/simple/foo/a.whl?sig=1");
        for bad in
            ["ftp://x/a.whl", "file:///etc/passwd", "javascript:alert(1)", "http://[::", "data:,x"]
        {
            assert!(resolve(&base, bad).is_err(), "{bad}");
        }
    }
}
