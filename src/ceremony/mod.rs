//! What needs offline keys: making a trust root, and its next versions.

pub mod case;
pub mod check;
pub mod draft;
pub mod file;
mod first;
mod given;
pub mod holders;
mod import;
mod init;
mod keys;
pub mod merge;
mod parts;
pub mod publish;
pub mod review;
pub mod sign;
mod signed;
pub mod words;

pub use given::{Founded, Founding};
pub use import::{Imported, import};
pub use init::{InitError, InitOptions, Initialized, init};
pub use keys::KeyFolder;
pub use signed::init_signed;

#[cfg(test)]
mod tests;
