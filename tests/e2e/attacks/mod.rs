//! The attacks of PEP 458 (Appendix A) and of the TUF paper, by a real attacker between sidecar and client.
//!
//! ```text
//! pip, uv ──────────────┐
//!                       ├─► attacker ─► countersign serve ─► mirror
//! pip, uv ─► gateway ───┘
//! ```
//!
//! Each goes at plain installers first, which shows that it is one, and then at the gateway.

mod data;
mod dependencies;
mod freshness;
mod keys;
mod mix_and_match;
mod rollback;
mod scene;
mod slow;
mod software;
mod table;
mod victim;
