//! What needs offline keys: making a trust root.

mod init;
mod keys;

pub use init::{InitError, InitOptions, Initialized, init};
pub use keys::KeyFolder;

#[cfg(test)]
mod tests;
