//! Garbage collection.

use super::world::{
    BINS, Bin, Commit, GRACE, Name, NoAnswer, PROJECTS, Page, Snapshot, World, bin_of,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Idle,
    ReadTimestamp,
    ReadSnapshot,
    ReadBin(usize),
    ListAgain,
    ListGarbage,
    Delete,
}

/// One pass. T* is the highest timestamp that is older than the grace period.
#[derive(Debug, Clone)]
pub struct Collector {
    pub at: At,
    /// Number and date of T*.
    star: (u32, u32),
    named: Option<Commit>,
    snapshot: Option<Snapshot>,
    pages: [Option<Page>; PROJECTS],
    garbage: Vec<Name>,
}

impl Collector {
    pub fn new() -> Self {
        Self {
            at: At::Idle,
            star: (0, 0),
            named: None,
            snapshot: None,
            pages: [None; PROJECTS],
            garbage: Vec::new(),
        }
    }

    /// Does one operation. Where no answer came the pass ends.
    pub fn step(&mut self, world: &mut World) {
        let next = match self.at {
            At::Idle => self.find_star(world),
            At::ReadTimestamp => self.read_timestamp(world),
            At::ReadSnapshot => self.read_snapshot(world),
            At::ReadBin(bin) => self.read_bin(world, bin),
            At::ListAgain => self.list_again(world),
            At::ListGarbage => self.list_garbage(world),
            At::Delete => Ok(self.delete(world)),
        };
        self.at = next.unwrap_or(At::Idle);
    }

    fn find_star(&mut self, world: &mut World) -> Result<At, NoAnswer> {
        Ok(star(world)?.map_or(At::Idle, |found| {
            self.star = found;
            At::ReadTimestamp
        }))
    }

    fn read_timestamp(&mut self, world: &mut World) -> Result<At, NoAnswer> {
        self.named = world.read_commit(Name::Timestamp(self.star.0))?.map(|(named, _)| named);
        Ok(if self.named.is_some() { At::ReadSnapshot } else { At::Idle })
    }

    fn read_snapshot(&mut self, world: &mut World) -> Result<At, NoAnswer> {
        let Some(named) = self.named else { return Ok(At::Idle) };
        self.snapshot = world.read_snapshot(named.snapshot, named.hash)?;
        Ok(if self.snapshot.is_some() { At::ReadBin(0) } else { At::Idle })
    }

    fn read_bin(&mut self, world: &mut World, index: usize) -> Result<At, NoAnswer> {
        let Some(snapshot) = self.snapshot else { return Ok(At::Idle) };
        let Some(bin) = world.read_bin_or_empty(index, snapshot.bins[index])? else {
            return Ok(At::Idle);
        };
        self.take_pages(index, &bin);
        Ok(if index + 1 < BINS {
            At::ReadBin(index + 1)
        } else if world.rules.listed_again {
            At::ListAgain
        } else {
            At::ListGarbage
        })
    }

    fn take_pages(&mut self, index: usize, bin: &Bin) {
        for project in (0..PROJECTS).filter(|project| bin_of(*project) == index) {
            self.pages[project] = bin.pages[project];
        }
    }

    fn list_again(&mut self, world: &mut World) -> Result<At, NoAnswer> {
        Ok(if star(world)? == Some(self.star) { At::ListGarbage } else { At::Idle })
    }

    fn list_garbage(&mut self, world: &mut World) -> Result<At, NoAnswer> {
        let (Some(named), Some(snapshot)) = (self.named, self.snapshot) else {
            return Ok(At::Idle);
        };
        let old = world.now.saturating_sub(GRACE);
        let rules = world.rules;
        let garbage = |(name, date): &(Name, u32)| {
            let below = match *name {
                Name::Journal(number) => return !rules.commits_kept && number < named.number,
                Name::Timestamp(number) => number < self.star.0,
                Name::Snapshot(version) => is_garbage(version, named.snapshot, rules.below_star),
                Name::Bin(bin, version) => {
                    is_garbage(version, snapshot.bins[bin], rules.below_star)
                }
                Name::Page(project, page) => {
                    let written = if rules.page_names_commit {
                        page.commit <= named.number || !rules.below_star
                    } else {
                        *date <= self.star.1
                    };
                    written && self.pages[project] != Some(page)
                }
                Name::Cursor => return false,
            };
            below && (rules.below_star || *date < old)
        };
        let listed = world.list(Name::Journal(0), Name::Cursor)?;
        self.garbage =
            listed.iter().filter(|listed| garbage(listed)).map(|(name, _)| *name).collect();
        Ok(At::Delete)
    }

    fn delete(&mut self, world: &mut World) -> At {
        let Some(name) = self.garbage.pop() else { return At::Idle };
        world.delete(name);
        At::Delete
    }
}

/// Lists the timestamps for T*. With the rule on what may be deleted off, for the newest.
fn star(world: &mut World) -> Result<Option<(u32, u32)>, NoAnswer> {
    let any = !world.rules.below_star;
    let now = if world.rules.store_clock { world.now } else { world.now + GRACE };
    let listed = world.list_timestamps()?;
    Ok(listed.into_iter().rfind(|(_, date)| any || date + GRACE < now))
}

fn is_garbage(version: u32, named: u32, below: bool) -> bool {
    if below { version < named } else { version != named }
}
