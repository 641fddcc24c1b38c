//! The first part of a publication: what is published, and what the upstream has.

use crate::world::{BINS, Name, NoAnswer, Object, PROJECTS, World};

use super::{At, Renewal, Writer, commit_name};

impl Writer {
    pub(super) fn read_cursor(&mut self, world: &mut World) -> Result<At, NoAnswer> {
        if let Some(Object::Cursor(cursor)) = world.read(Name::Cursor)?.map(|stored| stored.object)
        {
            self.cursor = cursor;
        }
        self.known = self.cursor.commit;
        self.looks = [None; PROJECTS];
        Ok(At::AskSerials)
    }

    pub(super) fn ask_serials(&mut self, world: &mut World) -> Result<At, NoAnswer> {
        let serials = world.serials()?;
        let newer =
            (0..PROJECTS).filter(|project| serials[*project] > self.cursor.states[*project]);
        let asked = self.asked.iter().map(|(project, _)| *project);
        self.due = newer.chain(asked).fold(0, |due, project| due | 1 << project);
        Ok(At::ListCommits)
    }

    pub(super) fn list_commits(&mut self, world: &mut World) -> Result<At, NoAnswer> {
        let newest = world.highest(if world.rules.commit_object {
            Name::Journal
        } else {
            Name::Timestamp
        })?;
        Ok(At::ReadCommit { number: newest.min(self.known + 1), newest })
    }

    /// Reads what is new, heeding what was touched; the newest one is the base.
    pub(super) fn read_commit(
        &mut self,
        world: &mut World,
        number: u32,
        newest: u32,
    ) -> Result<At, NoAnswer> {
        let found = world.read_commit(commit_name(world, number))?;
        if number > self.known {
            self.heed(world, found.map_or(u8::MAX, |(commit, _)| commit.touched));
        }
        if number < newest {
            return Ok(At::ReadCommit { number: number + 1, newest });
        }
        let Some((base, _)) = found else { return Ok(At::ListCommits) };
        self.known = newest;
        self.base = base;
        if self.due != 0 || matches!(self.renewal, Some(Renewal::Bin(_))) {
            return Ok(At::ReadSnapshot);
        }
        Ok(self.nothing_new(world))
    }

    /// What was seen of the projects that a commit touched may be older than that commit.
    pub(super) fn heed(&mut self, world: &World, touched: u8) {
        if world.rules.looks_after_base {
            let seen_since = |(project, look): (usize, &Option<usize>)| {
                look.filter(|_| touched & 1 << project == 0)
            };
            let looks: Vec<_> = self.looks.iter().enumerate().map(seen_since).collect();
            self.looks.copy_from_slice(&looks);
        }
        if world.rules.cursor_names_commit {
            self.due |= touched & ((1 << PROJECTS) - 1);
        }
    }

    pub(super) fn read_snapshot(&mut self, world: &mut World) -> Result<At, NoAnswer> {
        // Not there, or another: the base is old.
        let Some(found) = world.read_snapshot(self.base.snapshot, self.base.hash)? else {
            return Ok(At::ListCommits);
        };
        self.snapshot = found;
        Ok(At::ReadBin(0))
    }

    pub(super) fn read_bin(&mut self, world: &mut World, bin: usize) -> Result<At, NoAnswer> {
        if !world.rules.base_names_bins {
            let range = world.objects.range(Name::Bin(bin, 0)..=Name::Bin(bin, u32::MAX));
            if let Some((Name::Bin(_, highest), _)) = range.last() {
                self.snapshot.bins[bin] = *highest;
            }
        }
        let Some(found) = world.read_bin_or_empty(bin, self.snapshot.bins[bin])? else {
            return Ok(At::ListCommits);
        };
        self.snapshot.meant[bin] = found.id;
        self.bins[bin] = found;
        Ok(if bin + 1 < BINS { At::ReadBin(bin + 1) } else { self.look_or_write(world) })
    }

    pub(super) fn look(&mut self, world: &mut World, project: usize) -> Result<At, NoAnswer> {
        self.looks[project] = Some(world.look(project)?);
        Ok(self.look_or_write(world))
    }

    pub(super) fn look_or_write(&mut self, world: &mut World) -> At {
        let missing =
            |project: &usize| self.due & 1 << project != 0 && self.looks[*project].is_none();
        match (0..PROJECTS).find(missing) {
            Some(project) => At::Look(project),
            None if world.rules.cursor_last => self.write(world),
            None => At::PutCursorEarly,
        }
    }

    pub(super) fn put_cursor_early(&mut self, world: &mut World) -> At {
        world.put_cursor(self.seen(self.base.number));
        self.write(world)
    }
}
