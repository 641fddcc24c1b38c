//! The other end: a TUF client, and what hands unmodified tools only what it verified.
//!
//! ```text
//! gateway   an index on loopback
//! run       one command behind a gateway
//! bundle    one file for a place without a network
//! session   everything that a command on an index needs, opened
//! trust     pinned roots, by index URL
//! cache     verified files, from one process to the next
//! folders   where a user's files lie
//! updater   the client workflow (TUF specification, section 5); its checks are in `tuf`
//! state     trusted metadata on disk
//! view      one verified snapshot, and the search for a target in it
//! remote    where metadata and targets come from
//! http      a repository behind HTTP
//! download  whole targets into a folder
//! tally     what was verified, and what it cost
//! ```

pub mod bundle;
pub mod cache;
mod download;
mod error;
pub mod folders;
pub mod gateway;
mod http;
pub mod remote;
pub mod run;
pub mod session;
pub mod state;
mod tally;
#[cfg(test)]
pub(crate) mod tests;
pub mod trust;
pub mod updater;
mod view;

pub use download::{Names, download};
pub use error::ClientError;
pub use http::Http;
pub use remote::{Remote, RemoteError};
pub use session::{Session, SessionError, SessionOptions};
pub use state::State;
pub use tally::Tally;
pub use updater::{Limits, Settings, Updater};
pub use view::View;
