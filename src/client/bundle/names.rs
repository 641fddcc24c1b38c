//! The names of what is in a bundle.

use crate::tuf::{Digest, TargetPath};

/// The first entry.
pub const MANIFEST: &str = "bundle.json";
/// Before the names of metadata files.
const METADATA: &str = "metadata/";
/// Before the paths under which targets are fetched.
const TARGETS: &str = "targets/";
/// Bytes; what a page or file of an index can need at most.
pub const LONGEST: u64 = 1024;

/// The entry of a metadata file, such as `12.bins-0f.json`.
pub fn metadata(name: &str) -> String {
    format!("{METADATA}{name}")
}

/// The entry of a target by the path that it is fetched under.
pub fn target(fetched_as: &str) -> String {
    format!("{TARGETS}{fetched_as}")
}

/// By what an entry is found: of a target, its path without a hash. `None` where nothing in a bundle has such a name.
pub fn key(name: &str) -> Option<String> {
    if name == MANIFEST {
        return Some(name.to_owned());
    }
    if let Some(file) = name.strip_prefix(METADATA) {
        let plain = file.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b'\\');
        return (plain && !file.is_empty() && !file.starts_with('.')).then(|| name.to_owned());
    }
    TargetPath::new(name.strip_prefix(TARGETS)?).ok().map(|path| target(&without_hash(&path)))
}

/// `a/<sha256>.b` is `a/b`: a client may ask for either.
fn without_hash(path: &TargetPath) -> String {
    let (folder, name) = path.split();
    match name.split_once('.') {
        Some((hash, rest)) if !rest.is_empty() && hash.parse::<Digest>().is_ok() => {
            format!("{folder}{rest}")
        }
        _ => path.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_found_with_and_without_hash() {
        let hash = Digest::of(b"");
        let plain = "targets/files/six/six-1.0.tar.gz";
        assert_eq!(key(plain).as_deref(), Some(plain));
        assert_eq!(
            key(&format!("targets/files/six/{hash}.six-1.0.tar.gz")).as_deref(),
            Some(plain)
        );
        assert_eq!(key("metadata/1.root.json").as_deref(), Some("metadata/1.root.json"));
        assert_eq!(key(MANIFEST).as_deref(), Some(MANIFEST));
    }

    #[test]
    fn other_names_are_refused() {
        for bad in [
            "",
            "metadata/",
            "metadata/a/b",
            "metadata/.hidden",
            "metadata/a\\b",
            "targets/",
            "targets/../a",
            "targets//a",
            "/targets/a",
            "./bundle.json",
            "bundle.json/",
            "other",
            "targets/a%2fb",
            "targets/é",
            "metadata/a b",
        ] {
            assert_eq!(key(bad), None, "{bad:?}");
        }
    }
}
