//! A TUF client with one long-lived state, which asks any replica, and may be slow.

use super::observer::Broken;
use super::replica::{Loaded, Replica, Ticket};
use super::world::{BINS, HALF, Name, NoAnswer, Object, PROJECTS, Stored, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Ask,
    Waiting(Ticket),
    Read { looked: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Idle,
    Timestamp(Ticket),
    Fetch(usize, Phase),
}

/// A client's memory.
#[derive(Debug, Clone)]
pub struct Client {
    at: At,
    /// Whom it asked.
    pub replica: usize,
    /// What it has to fetch: the publication that its timestamp names, and since when it has that.
    wants: Option<(Loaded, u32)>,
    /// The highest timestamp, with its id, and the snapshot and bins that it saw.
    timestamp: (u32, u32),
    snapshot: u32,
    bins: [u32; BINS],
}

impl Client {
    pub fn new() -> Self {
        Self {
            at: At::Idle,
            replica: 0,
            wants: None,
            timestamp: (0, 0),
            snapshot: 0,
            bins: [0; BINS],
        }
    }

    pub fn idle(&self) -> bool {
        self.at == At::Idle
    }

    /// The replica that it asked is gone: it asks another.
    pub fn hung_up(&mut self) {
        self.at = match self.at {
            At::Fetch(what, _) => At::Fetch(what, Phase::Ask),
            At::Idle | At::Timestamp(_) => At::Idle,
        };
    }

    /// Does one step: of the client, or of a replica that handles its request. `pick` chooses the replica.
    pub fn step(&mut self, world: &mut World, replicas: &mut [Replica], pick: usize) {
        match self.at {
            At::Idle => {
                self.replica = pick % replicas.len();
                self.at = At::Timestamp(replicas[self.replica].want_timestamp(world));
            }
            At::Timestamp(ticket) => self.timestamp(world, &mut replicas[self.replica], ticket),
            At::Fetch(what, Phase::Ask) => {
                self.replica = pick % replicas.len();
                self.ask(world, &mut replicas[self.replica], what);
            }
            At::Fetch(what, Phase::Waiting(ticket)) => {
                self.wait(world, &replicas[self.replica], what, ticket)
            }
            At::Fetch(what, Phase::Read { looked }) => {
                self.read(world, &mut replicas[self.replica], what, looked)
            }
        }
    }

    fn timestamp(&mut self, world: &mut World, replica: &mut Replica, ticket: Ticket) {
        if !replica.looked(ticket) {
            return;
        }
        let Some(newest) = replica.newest(world) else {
            self.at = At::Timestamp(replica.want_timestamp(world));
            return;
        };
        let (number, id) = self.timestamp;
        let lower = newest.snapshot.bins.iter().zip(&self.bins).any(|(new, seen)| new < seen);
        if newest.number < number || newest.named.snapshot < self.snapshot || lower {
            world.observer.breaks(Broken::ClientWentBack);
        } else if newest.number == number && newest.named.id != id {
            world.observer.breaks(Broken::ClientMisled);
        }
        self.timestamp = (newest.number, newest.named.id);
        self.snapshot = newest.named.snapshot;
        self.bins = newest.snapshot.bins;
        self.wants = Some((newest, world.now));
        self.at = At::Fetch(0, Phase::Ask);
    }

    /// The names that it fetches, one after the other.
    fn name(&self, what: usize) -> Option<Name> {
        let (wants, _) = self.wants?;
        match what {
            0 => Some(Name::Snapshot(wants.named.snapshot)),
            bin if bin <= BINS => Some(Name::Bin(bin - 1, wants.snapshot.bins[bin - 1])),
            _ => wants.page(what - BINS - 1),
        }
    }

    fn ask(&mut self, world: &World, replica: &mut Replica, what: usize) {
        let Some(name) = self.name(what) else { return self.go_on(what) };
        let known = replica.knows(world, name);
        let phase = if known || !world.rules.look_before_404 {
            Phase::Read { looked: false }
        } else {
            Phase::Waiting(replica.want())
        };
        self.at = At::Fetch(what, phase);
    }

    fn wait(&mut self, world: &mut World, replica: &Replica, what: usize, ticket: Ticket) {
        let Some(name) = self.name(what).filter(|_| replica.looked(ticket)) else { return };
        if replica.knows(world, name) {
            self.at = At::Fetch(what, Phase::Read { looked: true });
        } else {
            self.refused(world);
        }
    }

    fn read(&mut self, world: &mut World, replica: &mut Replica, what: usize, looked: bool) {
        let Some(name) = self.name(what) else { return self.go_on(what) };
        if !world.rules.look_before_404 && !replica.knows(world, name) {
            return self.refused(world);
        }
        let Ok::<_, NoAnswer>(found) = world.read(name) else { return };
        if world.rules.checked_after_read && !replica.knows(world, name) {
            if looked {
                return self.refused(world);
            }
            self.at = At::Fetch(what, Phase::Waiting(replica.want()));
            return;
        }
        match found {
            Some(found) => self.check(world, what, &found),
            None => self.refused(world),
        }
    }

    fn refused(&mut self, world: &mut World) {
        if self.wants.is_some_and(|(_, since)| world.now - since < HALF) {
            world.observer.breaks(Broken::ClientMissing);
        }
        self.at = At::Idle;
    }

    fn check(&mut self, world: &mut World, what: usize, found: &Stored) {
        let Some((wants, _)) = self.wants else { return };
        let meant = match found.object {
            Object::Snapshot(snapshot) => snapshot.id == wants.named.hash,
            Object::Bin(bin) => bin.id == wants.snapshot.meant[what - 1],
            _ => true,
        };
        if !meant {
            world.observer.breaks(Broken::ClientMisled);
        }
        self.go_on(what);
    }

    fn go_on(&mut self, what: usize) {
        let next = what + 1;
        self.at = if next > BINS + PROJECTS { At::Idle } else { At::Fetch(next, Phase::Ask) };
    }
}
