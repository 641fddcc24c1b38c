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

mod attacks;
mod bad_input;
mod bundle;
mod ceremony;
mod ceremony_files;
mod churn;
mod cli;
mod client_state;
mod cost;
mod crash;
mod disk;
mod foreign;
mod freshness;
mod gateway;
mod harness;
mod harness_faults;
mod import;
mod maintenance;
mod mirrors;
mod names;
mod protection;
mod recover;
mod replicas;
mod restart;
mod run;
mod serving;
mod signers;
mod signing;
mod store_faults;
mod stores;
mod support;
mod time;
mod tuf_clients;
