//! With all rules on, nothing breaks whatever happens at whichever step of a publication.

use super::rules::Rules;
use super::schedule::{Actor, Event};
use super::simulation::run;
use super::world::{Fault, GRACE};
use super::writer::Renewal;

/// More steps than a publication without faults has.
const STEPS: usize = 28;
const FAULTS: [Fault; 5] = [Fault::None, Fault::Refused, Fault::Lost, Fault::Late, Fault::Twice];
const CRASH: Event = Event::Crash { actor: Actor::Writer, which: 0 };

fn steps(actor: Actor, which: usize, steps: usize, fault: Fault) -> Event {
    Event::Run { actor, which, steps, fault }
}

fn whole(actor: Actor, which: usize) -> Event {
    steps(actor, which, 100, Fault::None)
}

/// The first writer stops at some step; the second publishes twice and more than a grace period passes, so that what
/// the first one wrote or read may be collected; then the first goes on, or starts anew.
fn stopped(first: usize, fault: Fault, second: usize, crash: bool) -> Vec<Event> {
    let mut schedule = vec![
        Event::Upload { project: 0, content: 1, writer: 0 },
        steps(Actor::Writer, 0, first, fault),
        Event::Upload { project: 1, content: 2, writer: 1 },
        steps(Actor::Writer, 1, second, Fault::None),
        whole(Actor::Client, 0),
        Event::Change { project: 0, content: 2 },
        whole(Actor::Writer, 1),
        Event::Advance(GRACE + 1),
        Event::Renew { writer: 1, what: Renewal::Bin(0) },
        whole(Actor::Writer, 1),
        Event::Advance(GRACE + 1),
        whole(Actor::Collector, 0),
        Event::Land(0),
        steps(Actor::Writer, 0, second, fault),
        whole(Actor::Client, 0),
        whole(Actor::Writer, 0),
        whole(Actor::Client, 1),
    ];
    if crash {
        schedule.insert(2, CRASH);
    }
    schedule
}

#[test]
fn nothing_breaks_wherever_a_writer_stops() {
    for first in 1..=STEPS {
        for second in 1..=STEPS {
            for fault in FAULTS {
                for crash in [false, true] {
                    let broken = run(Rules::ALL, 2, &stopped(first, fault, second, crash));
                    assert_eq!(
                        broken, None,
                        "{first} steps, {fault:?}, {second} steps, crash: {crash}"
                    );
                }
            }
        }
    }
}
