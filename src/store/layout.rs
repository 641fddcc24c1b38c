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

/// The number that a name of [`commit`], [`timestamp`] or [`root`] begins with.
pub fn number(file: &str) -> Option<u64> {
    file.split('.').next()?.parse().ok()
}
