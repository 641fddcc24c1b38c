//! All actors in one world, and what a schedule makes of them.

use super::client::Client;
use super::collector::{self, Collector};
use super::observer::Broken;
use super::replica::Replica;
use super::rules::Rules;
use super::schedule::{Actor, Event};
use super::world::{GRACE, Name, PROJECTS, World};
use super::writer::{self, Renewal, Writer};

const REPLICAS: usize = 2;
const CLIENTS: usize = 2;
const COLLECTORS: usize = 2;
/// Without faults every actor comes to rest within so many steps.
const ENOUGH: usize = 400;

pub struct Simulation {
    world: World,
    writers: Vec<Writer>,
    collectors: Vec<Collector>,
    replicas: Vec<Replica>,
    clients: Vec<Client>,
}

/// Runs a schedule, then lets everything settle. The first invariant that breaks, if one does.
pub fn run(rules: Rules, writers: usize, schedule: &[Event]) -> Option<Broken> {
    let mut simulation = Simulation::new(rules, writers);
    for event in schedule {
        simulation.event(event);
        if simulation.world.broken().is_some() {
            return simulation.world.broken();
        }
    }
    simulation.settle();
    simulation.world.broken()
}

impl Simulation {
    fn new(rules: Rules, writers: usize) -> Self {
        Self {
            world: World::new(rules),
            writers: vec![Writer::new(); writers],
            collectors: vec![Collector::new(); COLLECTORS],
            replicas: vec![Replica::default(); REPLICAS],
            clients: vec![Client::new(); CLIENTS],
        }
    }

    fn event(&mut self, event: &Event) {
        match *event {
            Event::Run { actor, which, steps, fault } => {
                for left in (0..steps).rev() {
                    if left == 0 {
                        self.world.fault = fault;
                    }
                    let goes_on = self.step(actor, which);
                    if !goes_on || self.world.broken().is_some() {
                        break;
                    }
                }
                self.world.fault = super::world::Fault::None;
            }
            Event::Change { project, content } => self.change(project, content),
            Event::Upload { project, content, writer } => {
                self.change(project, content);
                let state = self.world.upstream[project].len() - 1;
                let writers = self.writers.len();
                self.writers[writer % writers].asked.push((project, state));
            }
            Event::Advance(ticks) => self.world.now += ticks,
            Event::Crash { actor, which } => self.crash(actor, which),
            Event::Land(which) => self.world.land(which),
            Event::Renew { writer, what } => {
                let writers = self.writers.len();
                self.writers[writer % writers].renewal = Some(what);
            }
        }
    }

    fn change(&mut self, project: usize, content: u8) {
        if self.world.upstream[project].last() != Some(&content) {
            self.world.upstream[project].push(content);
        }
    }

    /// One step of one actor. False once it has come to rest.
    fn step(&mut self, actor: Actor, which: usize) -> bool {
        match actor {
            Actor::Writer => {
                let writers = self.writers.len();
                let writer = &mut self.writers[which % writers];
                writer.step(&mut self.world);
                writer.at != writer::At::Idle
            }
            Actor::Collector => {
                let collector = &mut self.collectors[which % COLLECTORS];
                collector.step(&mut self.world);
                collector.at != collector::At::Idle
            }
            Actor::Replica => {
                let replica = &mut self.replicas[which % REPLICAS];
                replica.step(&mut self.world);
                replica.busy()
            }
            Actor::Client => {
                let client = &mut self.clients[which % CLIENTS];
                client.step(&mut self.world, &mut self.replicas, which / CLIENTS);
                // What it waits for gets its turn too.
                self.replicas[client.replica].step(&mut self.world);
                !client.idle()
            }
        }
    }

    fn crash(&mut self, actor: Actor, which: usize) {
        match actor {
            // Who asked it sees the connection break.
            Actor::Writer => {
                let writers = self.writers.len();
                self.writers[which % writers] = Writer::new();
            }
            Actor::Collector => self.collectors[which % COLLECTORS] = Collector::new(),
            Actor::Replica | Actor::Client => {
                let replica = which % REPLICAS;
                self.replicas[replica] = Replica::default();
                self.clients
                    .iter_mut()
                    .filter(|client| client.replica == replica)
                    .for_each(Client::hung_up);
            }
        }
    }

    /// No more faults: everybody runs until nothing is left to do.
    fn settle(&mut self) {
        while self.world.in_flight() > 0 {
            self.world.land(0);
        }
        // Who was in the middle of a round ends it, and then does a whole one.
        for round in 0.. {
            let before = self.world.objects.len();
            self.run_all(Actor::Writer, self.writers.len());
            if round > 0 && self.world.objects.len() == before || round > 2 * self.writers.len() {
                break;
            }
        }
        self.run_all(Actor::Client, CLIENTS);
        if self.world.broken().is_some() {
            return;
        }
        let upstream = std::array::from_fn::<_, PROJECTS, _>(|project| {
            self.world.upstream[project].last().copied()
        });
        let unanswered = self.writers.iter().any(|writer| !writer.asked.is_empty());
        if unanswered || self.world.observer.published().map(Some) != upstream {
            return self.world.observer.breaks(Broken::NeverPublished);
        }
        self.collect();
    }

    /// What is superseded goes, what is not stays.
    fn collect(&mut self) {
        for _ in 0..2 {
            self.world.now += GRACE + 1;
            self.event(&Event::Renew { writer: 0, what: Renewal::Bin(0) });
            self.run_all(Actor::Writer, 1);
        }
        self.world.now += GRACE + 1;
        for _ in 0..2 {
            self.run_all(Actor::Collector, COLLECTORS);
        }
        let timestamps =
            self.world.objects.range(Name::Timestamp(0)..=Name::Timestamp(u32::MAX)).count();
        if timestamps > 1 {
            self.world.observer.breaks(Broken::GarbageKept);
        }
        self.run_all(Actor::Client, CLIENTS);
    }

    fn run_all(&mut self, actor: Actor, count: usize) {
        for which in 0..count {
            let mut steps = 0;
            while self.world.broken().is_none() && self.step(actor, which) {
                steps += 1;
                if steps > ENOUGH {
                    return self.world.observer.breaks(Broken::NeverPublished);
                }
            }
        }
    }
}
