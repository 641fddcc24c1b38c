//! Why a draft cannot be made.

use super::super::check::{Refusal, shown};
use super::super::words::plain;
use crate::tuf::KeyId;

/// Why a draft cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// A name that no holder can have.
    #[error("no holder can be called {}: use up to 64 letters, digits and . _ - + @, and nothing that looks like a key id", plain(.0))]
    HolderName(String),
    /// The key is in the role already.
    #[error("key {} may sign {role} already: leave it out", shown(keyid))]
    Already {
        /// The role.
        role: String,
        /// The key.
        keyid: KeyId,
    },
    /// The key is another holder's.
    #[error(
        "key {} is held by {}, so that it cannot be added for {}: use one name for one key",
        shown(keyid),
        plain(holder),
        plain(name)
    )]
    OtherHolder {
        /// The key.
        keyid: KeyId,
        /// As the file has it.
        holder: String,
        /// As it was given.
        name: String,
    },
    /// Nobody of that name.
    #[error("{role} has no holder and no key id {}: `review` lists both", plain(who))]
    Unknown {
        /// The role.
        role: String,
        /// As it was given.
        who: String,
    },
    /// More than one key.
    #[error("{} stands for {count} keys of {role}: name the one by its key id", plain(who))]
    Ambiguous {
        /// The role.
        role: String,
        /// As it was given.
        who: String,
        /// How many.
        count: usize,
    },
    /// A first version without something that it cannot do without.
    #[error("the first version of {role} needs {flags}")]
    FirstNeeds {
        /// The role.
        role: &'static str,
        /// What was not given.
        flags: &'static str,
    },
    /// The number of bins cannot be.
    #[error("{0} bins cannot be: use a power of two from 2 to 16384")]
    BinCount(u32),
    /// A number that is not later.
    #[error(
        "version {number} of {role} would not be later than the current one, {current}: leave --number out, or give a later one"
    )]
    Number {
        /// The role.
        role: &'static str,
        /// As it was given.
        number: u64,
        /// The current one.
        current: u64,
    },
    /// No delegation of that name.
    #[error("targets delegates to nobody called {}", plain(.0))]
    NoDelegation(String),
    /// bins is no delegation like others.
    #[error("bins stays delegated: what the repository signs would not be found any more")]
    BinsStay,
    /// What the draft is made on is none of this role.
    #[error("the current version is no {0} of this repository: did you give another file?")]
    NotCurrent(&'static str),
    /// What the draft is made on is a draft itself.
    #[error(
        "the current root is not signed by enough of its own holders, so that it is a draft itself: {0}"
    )]
    DraftOfDraft(Refusal),
    /// The draft would be refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no later version.
    #[error("there is no later version of {0}")]
    LastVersion(&'static str),
}
