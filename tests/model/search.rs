//! Searches for a schedule under which an invariant breaks.

use std::fmt;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use super::observer::Broken;
use super::rules::Rules;
use super::schedule::{Bias, Event};
use super::simulation::run;

/// A schedule under which an invariant broke, made as small as it gets.
pub struct Failure {
    pub broken: Broken,
    writers: usize,
    schedule: Vec<Event>,
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}, with {} writers:", self.broken, self.writers)?;
        self.schedule.iter().try_for_each(|event| writeln!(f, "    {event:?}"))
    }
}

/// Tries `schedules` of them, always the same ones, and gives the first under which an invariant breaks: the one that is
/// `sought`, or any.
pub fn search(rules: Rules, bias: Bias, schedules: u32, sought: Option<Broken>) -> Option<Failure> {
    let config = Config {
        cases: schedules,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let numbers = prop::collection::vec(any::<u32>(), 0..=bias.events);
    let decode =
        |numbers: &[u32]| numbers.iter().map(|number| bias.event(*number)).collect::<Vec<_>>();
    let breaks = |writers, schedule: &[Event]| {
        run(rules, writers, schedule).filter(|broken| sought.is_none_or(|sought| sought == *broken))
    };
    let tried = runner.run(&(2..=5_usize, numbers), |(writers, numbers)| {
        breaks(writers, &decode(&numbers))
            .map_or(Ok(()), |_| Err(TestCaseError::fail("an invariant broke")))
    });
    match tried {
        Ok(()) => None,
        Err(TestError::Fail(_, (writers, numbers))) => {
            let schedule = without_idle_events(decode(&numbers), |schedule| {
                breaks(writers, schedule).is_some()
            });
            breaks(writers, &schedule).map(|broken| Failure { broken, writers, schedule })
        }
        Err(TestError::Abort(reason)) => unreachable!("no schedule is ever rejected: {reason}"),
    }
}

/// Leaves out every event without which it breaks as well.
fn without_idle_events(mut schedule: Vec<Event>, breaks: impl Fn(&[Event]) -> bool) -> Vec<Event> {
    let mut left_out = true;
    while left_out {
        left_out = false;
        for index in (0..schedule.len()).rev() {
            let event = schedule.remove(index);
            if breaks(&schedule) {
                left_out = true;
            } else {
                schedule.insert(index, event);
            }
        }
    }
    schedule
}
