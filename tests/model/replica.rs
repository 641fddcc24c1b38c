//! A replica: it looks at the store, and answers from what it saw.

use super::world::{
    BINS, Bin, Commit, GRACE, HALF, Name, NoAnswer, PROJECTS, Snapshot, World, bin_of,
};

/// A publication that a replica has loaded.
#[derive(Debug, Clone, Copy)]
pub struct Loaded {
    /// The timestamp's number and date.
    pub number: u32,
    date: u32,
    pub named: Commit,
    pub snapshot: Snapshot,
    bins: [Bin; BINS],
}

/// What a look saw.
#[derive(Debug, Clone)]
struct View {
    look: u32,
    began: u32,
    /// Lowest first. The last one is the newest.
    loaded: Vec<Loaded>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    List,
    /// Only with the rule on listing off.
    Probe(u32),
    Timestamp,
    Snapshot,
    Bin(usize),
}

/// A look under way.
#[derive(Debug, Clone)]
struct Look {
    id: u32,
    began: u32,
    at: At,
    /// Number and date of the timestamps still to load; the last one is next.
    todo: Vec<(u32, u32)>,
    loading: Option<Loaded>,
    /// Highest first.
    loaded: Vec<Loaded>,
}

/// A replica's memory.
#[derive(Debug, Clone, Default)]
pub struct Replica {
    view: Option<View>,
    look: Option<Look>,
    /// How many looks have begun.
    begun: u32,
    wanted: bool,
}

/// A request that waits for a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u32);

impl Replica {
    /// Asks for a look that begins after this.
    pub fn want(&mut self) -> Ticket {
        self.wanted = true;
        Ticket(self.begun)
    }

    /// Asks for the timestamp: with the rule on requests off, from a look that may have begun already.
    pub fn want_timestamp(&mut self, world: &World) -> Ticket {
        if world.rules.look_after_request || self.look.is_none() {
            return self.want();
        }
        Ticket(self.begun - 1)
    }

    /// Whether the look that was asked for is done.
    pub fn looked(&self, Ticket(ticket): Ticket) -> bool {
        self.view.as_ref().is_some_and(|view| view.look > ticket)
    }

    /// The newest publication, as long as the look that saw it is young enough.
    pub fn newest(&self, world: &World) -> Option<Loaded> {
        let view = self.view.as_ref()?;
        let young = world.now - view.began <= HALF || !world.rules.slow_look_again;
        view.loaded.last().copied().filter(|_| young)
    }

    /// Whether a name belongs to the newest publication, or to one superseded less than a grace period ago.
    pub fn knows(&self, world: &World, name: Name) -> bool {
        let Some(view) = &self.view else { return false };
        if world.rules.looks_age && world.now - view.began > HALF {
            return false;
        }
        let superseded = view.loaded.iter().skip(1).map(|next| Some(next.date)).chain([None]);
        let mut live = view
            .loaded
            .iter()
            .zip(superseded)
            .filter(|(_, when)| when.is_none_or(|when| when + GRACE > world.now));
        live.any(|(loaded, _)| loaded.names(name))
    }

    /// Whether it has something to do.
    pub fn busy(&self) -> bool {
        self.wanted || self.look.is_some()
    }

    /// Does one operation of a look, if one is under way or wanted.
    pub fn step(&mut self, world: &mut World) {
        if self.look.is_none() && self.wanted {
            self.begin(world);
        }
        let Some(mut look) = self.look.take() else { return };
        match self.proceed(world, &mut look) {
            Ok(false) | Err(NoAnswer) => self.look = Some(look),
            Ok(true) if look.loaded.is_empty() => self.begin(world),
            Ok(true) => {
                look.loaded.reverse();
                self.view = Some(View { look: look.id, began: look.began, loaded: look.loaded });
            }
        }
    }

    fn begin(&mut self, world: &World) {
        self.begun += 1;
        self.wanted = false;
        let known = self.view.as_ref().and_then(|view| view.loaded.last());
        let at = known
            .filter(|_| !world.rules.look_lists)
            .map_or(At::List, |known| At::Probe(known.number + 1));
        let (todo, loaded) = (Vec::new(), Vec::new());
        self.look =
            Some(Look { id: self.begun, began: world.now, at, todo, loading: None, loaded });
    }

    /// One operation. True if the look is done; without anything loaded it must begin anew.
    fn proceed(&self, world: &mut World, look: &mut Look) -> Result<bool, NoAnswer> {
        match look.at {
            At::List => {
                look.todo = worth_loading(world.list_timestamps()?, world);
                Ok(self.next(look))
            }
            At::Probe(number) => {
                if let Some((_, date)) = world.read_commit(Name::Timestamp(number))? {
                    look.todo.push((number, date));
                    look.at = At::Probe(number + 1);
                    return Ok(false);
                }
                let known = self
                    .view
                    .iter()
                    .flat_map(|view| &view.loaded)
                    .map(|known| (known.number, known.date));
                look.todo.splice(0..0, known);
                Ok(self.next(look))
            }
            At::Timestamp => {
                let Some((number, _)) = look.todo.last().copied() else { return Ok(true) };
                let found = world.read_commit(Name::Timestamp(number))?;
                look.todo.pop();
                let Some((named, date)) = found else { return Ok(self.gone(look)) };
                let nothing = Bin { id: 0, pages: [None; PROJECTS], states: [0; PROJECTS] };
                let snapshot = Snapshot { id: 0, bins: [0; BINS], meant: [0; BINS] };
                look.loading =
                    Some(Loaded { number, date, named, snapshot, bins: [nothing; BINS] });
                look.at = At::Snapshot;
                Ok(false)
            }
            At::Snapshot => {
                let Some(loading) = &mut look.loading else { return Ok(true) };
                let found = world.read_snapshot(loading.named.snapshot, loading.named.hash)?;
                let Some(found) = found else { return Ok(self.gone(look)) };
                loading.snapshot = found;
                look.at = At::Bin(0);
                Ok(false)
            }
            At::Bin(index) => {
                let Some(loading) = &mut look.loading else { return Ok(true) };
                let found = world.read_bin(index, loading.snapshot.bins[index])?;
                let Some(found) = found else { return Ok(self.gone(look)) };
                loading.bins[index] = found;
                look.at = At::Bin(index + 1);
                if index + 1 < BINS {
                    return Ok(false);
                }
                look.loaded.extend(look.loading);
                Ok(self.next(look))
            }
        }
    }

    /// Goes on with the next timestamp that is not known yet. True if there is none.
    fn next(&self, look: &mut Look) -> bool {
        look.at = At::Timestamp;
        while let Some((number, date)) = look.todo.last() {
            let mut known = self.view.iter().flat_map(|view| &view.loaded);
            let Some(known) = known.find(|known| known.number == *number && known.date == *date)
            else {
                return false;
            };
            look.loaded.push(*known);
            look.todo.pop();
        }
        true
    }

    /// Something is not there (any more): of the newest publication the look begins anew, others are let go.
    fn gone(&self, look: &mut Look) -> bool {
        look.loaded.is_empty() || self.next(look)
    }
}

impl Loaded {
    fn names(&self, name: Name) -> bool {
        match name {
            Name::Snapshot(version) => version == self.named.snapshot,
            Name::Bin(bin, version) => version == self.snapshot.bins[bin],
            Name::Page(project, page) => self.bins[bin_of(project)].pages[project] == Some(page),
            Name::Journal(_) | Name::Timestamp(_) | Name::Cursor => false,
        }
    }

    /// The page of a project, if it has one.
    pub fn page(&self, project: usize) -> Option<Name> {
        self.bins[bin_of(project)].pages[project].map(|page| Name::Page(project, page))
    }
}

/// The timestamps from T* on, lowest first; without the rule on what was superseded, the newest alone.
fn worth_loading(listed: Vec<(u32, u32)>, world: &World) -> Vec<(u32, u32)> {
    let star = listed.iter().rposition(|(_, date)| date + GRACE < world.now).unwrap_or(0);
    let from =
        if world.rules.look_loads_superseded { star } else { listed.len().saturating_sub(1) };
    listed.into_iter().skip(from).collect()
}
