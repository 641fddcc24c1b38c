//! What the actors act on: the store, with its clock and its faults, and the upstream.

use std::collections::BTreeMap;

use super::observer::{Broken, Observer};
use super::rules::Rules;

/// The grace period, in ticks of the store's clock.
pub const GRACE: u32 = 16;
/// Half of it: how long a look may take, and how long a client has to fetch what a timestamp names.
pub const HALF: u32 = GRACE / 2;
pub const PROJECTS: usize = 3;
pub const BINS: usize = 2;

/// The bin of a project: two share the first.
pub fn bin_of(project: usize) -> usize {
    project / 2
}

/// The names in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    Journal(u32),
    Timestamp(u32),
    Snapshot(u32),
    Bin(usize, u32),
    /// `<sha256>.<commit>`; here the project and its content stand for the hash.
    Page(usize, Page),
    Cursor,
}

/// A page: its content (never 0, which is "not there"), and the commit that it was written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Page {
    pub content: u8,
    pub commit: u32,
}

/// A commit, and also a timestamp, which names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    pub number: u32,
    /// Version and hash of the snapshot.
    pub snapshot: u32,
    pub hash: u32,
    /// Of the writer's draft.
    pub nonce: usize,
    /// The projects whose entries changed, a bit each.
    pub touched: u8,
    /// Unlike that of any other object.
    pub id: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// What its hash is here.
    pub id: u32,
    /// Versions only: TUF's snapshot has no hashes of the bins.
    pub bins: [u32; BINS],
    /// Which bins were meant; seen by the observer and by the eyes of clients alone.
    pub meant: [u32; BINS],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bin {
    pub id: u32,
    pub pages: [Option<Page>; PROJECTS],
    /// Which state of the upstream each page shows; seen by the observer alone, for pages do not tell.
    pub states: [usize; PROJECTS],
}

/// Up to which state of each project the upstream was seen, and on which commit that was true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub states: [usize; PROJECTS],
    pub commit: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    Commit(Commit),
    Snapshot(Snapshot),
    Bin(Bin),
    Page,
    Cursor(Cursor),
}

/// An object with the store's date of it.
#[derive(Debug, Clone, Copy)]
pub struct Stored {
    pub object: Object,
    pub date: u32,
}

/// What goes wrong with one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// No answer, and nothing was done.
    Refused,
    /// Done, but no answer.
    Lost,
    /// No answer, and it is done later.
    Late,
    /// Done, the answer lost, and tried again below the actor, who sees the second answer.
    Twice,
}

/// The answer to a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    Yes,
    Taken,
    Unknown,
}

/// No answer came.
#[derive(Debug, Clone, Copy)]
pub struct NoAnswer;

/// The store, the upstream, and who watches over both.
pub struct World {
    pub rules: Rules,
    pub now: u32,
    pub objects: BTreeMap<Name, Stored>,
    /// Creates and deletes that are still to land.
    in_flight: Vec<(Name, Option<Object>)>,
    /// For the next operation.
    pub fault: Fault,
    /// The upstream: all contents that each project ever had, the last one being its state.
    pub upstream: [Vec<u8>; PROJECTS],
    pub observer: Observer,
    next_id: u32,
}

impl World {
    /// A store after `init`, and an upstream without projects.
    pub fn new(rules: Rules) -> Self {
        let mut world = Self {
            rules,
            now: 0,
            objects: BTreeMap::new(),
            in_flight: Vec::new(),
            fault: Fault::None,
            upstream: std::array::from_fn(|_| vec![0]),
            observer: Observer::default(),
            next_id: 0,
        };
        let nonce = world.observer.draft(0);
        let mut meant = [0; BINS];
        for (bin, meant) in meant.iter_mut().enumerate() {
            *meant = world.fresh();
            let empty = Bin { id: *meant, pages: [None; PROJECTS], states: [0; PROJECTS] };
            world.apply(Name::Bin(bin, 1), Some(Object::Bin(empty)));
        }
        let id = world.fresh();
        world.apply(
            Name::Snapshot(1),
            Some(Object::Snapshot(Snapshot { id, bins: [1; BINS], meant })),
        );
        let commit =
            Commit { number: 1, snapshot: 1, hash: id, nonce, touched: 0, id: world.fresh() };
        world.apply(Name::Journal(1), Some(Object::Commit(commit)));
        let timestamp = Commit { id: world.fresh(), ..commit };
        world.apply(Name::Timestamp(1), Some(Object::Commit(timestamp)));
        world
            .apply(Name::Cursor, Some(Object::Cursor(Cursor { states: [0; PROJECTS], commit: 1 })));
        world
    }

    /// A number never used before.
    pub fn fresh(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    /// Whether an invariant broke.
    pub fn broken(&self) -> Option<Broken> {
        self.observer.broken
    }

    /// Reads one object; `None` is "not there".
    pub fn read(&mut self, name: Name) -> Result<Option<Stored>, NoAnswer> {
        self.answered()?;
        Ok(self.objects.get(&name).copied())
    }

    /// The commit or timestamp of that name.
    pub fn read_commit(&mut self, name: Name) -> Result<Option<(Commit, u32)>, NoAnswer> {
        Ok(self.read(name)?.and_then(|stored| match stored.object {
            Object::Commit(commit) => Some((commit, stored.date)),
            _ => None,
        }))
    }

    /// The snapshot of that version, if its hash is the one expected.
    pub fn read_snapshot(&mut self, version: u32, hash: u32) -> Result<Option<Snapshot>, NoAnswer> {
        Ok(self.read(Name::Snapshot(version))?.and_then(|stored| match stored.object {
            Object::Snapshot(snapshot) if snapshot.id == hash => Some(snapshot),
            _ => None,
        }))
    }

    /// That version of a bin.
    pub fn read_bin(&mut self, bin: usize, version: u32) -> Result<Option<Bin>, NoAnswer> {
        Ok(self.read(Name::Bin(bin, version))?.and_then(|stored| match stored.object {
            Object::Bin(bin) => Some(bin),
            _ => None,
        }))
    }

    /// The same, for those who would take what they cannot read for empty, if that rule is off.
    pub fn read_bin_or_empty(&mut self, bin: usize, version: u32) -> Result<Option<Bin>, NoAnswer> {
        let read = self.read_bin(bin, version);
        if self.rules.never_read_as_empty {
            return read;
        }
        Ok(Some(read.ok().flatten().unwrap_or(Bin {
            id: 0,
            pages: [None; PROJECTS],
            states: [0; PROJECTS],
        })))
    }

    /// Lists the names from `first` to `last` with their dates.
    pub fn list(&mut self, first: Name, last: Name) -> Result<Vec<(Name, u32)>, NoAnswer> {
        self.answered()?;
        Ok(self.objects.range(first..=last).map(|(name, stored)| (*name, stored.date)).collect())
    }

    /// Lists the timestamps, lowest first.
    pub fn list_timestamps(&mut self) -> Result<Vec<(u32, u32)>, NoAnswer> {
        let listed = self.list(Name::Timestamp(0), Name::Timestamp(u32::MAX))?;
        let number = |name| if let Name::Timestamp(number) = name { number } else { 0 };
        Ok(listed.into_iter().map(|(name, date)| (number(name), date)).collect())
    }

    /// Lists a numbered kind of objects for its highest number.
    pub fn highest(&mut self, kind: fn(u32) -> Name) -> Result<u32, NoAnswer> {
        self.answered()?;
        let last = self.objects.range(kind(0)..=kind(u32::MAX)).next_back();
        Ok(last.map_or(0, |(name, _)| match *name {
            Name::Journal(number)
            | Name::Timestamp(number)
            | Name::Snapshot(number)
            | Name::Bin(_, number) => number,
            Name::Page(..) | Name::Cursor => 0,
        }))
    }

    /// Looks at a project upstream: the number of its present state.
    pub fn look(&mut self, project: usize) -> Result<usize, NoAnswer> {
        self.answered()?;
        Ok(self.upstream[project].len() - 1)
    }

    /// Asks the upstream what changed: the number of each project's present state.
    pub fn serials(&mut self) -> Result<[usize; PROJECTS], NoAnswer> {
        self.answered()?;
        Ok(std::array::from_fn(|project| self.upstream[project].len() - 1))
    }

    /// Creates an object if its name is free.
    pub fn create(&mut self, name: Name, object: Object) -> Created {
        match std::mem::replace(&mut self.fault, Fault::None) {
            Fault::None => self.apply(name, Some(object)),
            Fault::Refused => Created::Unknown,
            Fault::Lost => {
                self.apply(name, Some(object));
                Created::Unknown
            }
            Fault::Late => {
                self.in_flight.push((name, Some(object)));
                Created::Unknown
            }
            Fault::Twice => {
                self.apply(name, Some(object));
                self.apply(name, Some(object))
            }
        }
    }

    /// Deletes an object. Nobody waits for the answer.
    pub fn delete(&mut self, name: Name) {
        match std::mem::replace(&mut self.fault, Fault::None) {
            Fault::Refused => {}
            Fault::Late => self.in_flight.push((name, None)),
            Fault::None | Fault::Lost | Fault::Twice => {
                self.apply(name, None);
            }
        }
    }

    /// Overwrites the cursor, which is advice. Nobody waits for the answer.
    pub fn put_cursor(&mut self, cursor: Cursor) {
        if std::mem::replace(&mut self.fault, Fault::None) != Fault::Refused {
            self.objects
                .insert(Name::Cursor, Stored { object: Object::Cursor(cursor), date: self.now });
        }
    }

    /// Lets one of the operations in flight happen.
    pub fn land(&mut self, which: usize) {
        if !self.in_flight.is_empty() {
            let (name, object) = self.in_flight.swap_remove(which % self.in_flight.len());
            self.apply(name, object);
        }
    }

    /// How many operations are in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    fn answered(&mut self) -> Result<(), NoAnswer> {
        match std::mem::replace(&mut self.fault, Fault::None) {
            Fault::None | Fault::Twice => Ok(()),
            Fault::Refused | Fault::Lost | Fault::Late => Err(NoAnswer),
        }
    }

    fn apply(&mut self, name: Name, object: Option<Object>) -> Created {
        let Some(object) = object else {
            self.observer.deleted(name, self.now);
            self.objects.remove(&name);
            return Created::Yes;
        };
        if self.objects.contains_key(&name) {
            return Created::Taken;
        }
        self.objects.insert(name, Stored { object, date: self.now });
        if let (Name::Timestamp(number), Object::Commit(named)) = (name, object) {
            self.observer.timestamp(number, &named, &self.objects, self.now);
        }
        Created::Yes
    }
}
