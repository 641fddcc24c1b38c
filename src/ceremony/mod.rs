//! What needs offline keys: making a trust root, and its next versions.

pub mod case;
pub mod check;
pub mod draft;
pub mod file;
pub mod holders;
mod init;
mod keys;
pub mod merge;
mod parts;
mod public;
pub mod review;
pub mod sign;
pub mod words;

pub use init::{InitError, InitOptions, Initialized, init};
pub use keys::KeyFolder;
pub use public::{PublicKeyError, read_public};

#[cfg(test)]
mod tests;
