//! Who sees everything, and says which invariant broke.

use std::collections::BTreeMap;

use super::world::{
    BINS, Bin, Commit, GRACE, Name, Object, PROJECTS, Page, Snapshot, Stored, bin_of,
};

/// The invariants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// A version that the newest timestamp names is lower than one named before.
    VersionWentBack,
    /// A version was visible with two contents.
    VersionReused,
    /// The newest timestamp reaches something that is not there, or is not what was meant.
    Incomplete,
    /// Something was deleted that the newest timestamp reaches, or one superseded less than a grace period ago.
    DeletedTooEarly,
    /// What was published is not part of what is published now.
    PublicationLost,
    /// A project shows an older state of the upstream than it did before.
    ProjectWentBack,
    /// A publication was reported that nobody can see.
    ReportedUnpublished,
    /// When all has settled, what is published is not what the upstream has.
    NeverPublished,
    /// A client was given a lower version than it had seen.
    ClientWentBack,
    /// A client that had its timestamp for less than half a grace period was told that something is not there.
    ClientMissing,
    /// A client was given another content under the name of a version than the one that was meant.
    ClientMisled,
    /// When all has settled, something that is reachable by nobody is still there after the grace period.
    GarbageKept,
}

/// A timestamp that was the newest when it was created.
struct Visible {
    number: u32,
    named: Commit,
    versions: [u32; BINS],
    states: [usize; PROJECTS],
    pages: [Option<Page>; PROJECTS],
    /// By the store's clock.
    superseded: Option<u32>,
}

/// Everything that a timestamp reaches.
pub struct Reached {
    pub snapshot: Snapshot,
    pub bins: [Bin; BINS],
}

#[derive(Default)]
pub struct Observer {
    /// The first invariant that broke.
    pub broken: Option<Broken>,
    /// For each draft the draft that it was based on.
    drafts: Vec<usize>,
    visible: Vec<Visible>,
    /// What was ever visible under a versioned name.
    contents: BTreeMap<Name, u32>,
}

impl Observer {
    /// A new draft's nonce.
    pub fn draft(&mut self, base: usize) -> usize {
        self.drafts.push(base);
        self.drafts.len() - 1
    }

    /// Notes the first invariant that broke.
    pub fn breaks(&mut self, broken: Broken) {
        self.broken.get_or_insert(broken);
    }

    /// A timestamp was created.
    pub fn timestamp(
        &mut self,
        number: u32,
        named: &Commit,
        objects: &BTreeMap<Name, Stored>,
        now: u32,
    ) {
        if self.visible.last().is_some_and(|newest| number <= newest.number) {
            // Not the newest: nobody looks at it.
            return;
        }
        let Some(reached) = reach(named, objects) else { return self.breaks(Broken::Incomplete) };
        self.remember(named, &reached);
        let states = std::array::from_fn(|project| reached.bins[bin_of(project)].states[project]);
        let pages = std::array::from_fn(|project| reached.bins[bin_of(project)].pages[project]);
        let (named, versions) = (*named, reached.snapshot.bins);
        self.compare(&named, &versions, &states);
        if let Some(newest) = self.visible.last_mut() {
            newest.superseded = Some(now);
        }
        self.visible.push(Visible { number, named, versions, states, pages, superseded: None });
    }

    /// An object is about to be deleted.
    pub fn deleted(&mut self, name: Name, now: u32) {
        let held = |visible: &&Visible| visible.superseded.is_none_or(|when| when + GRACE > now);
        if self.visible.iter().rev().take_while(held).any(|visible| visible.reaches(name)) {
            self.breaks(Broken::DeletedTooEarly);
        }
    }

    /// A writer says that its publication, or the one that it found nothing to add to, is visible.
    pub fn reported(&mut self, nonce: usize) {
        if self.visible.last().is_none_or(|newest| !self.descends(newest.named.nonce, nonce)) {
            self.breaks(Broken::ReportedUnpublished);
        }
    }

    /// The contents of all projects as the newest timestamp shows them.
    pub fn published(&self) -> [u8; PROJECTS] {
        let pages = self.visible.last().map(|newest| newest.pages).unwrap_or_default();
        pages.map(|page| page.map_or(0, |page| page.content))
    }

    fn remember(&mut self, named: &Commit, reached: &Reached) {
        let bins =
            (0..BINS).map(|bin| (Name::Bin(bin, reached.snapshot.bins[bin]), reached.bins[bin].id));
        for (name, id) in bins.chain([(Name::Snapshot(named.snapshot), reached.snapshot.id)]) {
            if *self.contents.entry(name).or_insert(id) != id {
                self.broken.get_or_insert(Broken::VersionReused);
            }
        }
    }

    fn compare(&mut self, named: &Commit, versions: &[u32; BINS], states: &[usize; PROJECTS]) {
        let Some(newest) = self.visible.last() else { return };
        let lower = versions.iter().zip(&newest.versions).any(|(new, old)| new < old);
        let broken = if lower
            || named.snapshot < newest.named.snapshot
            || named.number < newest.named.number
        {
            Broken::VersionWentBack
        } else if states.iter().zip(&newest.states).any(|(new, old)| new < old) {
            Broken::ProjectWentBack
        } else if !self.descends(named.nonce, newest.named.nonce) {
            Broken::PublicationLost
        } else {
            return;
        };
        self.breaks(broken);
    }

    /// Whether a draft is built on another, or is it.
    fn descends(&self, mut draft: usize, ancestor: usize) -> bool {
        while draft > ancestor {
            draft = self.drafts[draft];
        }
        draft == ancestor
    }
}

impl Visible {
    fn reaches(&self, name: Name) -> bool {
        match name {
            Name::Timestamp(number) => number == self.number,
            Name::Snapshot(version) => version == self.named.snapshot,
            Name::Bin(bin, version) => version == self.versions[bin],
            Name::Page(project, page) => self.pages[project] == Some(page),
            Name::Journal(_) | Name::Cursor => false,
        }
    }
}

/// What a timestamp reaches, if all of it is there and is what was meant.
pub fn reach(named: &Commit, objects: &BTreeMap<Name, Stored>) -> Option<Reached> {
    let Object::Snapshot(snapshot) = objects.get(&Name::Snapshot(named.snapshot))?.object else {
        return None;
    };
    let mut bins = [Bin { id: 0, pages: [None; PROJECTS], states: [0; PROJECTS] }; BINS];
    for (index, bin) in bins.iter_mut().enumerate() {
        let Object::Bin(found) = objects.get(&Name::Bin(index, snapshot.bins[index]))?.object
        else {
            return None;
        };
        *bin = found;
    }
    let meant = snapshot.id == named.hash && bins.iter().map(|bin| bin.id).eq(snapshot.meant);
    let mut pages =
        (0..PROJECTS).filter_map(|project| Some((project, bins[bin_of(project)].pages[project]?)));
    let there = pages.all(|(project, page)| objects.contains_key(&Name::Page(project, page)));
    (meant && there).then_some(Reached { snapshot, bins })
}
