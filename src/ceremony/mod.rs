//! What needs offline keys: making a trust root, and its next versions.

pub mod check;
mod init;
mod keys;

pub use init::{InitError, InitOptions, Initialized, init};
pub use keys::KeyFolder;

#[cfg(test)]
mod tests;
