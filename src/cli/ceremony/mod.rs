//! `countersign root`, `targets` and `bins`: ceremonies, as files that travel.

pub mod bins;
mod current;
mod judge;
pub mod root;
mod shared;
pub mod targets;

#[cfg(test)]
mod tests;

pub use current::Current;
pub use judge::{Merge, Review, Sign};
pub use shared::{Beside, Delegate, Held};
