//! What may be signed: edits that decide, on what is published of a project, what shall be published of it.
//!
//! Pure: no network, no clock. The rule above all others: a file name keeps its bytes.
//!
//! ```text
//! update      what the mirror shows becomes a page, as far as it may
//! file        one entry of it, against what its name stood for before
//! operator    block and unblock
//! withdrawal  a project that is gone
//! measure     a length that a verified download proved
//! ```

mod file;
mod measure;
mod operator;
#[cfg(test)]
mod tests;
mod update;
mod withdrawal;

pub use file::Allowance;
pub(crate) use file::{misnamed, tells_the_same};
pub use measure::Measure;
pub use operator::{Block, Unblock};
pub use update::{Held, PageUpdate, QUARANTINED};
pub use withdrawal::Withdrawal;
