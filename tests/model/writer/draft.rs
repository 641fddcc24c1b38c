//! The second part: the draft, and its commit.

use crate::world::{BINS, Commit, Created, Name, NoAnswer, Object, PROJECTS, Page, World, bin_of};

use super::{At, Draft, NO_DRAFT, Renewal, Writer, commit_name};

impl Writer {
    /// Drafts the next publication, if anything differs from the base.
    pub(super) fn write(&mut self, world: &mut World) -> At {
        let number = self.base.number + 1;
        let mut draft = Draft { number, bins: self.bins, snapshot: self.snapshot, ..NO_DRAFT };
        for (project, look) in self.looks.iter().enumerate() {
            let Some(state) = look.filter(|_| self.due & 1 << project != 0) else { continue };
            let (bin, content) = (bin_of(project), world.upstream[project][state]);
            if draft.bins[bin].pages[project].map_or(0, |page| page.content) != content {
                let commit = if world.rules.page_names_commit { number } else { 0 };
                draft.bins[bin].pages[project] = (content != 0).then_some(Page { content, commit });
                draft.bins[bin].states[project] = state;
                draft.touched |= 1 << project;
                draft.changed[bin] = true;
            }
        }
        if let Some(Renewal::Bin(bin)) = self.renewal {
            draft.changed[bin] = true;
        }
        if draft.changed == [false; BINS] {
            return self.nothing_new(world);
        }
        draft.nonce = world.observer.draft(self.base.nonce);
        draft.snapshot.id = world.fresh();
        for bin in (0..BINS).filter(|bin| draft.changed[*bin]) {
            draft.bins[bin].id = world.fresh();
        }
        self.draft = draft;
        self.made.clear();
        self.page_or_bin(0)
    }

    /// What is there already may still be unseen: its writer may have died.
    pub(super) fn nothing_new(&mut self, world: &mut World) -> At {
        self.goal = (self.base.number, self.base.nonce);
        let show =
            world.rules.commit_object && (world.rules.finish_for_others || self.renewal.is_some());
        if show { self.show(world) } else { self.report(world) }
    }

    pub(super) fn page_or_bin(&self, from: usize) -> At {
        let Draft { touched, bins, .. } = &self.draft;
        let written = |project: &usize| {
            touched & 1 << project != 0 && bins[bin_of(*project)].pages[*project].is_some()
        };
        (from..PROJECTS).find(written).map_or_else(|| self.bin_or_snapshot(0), At::WritePage)
    }

    pub(super) fn bin_or_snapshot(&self, from: usize) -> At {
        let changed = (from..BINS).find(|bin| self.draft.changed[*bin]);
        changed.map_or(At::WriteSnapshot(self.base.snapshot + 1), |bin| {
            At::WriteBin(bin, self.snapshot.bins[bin] + 1)
        })
    }

    pub(super) fn write_page(&mut self, world: &mut World, project: usize) -> At {
        let Some(page) = self.draft.bins[bin_of(project)].pages[project] else {
            return self.page_or_bin(project + 1);
        };
        let name = Name::Page(project, page);
        match self.create(world, name, Object::Page) {
            Created::Yes | Created::Taken => self.page_or_bin(project + 1),
            Created::Unknown => self.at,
        }
    }

    pub(super) fn write_bin(&mut self, world: &mut World, bin: usize, version: u32) -> At {
        if self.create(world, Name::Bin(bin, version), Object::Bin(self.draft.bins[bin]))
            != Created::Yes
        {
            return At::WriteBin(bin, version + 1);
        }
        self.draft.snapshot.bins[bin] = version;
        self.draft.snapshot.meant[bin] = self.draft.bins[bin].id;
        self.bin_or_snapshot(bin + 1)
    }

    pub(super) fn write_snapshot(&mut self, world: &mut World, version: u32) -> At {
        if self.create(world, Name::Snapshot(version), Object::Snapshot(self.draft.snapshot))
            != Created::Yes
        {
            return At::WriteSnapshot(version + 1);
        }
        self.draft.version = version;
        At::Commit
    }

    pub(super) fn create(&mut self, world: &mut World, name: Name, object: Object) -> Created {
        let created = world.create(name, object);
        if created == Created::Yes {
            self.made.push(name);
        }
        created
    }

    pub(super) fn commit(&mut self, world: &mut World) -> At {
        let Draft { number, nonce, touched, snapshot, version, unsure, .. } = self.draft;
        let commit = Commit {
            number,
            snapshot: version,
            hash: snapshot.id,
            nonce,
            touched,
            id: world.fresh(),
        };
        match world.create(commit_name(world, number), Object::Commit(commit)) {
            Created::Yes => self.committed(world),
            Created::Taken if unsure && !world.rules.nonce_read_back => self.committed(world),
            Created::Taken if !world.rules.number_not_passed_over => {
                self.draft.number += 1;
                At::Commit
            }
            Created::Unknown if !world.rules.nonce_read_back => {
                self.draft.unsure = true;
                At::Commit
            }
            Created::Taken | Created::Unknown => At::ReadBack,
        }
    }

    pub(super) fn read_back(&mut self, world: &mut World) -> Result<At, NoAnswer> {
        Ok(match world.read_commit(commit_name(world, self.draft.number))? {
            None => At::Commit,
            Some((commit, _)) if commit.nonce == self.draft.nonce => self.committed(world),
            Some(_) => self.lost(world),
        })
    }

    pub(super) fn lost(&mut self, world: &World) -> At {
        // Whether it is still due is asked when the winner was read.
        self.renewal = None;
        if world.rules.orphans_left { At::ListCommits } else { At::DeleteOwn }
    }

    pub(super) fn delete_own(&mut self, world: &mut World) -> At {
        let Some(name) = self.made.pop() else { return At::ListCommits };
        world.delete(name);
        At::DeleteOwn
    }

    pub(super) fn committed(&mut self, world: &mut World) -> At {
        if matches!(self.renewal, Some(Renewal::Bin(_))) {
            self.renewal = None;
        }
        self.goal = (self.draft.number, self.draft.nonce);
        if world.rules.commit_object { self.show(world) } else { self.report(world) }
    }
}
