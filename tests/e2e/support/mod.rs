//! What the scenarios are made of.

pub mod attacker;
pub mod balancer;
pub mod clients;
pub mod clock;
pub mod disk;
pub mod fault_proxy;
pub mod forge;
pub mod gateway;
pub mod hostile;
pub mod http;
pub mod lie;
pub mod mirror;
pub mod openbao;
pub mod packages;
pub mod process;
pub mod recorder;
pub mod seaweed;
pub mod sidecar;
pub mod strace;
pub mod token;
pub mod tools;
pub mod user;
mod wire;

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Asks again until there is an answer, and fails with `what` after `within`.
pub fn eventually<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < within, "not within {within:?}: {what}");
        sleep(Duration::from_millis(50));
    }
}

/// Seconds.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
