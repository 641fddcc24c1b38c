//! Whether a new root, targets or bins may take the place of the current one. Pure: no I/O, and the time is an argument.
//!
//! What holders review, sign and publish goes through the same checks. A [`Report`] says all that is wrong and who has
//! signed; [`Report::finish`] turns it into the one answer that publishing needs.

mod bins;
mod keys;
mod online;
mod refusal;
mod root;
mod signatures;
mod targets;
mod version;

#[cfg(test)]
pub(in crate::ceremony) mod testing;
#[cfg(test)]
mod tests;

pub(super) use bins::{bad_prefix, succinct_of};
pub use bins::{bins, bins_report, fits};
pub use online::{bins_online, root_online};
pub use refusal::{Refusal, shown};
pub use root::{root, root_report};
pub(super) use signatures::is_place;
pub use signatures::{By, Standing};
pub(super) use targets::{ALL, bad_name};
pub use targets::{covers, targets, targets_report};
pub use version::Next;

/// What was found: all that forbids it, and who has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What is wrong, but for signatures that are still missing.
    pub faults: Vec<Refusal>,
    /// One for each that must agree: for root the old root's holders and the new one's.
    pub standings: Vec<Standing>,
}

/// What passed every check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Who signed, for each that must agree.
    pub standings: Vec<Standing>,
}

impl Report {
    /// Whether enough have signed.
    pub fn is_signed(&self) -> bool {
        self.standings.iter().all(Standing::reached)
    }

    /// The answer for publishing.
    ///
    /// # Errors
    /// The first [`Refusal`]: what is wrong, else a threshold that is not reached.
    pub fn finish(self) -> Result<Checked, Refusal> {
        if let Some(fault) = self.faults.into_iter().next() {
            return Err(fault);
        }
        match self.standings.iter().find(|standing| !standing.reached()) {
            None => Ok(Checked { standings: self.standings }),
            Some(standing) => Err(standing.refusal()),
        }
    }
}
