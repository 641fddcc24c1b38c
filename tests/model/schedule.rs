//! Schedules: what happens, and in which order. Each event is read from one number, so that smaller numbers and shorter
//! lists are simpler schedules.

use super::world::{Fault, GRACE, HALF, PROJECTS};
use super::writer::Renewal;

#[derive(Debug, Clone, Copy)]
pub enum Actor {
    Writer,
    Collector,
    Replica,
    Client,
}

#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// One actor takes some steps, or fewer if it comes to rest; the fault happens to the last. All others are frozen.
    Run { actor: Actor, which: usize, steps: usize, fault: Fault },
    /// A project changes upstream, and nobody says so.
    Change { project: usize, content: u8 },
    /// A project changes upstream, and who did it waits for its publication.
    Upload { project: usize, content: u8, writer: usize },
    /// The store's clock.
    Advance(u32),
    /// An actor is killed and started again, without its memory.
    Crash { actor: Actor, which: usize },
    /// Something that a writer or collector gave up waiting for happens after all.
    Land(usize),
    /// A role becomes due.
    Renew { writer: usize, what: Renewal },
}

/// How often each kind of event comes up, and how many of them make a schedule.
#[derive(Debug, Clone, Copy)]
pub struct Bias {
    pub writer: u32,
    pub collector: u32,
    pub replica: u32,
    pub client: u32,
    pub change: u32,
    pub advance: u32,
    pub crash: u32,
    pub land: u32,
    pub renew: u32,
    /// Out of 256.
    pub faults: u32,
    pub events: usize,
}

impl Bias {
    pub const EVEN: Self = Self {
        writer: 36,
        collector: 10,
        replica: 4,
        client: 14,
        change: 12,
        advance: 14,
        crash: 4,
        land: 3,
        renew: 3,
        faults: 32,
        events: 100,
    };

    /// Long schedules without faults: what needs a writer and a collector that both sleep at the wrong moment.
    pub const COLLECTING: Self = Self {
        writer: 40,
        collector: 20,
        replica: 0,
        client: 0,
        change: 16,
        advance: 20,
        crash: 0,
        land: 0,
        renew: 4,
        faults: 0,
        events: 200,
    };

    /// The same, with clients that fetch meanwhile.
    pub const FETCHING: Self =
        Self { writer: 36, collector: 14, client: 16, change: 12, events: 250, ..Self::COLLECTING };

    /// Reads an event.
    pub fn event(&self, number: u32) -> Event {
        let [kind, which, more, odd] = number.to_le_bytes();
        let which = usize::from(which);
        let kinds = [
            self.writer,
            self.collector,
            self.replica,
            self.client,
            self.change,
            self.advance,
            self.crash,
            self.land,
            self.renew,
        ];
        let mut rest = u32::from(kind) * kinds.iter().sum::<u32>() / 256;
        let mut kind = 0;
        while rest >= kinds[kind] {
            rest -= kinds[kind];
            kind += 1;
        }
        let (project, content) = (usize::from(more) % PROJECTS, odd % 3);
        match kind {
            0..=3 => {
                let actor = [Actor::Writer, Actor::Collector, Actor::Replica, Actor::Client][kind];
                let steps = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 60, 60, 60, 60, 60]
                    [usize::from(more) % 16];
                let fault = match u32::from(255 - odd) {
                    unlikely if unlikely >= self.faults => Fault::None,
                    fault => {
                        [Fault::Refused, Fault::Lost, Fault::Late, Fault::Twice][fault as usize % 4]
                    }
                };
                Event::Run { actor, which, steps, fault }
            }
            4 if more >= 128 => Event::Upload { project, content, writer: which },
            4 => Event::Change { project, content },
            5 => Event::Advance([1, 3, HALF / 2, HALF + 1, GRACE, GRACE + 1][which % 6]),
            6 => Event::Crash {
                actor: [Actor::Writer, Actor::Collector, Actor::Replica][usize::from(more) % 3],
                which,
            },
            7 => Event::Land(which),
            _ => {
                let what =
                    [Renewal::Timestamp, Renewal::Bin(0), Renewal::Bin(1)][usize::from(more) % 3];
                Event::Renew { writer: which, what }
            }
        }
    }
}
