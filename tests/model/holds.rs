//! With all rules on, nothing breaks.

use super::rules::Rules;
use super::schedule::Bias;
use super::search::search;

/// Many schedules, always the same ones. `MODEL_SCHEDULES` asks for another number of them, for a long soak.
fn nothing_breaks(bias: Bias, schedules: u32) {
    let asked = std::env::var("MODEL_SCHEDULES").ok().and_then(|number| number.parse().ok());
    let failure = search(Rules::ALL, bias, asked.unwrap_or(schedules), None);
    assert!(failure.is_none(), "{failure:?}");
}

#[test]
fn under_anything() {
    nothing_breaks(Bias::EVEN, 40_000);
}

#[test]
fn under_collectors_and_frozen_writers() {
    nothing_breaks(Bias::COLLECTING, 8_000);
}

#[test]
fn under_slow_clients() {
    nothing_breaks(Bias::FETCHING, 8_000);
}
