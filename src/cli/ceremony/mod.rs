//! `countersign root`, `targets` and `bins`: ceremonies, as files that travel.

pub mod bins;
mod current;
mod file_task;
mod judge;
mod publish;
pub mod root;
mod shared;
pub mod targets;

#[cfg(test)]
mod tests;

pub use current::Current;
pub use file_task::FileTask;
pub use judge::{Merge, Review, Sign};
pub use publish::{PublishBins, PublishRoot, PublishTargets};
pub use shared::{Beside, Delegate, Held};
