//! The client before a real publisher.

mod at_once;
mod never_back;
mod world;
