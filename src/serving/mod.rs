//! What every HTTP face shares: connections, routes, and answers with bytes that something signed vouches for.
//!
//! ```text
//! serve                 a listener: TLS, HTTP/1.1 and 2, shutdown
//! connection            a connection that is reset when an answer breaks off
//! tls                   certificate and key
//! route  path           what a request is for
//! document  encoding    pages, lists and metadata: validators, content codings
//! files                 pinned files: from the spool, fetched whole and verified, or streamed
//! spooled  stream       how they are sent; the last part of what is streamed is held back
//! range                 parts of verified files
//! recent                files that were wrong a moment ago
//! problem               what went wrong, as an answer
//! ```
//!
//! It knows neither what is published nor where a repository's word comes from: the faces tell it.

use http::request::Parts;

pub mod connection;
pub mod document;
mod encoding;
pub mod files;
pub mod path;
pub mod problem;
mod range;
mod recent;
pub mod route;
#[cfg(test)]
mod route_tests;
mod serve;
mod spooled;
mod stream;
pub mod tls;

pub use connection::{Client, guarded};
pub use document::{Compressed, Document};
pub use encoding::Encoding;
pub use files::{Desk, Files, Lengths, Origin, Pinned};
pub use problem::{Kind, Problem};
pub use range::Bare;
pub use recent::Key;
pub use serve::serve;

/// What a request is answered with.
pub type Answer = Result<http::Response<crate::upstream::Body>, Problem>;

/// The value of a header, where it is text.
pub fn header(request: &Parts, name: http::HeaderName) -> Option<&str> {
    request.headers.get(name)?.to_str().ok()
}
