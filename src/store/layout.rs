//! The names of the objects.
//!
//! ```text
//! root/<version>.root.json            never deleted; the first one is the claim to the store
//! journal/<20 digits>.json            the commits; never deleted
//! metadata/<version>.<role>.json      immutable
//! timestamps/<20 digits>.json         immutable; the newest is served as timestamp.json
//! pages/<sha256>.<commit>             signed page bytes, compressed
//! sources/<project>.json              where each listed file lies upstream; advice
//! watch/…                             cursors of the watcher; advice
//! selftest/…                          lives for a moment at each start
//! ```

use crate::index::ProjectName;
use crate::tuf::Digest;

/// The folder of the roots.
pub const ROOT: &str = "root";
/// The folder of the commits.
pub const JOURNAL: &str = "journal";
/// The folder of snapshots, targets, bins and the bins.
pub const METADATA: &str = "metadata";
/// The folder of the timestamps.
pub const TIMESTAMPS: &str = "timestamps";
/// The folder of the signed pages.
pub const PAGES: &str = "pages";
/// The folder of what [`super::Store::self_test`] creates.
pub const SELF_TEST: &str = "selftest";

/// A version of root.
pub fn root(version: u64) -> String {
    format!("{ROOT}/{version}.root.json")
}

/// A commit.
pub fn commit(number: u64) -> String {
    format!("{JOURNAL}/{}", commit_file(number))
}

/// The name of a commit in its folder: names and numbers have one order.
pub fn commit_file(number: u64) -> String {
    format!("{number:020}.json")
}

/// A version of snapshot, targets, bins or a bin.
pub fn metadata(version: u64, role: &str) -> String {
    format!("{METADATA}/{version}.{role}.json")
}

/// A version of timestamp.
pub fn timestamp(version: u64) -> String {
    format!("{TIMESTAMPS}/{}", timestamp_file(version))
}

/// The name of a timestamp in its folder: names and versions have one order.
pub fn timestamp_file(version: u64) -> String {
    format!("{version:020}.json")
}

/// A signed page, written for `commit`.
pub fn page(digest: &Digest, commit: u64) -> String {
    format!("{PAGES}/{digest}.{commit}")
}

/// Where the files of a project lie upstream.
pub fn sources(project: &ProjectName) -> String {
    format!("sources/{project}.json")
}

/// A cursor of the watcher.
pub fn watch(name: &str) -> String {
    format!("watch/{name}.json")
}

/// What one self-test creates.
pub fn self_test(name: &str) -> String {
    format!("{SELF_TEST}/{name}")
}

/// The number of a [`commit_file`] or [`timestamp_file`]: of a name that is exactly that, and of no other.
pub fn number(file: &str) -> Option<u64> {
    let number = file.strip_suffix(".json")?.parse().ok()?;
    (file == commit_file(number)).then_some(number)
}

/// The version of a file of the folder of the roots: of a name that is exactly that, and of no other.
pub fn root_number(file: &str) -> Option<u64> {
    let version = file.strip_suffix(".root.json")?.parse().ok()?;
    (format!("{ROOT}/{file}") == root(version)).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_names_have_a_number() {
        assert_eq!(number(&commit_file(7)), Some(7));
        assert_eq!(number(&timestamp_file(u64::MAX)), Some(u64::MAX));
        assert_eq!(root_number("12.root.json"), Some(12));
        for name in ["7.json", "00000000000000000007", "00000000000000000007.json.bak", "x", ""] {
            assert_eq!((number(name), root_number(name)), (None, None), "{name}");
        }
        for name in ["99.foo", "099.root.json", "+9.root.json", "9.root.json~"] {
            assert_eq!(root_number(name), None, "{name}");
        }
    }
}
