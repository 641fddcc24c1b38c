//! One file with all that a gateway needs of an index, for a place without a network.
//!
//! ```text
//! create    what goes into it, verified on the way
//! open      a bundle in the place of a repository
//! moment    the time that a bundle's own timestamp names
//! manifest  bundle.json: what it says of itself
//! names     what its entries are called
//! write     the tar file, written
//! contents  the tar file, read
//! ```
//!
//! Docs: docs/bundle.md.

mod contents;
mod error;
mod manifest;
mod names;
mod open;
mod write;

#[cfg(test)]
mod tests;

pub use contents::Flaw;
pub use error::BundleError;
pub use manifest::{FORMAT, Manifest};
pub use open::Bundle;
pub use write::Writer;
