//! A writer: reads the base and looks at the upstream, writes and commits a draft, makes it visible.

mod base;
mod draft;
mod show;

use super::world::{BINS, Bin, Commit, Cursor, Name, PROJECTS, Snapshot, World};

/// Where a writer stands: the operation that it does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Idle,
    AskSerials,
    ListCommits,
    /// One of the commits that are new to it, up to the newest.
    ReadCommit {
        number: u32,
        newest: u32,
    },
    ReadSnapshot,
    ReadBin(usize),
    Look(usize),
    PutCursorEarly,
    WritePage(usize),
    WriteBin(usize, u32),
    WriteSnapshot(u32),
    Commit,
    ReadBack,
    /// Only with the rule on orphans off.
    DeleteOwn,
    ListTimestamps,
    ReadTimestamp(u32),
    ListNewest,
    ReadNewest(u32),
    CreateTimestamp,
    PutCursor,
}

/// What is to be signed again, without any change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    Bin(usize),
    Timestamp,
}

/// What a writer is about to commit.
#[derive(Debug, Clone, Copy)]
pub struct Draft {
    pub number: u32,
    pub nonce: usize,
    pub touched: u8,
    pub changed: [bool; BINS],
    pub bins: [Bin; BINS],
    pub snapshot: Snapshot,
    pub version: u32,
    /// Whether a create of the commit was left without an answer.
    pub unsure: bool,
}

/// A writer's memory.
#[derive(Debug, Clone)]
pub struct Writer {
    pub at: At,
    /// Who waits for a publication: a project, and the state of it that must be seen.
    pub asked: Vec<(usize, usize)>,
    pub renewal: Option<Renewal>,
    pub cursor: Cursor,
    due: u8,
    pub looks: [Option<usize>; PROJECTS],
    /// What the commits up to this one touched was heeded.
    known: u32,
    base: Commit,
    pub snapshot: Snapshot,
    bins: [Bin; BINS],
    pub draft: Draft,
    /// The names that it created for its draft.
    made: Vec<Name>,
    /// The commit, number and nonce, that must be visible before anything is reported.
    pub goal: (u32, usize),
    /// For `writer_show`: the highest timestamp listed, and the newest commit.
    pub top: u32,
    pub newest: Commit,
}

const NO_COMMIT: Commit = Commit { number: 0, snapshot: 0, hash: 0, nonce: 0, touched: 0, id: 0 };
const NO_SNAPSHOT: Snapshot = Snapshot { id: 0, bins: [0; BINS], meant: [0; BINS] };
const NO_BIN: Bin = Bin { id: 0, pages: [None; PROJECTS], states: [0; PROJECTS] };
const NO_DRAFT: Draft = Draft {
    number: 0,
    nonce: 0,
    touched: 0,
    changed: [false; BINS],
    bins: [NO_BIN; BINS],
    snapshot: NO_SNAPSHOT,
    version: 0,
    unsure: false,
};

impl Writer {
    /// A writer that has just started, and remembers nothing.
    pub fn new() -> Self {
        Self {
            at: At::Idle,
            asked: Vec::new(),
            renewal: None,
            cursor: Cursor { states: [0; PROJECTS], commit: 0 },
            due: 0,
            looks: [None; PROJECTS],
            known: 0,
            base: NO_COMMIT,
            snapshot: NO_SNAPSHOT,
            bins: [NO_BIN; BINS],
            draft: NO_DRAFT,
            made: Vec::new(),
            goal: (0, 0),
            top: 0,
            newest: NO_COMMIT,
        }
    }

    /// Does one operation. Where no answer came it stays where it is, and tries again.
    pub fn step(&mut self, world: &mut World) {
        let next = match self.at {
            At::Idle => self.read_cursor(world),
            At::AskSerials => self.ask_serials(world),
            At::ListCommits => self.list_commits(world),
            At::ReadCommit { number, newest } => self.read_commit(world, number, newest),
            At::ReadSnapshot => self.read_snapshot(world),
            At::ReadBin(bin) => self.read_bin(world, bin),
            At::Look(project) => self.look(world, project),
            At::PutCursorEarly => Ok(self.put_cursor_early(world)),
            At::WritePage(project) => Ok(self.write_page(world, project)),
            At::WriteBin(bin, version) => Ok(self.write_bin(world, bin, version)),
            At::WriteSnapshot(version) => Ok(self.write_snapshot(world, version)),
            At::Commit => Ok(self.commit(world)),
            At::ReadBack => self.read_back(world),
            At::DeleteOwn => Ok(self.delete_own(world)),
            At::ListTimestamps => self.list_timestamps(world),
            At::ReadTimestamp(number) => self.read_timestamp(world, number),
            At::ListNewest => self.list_newest(world),
            At::ReadNewest(number) => self.read_newest(world, number),
            At::CreateTimestamp => Ok(self.create_timestamp(world)),
            At::PutCursor => Ok(self.put_cursor(world)),
        };
        self.at = next.unwrap_or(self.at);
    }

    /// The cursor that is true once `commit` is visible.
    pub fn seen(&self, commit: u32) -> Cursor {
        let states = std::array::from_fn(|project| {
            self.looks[project].unwrap_or(self.cursor.states[project])
        });
        Cursor { states, commit }
    }
}

fn commit_name(world: &World, number: u32) -> Name {
    if world.rules.commit_object { Name::Journal(number) } else { Name::Timestamp(number) }
}
