//! A request's path, as the mirror behind us may read it: decoded, doubled slashes merged, dots resolved.

use percent_encoding::percent_decode_str;

/// The segments of `path`, percent-decoded once; an encoded slash parts segments like a plain one, since servers read
/// it so. `None` where the path is no UTF-8, or has a NUL or a backslash.
pub fn segments(path: &str) -> Option<Vec<String>> {
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    if decoded.contains(['\0', '\\']) {
        return None;
    }
    let mut segments = Vec::new();
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment.to_owned()),
        }
    }
    Some(segments)
}

/// Whether `path` names a folder.
pub(super) fn ends_in_slash(path: &str) -> bool {
    path.ends_with('/') || path.ends_with("%2F") || path.ends_with("%2f")
}

/// Whether links relative to `path` lead where those relative to `canonical` do.
pub(super) fn same_depth(path: &str, canonical: &str) -> bool {
    let slashes = |path: &str| path.bytes().filter(|b| *b == b'/').count();
    slashes(path) == slashes(canonical) && path.ends_with('/') == canonical.ends_with('/')
}

/// A reference from a page at `path` to the absolute path `to`; it holds behind any prefix that a proxy takes off.
pub(super) fn relative(path: &str, to: &str) -> String {
    let folders = path.bytes().filter(|b| *b == b'/').count().saturating_sub(1);
    let to = to.strip_prefix('/').unwrap_or(to);
    match (folders, to) {
        (0, "") => "./".into(),
        _ => format!("{}{to}", "../".repeat(folders)),
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[test]
    fn a_path_is_read_as_mirrors_read_it() {
        let read = |path| segments(path).map(|all| all.join("|"));
        assert_eq!(read("/simple//demo/").unwrap(), "simple|demo");
        assert_eq!(read("//a/./b/../c").unwrap(), "a|c");
        assert_eq!(read("/a/..%2f../simple%2Fdemo").unwrap(), "simple|demo");
        assert_eq!(read("/a/x-1%2Bb.whl").unwrap(), "a|x-1+b.whl");
        assert_eq!(read("/a/x-1+b.whl").unwrap(), "a|x-1+b.whl");
        assert_eq!(read("/%252e%252e/a").unwrap(), "%2e%2e|a");
        assert_eq!(read("/").unwrap(), "");
        for bad in ["/a%00b", "/a%5Cb", "/%ff"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_relative_reference_leads_there() {
        for (from, to) in [
            ("/simple", "/simple/"),
            ("/simple/Demo", "/simple/demo/"),
            ("/simple//demo/", "/simple/demo/"),
            ("//demo/", "/demo/"),
            ("/", "/"),
            ("/root/pypi/+simple/A_b", "/root/pypi/+simple/a-b/"),
        ] {
            let reference = relative(from, to);
            let base = Url::parse(&format!("http://h{from}")).unwrap();
            assert_eq!(base.join(&reference).unwrap().path(), to, "{from}: {reference}");
            let prefixed = Url::parse(&format!("http://h/prefix{from}")).unwrap();
            assert_eq!(prefixed.join(&reference).unwrap().path(), format!("/prefix{to}"), "{from}");
        }
    }
}
