//! The TUF repository: its published state, and how that state changes.
//!
//! Reading ([`Repository`]) and writing ([`Publisher`]) are apart: who serves holds no key and no writable store.

mod answered;
mod attempt;
mod beside;
mod bin;
mod cache;
mod census;
mod changes;
mod collect;
mod commit;
mod draft;
mod edit;
mod error;
mod expiring;
pub mod export;
pub mod fsck;
mod gauges;
mod history;
mod horizon;
pub mod load;
mod look;
mod pages;
mod paths;
mod published;
mod publisher;
mod reader;
pub mod recover;
mod renewal;
mod restore;
mod roles;
mod signing;
mod skew;
mod superseded;
mod touched;
mod visible;
mod writer;

pub use beside::{Beside, DraftKeys, Quorum};
pub use collect::{Collected, Collector, Mode, Progress};
pub use commit::{AllowedRecord, Commit, FileRecord, ProjectRecord, RoleRecord, SnapshotRef};
pub use draft::Contents;
pub use edit::{Blocked, Decision, Edit, PageChange, ProjectBase, Receipt, Refused, Seen};
pub use error::RepositoryError;
pub use expiring::{Expiries, expires_soon};
pub use history::{Journal, Selection};
pub use paths::{file_path, page_path};
pub use published::{Base, Published};
pub use publisher::{Publisher, PublisherConfig, PublishingTask};
pub use reader::Repository;
pub use restore::{Advanced, HIGHEST, advance};
pub use roles::{
    Current, NewRoles, RolesError, RolesProgress, RolesReceipt, current_roles, next_number,
    publish_roles,
};
#[cfg(test)]
pub(crate) mod tests;

use crate::serving::{Document, Encoding};
pub(crate) use signing::{expiry, nonce};
