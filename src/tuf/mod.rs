//! The Update Framework: roles, canonical JSON, keys, bins, verification. Pure: no I/O, no clock.

pub mod digest;

pub use digest::{Digest, DigestError};
