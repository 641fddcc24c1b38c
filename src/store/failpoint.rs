//! Places where a test can kill the process: before and after every write.
//!
//! With the feature `failpoints`, the variable `FAILPOINTS` names them, as in
//! `store-create-journal-after=return`: operation, folder of the object, moment. `return` kills; a delay or a pause does what
//! the crate `fail` says. Without the feature there is nothing of this in the program.

/// Kills the process if a test wants it here.
#[cfg(feature = "failpoints")]
pub(super) fn here(operation: &str, name: &str, moment: &str) {
    let folder = name.split('/').next().unwrap_or(name);
    reach(&format!("store-{operation}-{folder}-{moment}"));
}

/// As [`here`], of a sync, which is of no object.
#[cfg(feature = "failpoints")]
pub(super) fn sync(moment: &str) {
    reach(&format!("store-sync-{moment}"));
}

#[cfg(feature = "failpoints")]
fn reach(point: &str) {
    if fail::eval(point, |_| ()).is_some() {
        std::process::abort();
    }
}

#[cfg(not(feature = "failpoints"))]
pub(super) fn here(_operation: &str, _name: &str, _moment: &str) {}

#[cfg(not(feature = "failpoints"))]
pub(super) fn sync(_moment: &str) {}
