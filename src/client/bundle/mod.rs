//! One file with all that a gateway needs of an index, for a place without a network.
//!
//! ```text
//! create    what goes into it, verified on the way
//! roots     … the chain of roots
//! metadata  … the metadata of one snapshot
//! pieces    … pages, files, core metadata
//! requirements  … names out of a requirements file
//! open      a bundle in the place of a repository
//! offline   … verified, and what was verified remembered
//! moment    the time that a bundle's own timestamp names
//! manifest  bundle.json: what it says of itself
//! names     what its entries are called
//! write     the tar file, written
//! contents  the tar file, read
//! ```
//!
//! Docs: docs/bundle.md.

mod contents;
mod create;
mod error;
mod manifest;
mod metadata;
mod moment;
mod names;
mod offline;
mod open;
mod pieces;
mod requirements;
mod roots;
mod write;

#[cfg(test)]
mod tests;

pub use contents::Flaw;
pub use create::{Created, Order, create};
pub use error::{BundleError, CreateError};
pub use manifest::{FORMAT, Manifest};
pub use moment::Moment;
pub use offline::{AsOf, Offline, OfflineError, OfflineOptions, PinnedRoot};
pub use open::Bundle;
pub use requirements::projects as projects_of;
pub use write::Writer;
