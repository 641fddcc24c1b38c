//! The client before a real publisher.

mod never_back;
mod world;
