//! countersign: a sidecar that signs an unmodified Python package index with
//! The Update Framework, as PEP 458 describes.
//!
//! The modules stand in layers; each may use those below it, never above:
//!
//! ```text
//! cli                         parse, build the pieces, run
//! proxy  client  ceremony  control  check
//!                             the faces: serve · verify · hold offline keys · hear the operator · look at a mirror
//! watch  policy               what changed upstream; what may be signed
//! repository                  published state, publisher, renewal, journal
//! serving                     what every HTTP face shares: connections, routes, answers
//! store  signer  upstream  spool  index
//!                             object store · keys · the mirror · verified files · simple API
//! tuf                         roles, canonical JSON, keys, bins: pure, no I/O, no clock
//! config  telemetry  time  connect
//!                             used by all
//! ```

pub mod app;
pub mod ceremony;
pub mod check;
pub mod cli;
pub mod client;
pub mod config;
pub mod connect;
pub mod control;
pub mod index;
pub mod policy;
pub mod proxy;
pub mod repository;
pub mod serving;
pub mod signer;
pub mod spool;
pub mod store;
pub mod telemetry;
pub mod time;
pub mod tuf;
pub mod upstream;
pub mod watch;
