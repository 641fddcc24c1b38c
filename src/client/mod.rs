//! The other end: a TUF client, and what hands unmodified tools only what it verified.
//!
//! ```text
//! gateway   an index on loopback
//! run       one command behind a gateway
//! bundle    one file for a place without a network
//! session   everything that a command on an index needs, opened
//! trust     pinned roots, by index URL
//! updater   the client workflow (TUF specification, section 5); its checks are in `tuf`
//! state     trusted metadata on disk
//! remote    where metadata and targets come from
//! tally     what was verified, and what it cost
//! ```

pub mod bundle;
mod error;
pub mod remote;
mod tally;

pub use error::ClientError;
pub use remote::{Remote, RemoteError};
pub use tally::Tally;
