//! A model of the commit protocol (docs/publishing.md): an object store, writers, garbage collectors, replicas, clients
//! and an upstream that changes, stepped one operation at a time by a schedule that may freeze, crash and mislead them.
//! Nothing of the crate is used: what is checked here is the protocol.

mod client;
mod collector;
mod every_step;
mod holds;
mod observer;
mod replica;
mod rules;
mod schedule;
mod search;
mod simulation;
mod teeth;
mod world;
mod writer;
