//! Why a new version is refused: one sentence for each reason.

use std::fmt::{self, Write as _};

use crate::tuf::{Expiry, KeyId};

/// How many digits of a key id tell it apart.
const DIGITS: usize = 16;

/// Why a new root, targets or bins is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too few signed.
    #[error(
        "{role} {version} is signed by {found} of the {needed} keys that {by} asks for: more holders must sign it"
    )]
    Threshold {
        /// The role.
        role: &'static str,
        /// Its version.
        version: u64,
        /// Whose keys these are.
        by: String,
        /// Different keys that signed.
        found: u64,
        /// The threshold.
        needed: u64,
    },
    /// Two signatures under one key id.
    #[error(
        "key {} signed {role} twice: each key signs once; take one of the two signatures out",
        shown(keyid)
    )]
    SignedTwice {
        /// The role.
        role: &'static str,
        /// The key.
        keyid: KeyId,
    },
    /// Two signatures by one key under two ids.
    #[error(
        "one key signed {role} twice, under the ids {} and {}: each key signs once; take one of the two signatures out",
        shown(first),
        shown(second)
    )]
    OneKeySignedTwice {
        /// The role.
        role: &'static str,
        /// One id.
        first: KeyId,
        /// The other.
        second: KeyId,
    },
    /// A signature of a key that may not sign, or may no longer.
    #[error(
        "{role} is signed by key {}, which may not sign it: it was removed or never stood there; take its signature out",
        shown(keyid)
    )]
    MayNotSign {
        /// The role.
        role: &'static str,
        /// The key.
        keyid: KeyId,
    },
    /// A signature that does not verify.
    #[error(
        "the signature of key {} on {role} does not verify: what it signed was changed afterwards, or it is damaged; sign again",
        shown(keyid)
    )]
    BadSignature {
        /// The role.
        role: &'static str,
        /// The key.
        keyid: KeyId,
    },
    /// A version was left out.
    #[error(
        "version {found} of {role} leaves out a version: the next one is {expected}; draft it on the newest"
    )]
    Gap {
        /// The role.
        role: &'static str,
        /// The draft's version.
        found: u64,
        /// What it must be.
        expected: u64,
    },
    /// The version is older than the current one.
    #[error(
        "version {found} of {role} is older than the current version {current}: draft it on the newest"
    )]
    Older {
        /// The role.
        role: &'static str,
        /// The draft's version.
        found: u64,
        /// The current one.
        current: u64,
    },
    /// The version is the current one's.
    #[error("there is a version {found} of {role} already: draft a new one on it")]
    Same {
        /// The role.
        role: &'static str,
        /// The version.
        found: u64,
    },
    /// A later version was given alone.
    #[error(
        "version {found} of {role} is judged beside the version before it, which was not given: name it with --from"
    )]
    NotFirst {
        /// The role.
        role: &'static str,
        /// The version.
        found: u64,
    },
    /// The draft has expired.
    #[error("{role} {version} expired at {expires}: draft it anew")]
    Expired {
        /// The role.
        role: &'static str,
        /// Its version.
        version: u64,
        /// When.
        expires: Expiry,
    },
    /// No loaded key may sign an online role.
    #[error(
        "this {role} locks out every online key: none of those that are loaded may sign {signs}; name a loaded key, or load the one that it names"
    )]
    LockedOut {
        /// root or bins.
        role: &'static str,
        /// What could not be signed.
        signs: &'static str,
    },
    /// Some loaded keys may sign, but too few.
    #[error(
        "this {role} needs {needed} online keys for {signs}, of which {found} are loaded: load the others too"
    )]
    TooFewOnline {
        /// root or bins.
        role: &'static str,
        /// What could not be signed.
        signs: &'static str,
        /// Loaded keys that may.
        found: u64,
        /// The threshold.
        needed: u64,
    },
    /// Root without consistent snapshots.
    #[error(
        "this root has consistent_snapshot false: this repository's files lie under their versions and hashes; set it to true"
    )]
    NotConsistent,
    /// Root or targets lacks a role.
    #[error("this {role} says of no key that it may sign {missing}: clients need that role")]
    MissingRole {
        /// root or targets.
        role: &'static str,
        /// What is missing.
        missing: String,
    },
    /// More keys must sign than there are, or none.
    #[error(
        "{name:?} asks for {threshold} signatures and has {keys} keys: a threshold is at least 1 and at most the number of keys"
    )]
    Unreachable {
        /// The role that would be signed.
        name: String,
        /// The threshold.
        threshold: u64,
        /// Different keys.
        keys: u64,
    },
    /// A key id without a key.
    #[error("{name:?} names the key {}, which is not defined in the file", shown(keyid))]
    UndefinedKey {
        /// The role that would be signed.
        name: String,
        /// The key.
        keyid: KeyId,
    },
    /// A key stands twice in a role.
    #[error(
        "{name:?} has one key twice, as {} and {}: it would count once",
        shown(first),
        shown(second)
    )]
    KeyTwice {
        /// The role that would be signed.
        name: String,
        /// One id.
        first: KeyId,
        /// The other, perhaps the same.
        second: KeyId,
    },
    /// A key that cannot verify anything.
    #[error("key {} of {name:?} cannot be used: {why}", shown(keyid))]
    UnusableKey {
        /// The role that would be signed.
        name: String,
        /// The key.
        keyid: KeyId,
        /// Why.
        why: String,
    },
    /// A key under an id that is not its own.
    #[error(
        "{} is not the id of the key that stands under it, whose id is {}: somebody may pass it off as another",
        shown(keyid),
        shown(real)
    )]
    Misnamed {
        /// As the file has it.
        keyid: KeyId,
        /// Its own.
        real: KeyId,
    },
    /// targets does not look like one, or bins.
    #[error("this file is no {role} of this repository: {why}")]
    NotThatRole {
        /// targets or bins.
        role: &'static str,
        /// What is wrong.
        why: String,
    },
    /// `bins` is not delegated to, or not everything.
    #[error(
        "this targets does not trust bins with all of simple/*/* and files/*/*: clients would find nothing there any more"
    )]
    NotCovered,
    /// A delegated role's name cannot be.
    #[error("no delegated role can be called {name:?}: {why}")]
    BadName {
        /// The name.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// A delegation that hides the bins.
    #[error(
        "the delegation {name:?} is terminating, stands before bins and takes all of {pattern}: it would hide the bins from every client"
    )]
    Hidden {
        /// The delegated role.
        name: String,
        /// What it takes.
        pattern: &'static str,
    },
    /// Targets outside of the bins.
    #[error(
        "this {role} lists {count} targets itself, such as {example:?}: clients would take them before those in the bins"
    )]
    OwnTargets {
        /// targets or bins.
        role: &'static str,
        /// How many.
        count: usize,
        /// One.
        example: String,
    },
    /// The number of bins cannot be.
    #[error(
        "bins with a bit length of {0} cannot be: there are 2 to 16384 bins, which is 1 to 14 bits"
    )]
    BinCount(u32),
    /// Another number of bins under the same prefix.
    #[error(
        "this bins has {found} bins called {prefix}-…, and the repository has {current} of that name: it was drafted on another repository's bins, or it needs a new prefix"
    )]
    OtherBins {
        /// The prefix.
        prefix: String,
        /// The draft's.
        found: u64,
        /// The repository's.
        current: u64,
    },
}

/// A key id as people compare it: its first digits, with nothing in it that a terminal would act on.
pub fn shown(keyid: &KeyId) -> impl fmt::Display + '_ {
    struct Shown<'a>(&'a str);
    impl fmt::Display for Shown<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let safe = |c: &char| c.is_ascii_graphic();
            self.0.chars().take(DIGITS).try_for_each(|c| {
                f.write_char(if safe(&c) { c } else { char::REPLACEMENT_CHARACTER })
            })
        }
    }
    Shown(&keyid.0)
}
