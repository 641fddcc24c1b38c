//! The next version of root, targets or bins, not signed yet. Pure.

mod bins;
mod edit;
mod error;
mod expires;
mod root;
mod targets;

#[cfg(test)]
mod tests;

pub use bins::{BinsChanges, bins};
pub use edit::{HolderKey, RoleEdit};
pub use error::DraftError;
pub use expires::parse as parse_expires;
pub use root::{RootChanges, root};
pub use targets::{Delegation, TargetsChanges, targets};
