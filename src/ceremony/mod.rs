//! What needs offline keys: making a trust root, and its next versions.

pub mod check;
pub mod draft;
pub mod file;
pub mod holders;
mod init;
mod keys;
mod parts;
mod public;
pub mod words;

pub use init::{InitError, InitOptions, Initialized, init};
pub use keys::KeyFolder;
pub use public::{PublicKeyError, read_public};

#[cfg(test)]
mod tests;
