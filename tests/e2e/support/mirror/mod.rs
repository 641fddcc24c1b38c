//! The mirrors that countersign stands before.

mod bandersnatch;
mod devpi;
mod pypiserver;

pub use bandersnatch::Bandersnatch;
pub use devpi::Devpi;
pub use pypiserver::Pypiserver;

use super::packages::Package;

/// A mirror as a test sees it. What it is told happens behind countersign's back.
pub trait Mirror {
    /// What `--upstream` names: the simple index, with a slash at its end.
    fn simple_url(&self) -> String;

    /// Puts a file in, or puts other bytes in its place where the mirror allows that.
    fn add(&self, file: &Package);

    /// Takes a file out.
    fn delete(&self, file: &Package);

    /// Changes the bytes on the disk alone. What the mirror says of the file stays, unless it looks at the
    /// disk each time.
    fn tamper(&self, file: &Package, bytes: &[u8]);

    /// The requests that it logged, as `GET /path`, oldest first.
    fn requests(&self) -> Vec<String>;

    /// How many requests for a path with this in it were logged.
    fn asked_for(&self, part: &str) -> usize {
        self.requests().iter().filter(|request| request.contains(part)).count()
    }
}
