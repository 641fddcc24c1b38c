//! One command behind a gateway that lives as long as it does.
//!
//! ```text
//! tool         which tool the command is
//! environment  its variables
//! arguments    what its arguments say of other sources
//! config       what its configuration files say of other sources
//! bypass       a way past the gateway
//! ```

mod arguments;
mod bypass;
mod config;
pub mod environment;
mod tool;

pub use bypass::{Bypass, What};
pub use tool::Tool;
