//! What operators see: logs, metrics, probes and the second listener that serves them.

pub mod admin;
pub mod label;
pub mod log;
pub mod metrics;
mod process;
pub mod readiness;
pub mod reason;
pub mod refusals;
pub mod server;
mod status;

pub use admin::AdminState;
pub use label::{
    Backend, CodeClass, KeyState, LookOutcome, Role, Route, StoreOperation, StoreOutcome, Trigger,
    UpstreamOutcome,
};
pub use metrics::Metrics;
pub use readiness::Readiness;
pub use reason::Refusal;
pub use refusals::Refusals;

#[cfg(test)]
mod tests;
