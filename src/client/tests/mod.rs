//! The client before a real publisher.

mod at_once;
mod never_back;
pub(crate) mod world;
