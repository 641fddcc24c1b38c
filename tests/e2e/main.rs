//! countersign from end to end: real mirrors behind it, real clients before it.
//!
//! `tests/run` installs the mirrors and clients. The projects exist on no public index, clients run without
//! a cache, and the mirrors listen on loopback alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod harness;
mod support;
