//! Why new versions of root, targets or bins cannot be published.

/// One sentence each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RolesError {
    /// A later one is published.
    #[error(
        "{role} {found} cannot be published: {newest} is published already; draft the next one from that"
    )]
    Older {
        /// The role.
        role: &'static str,
        /// Its version.
        found: u64,
        /// The published one.
        newest: u64,
    },
    /// Versions are missing between.
    #[error("{role} {found} cannot be published: the next one is {expected}")]
    Gap {
        /// The role.
        role: &'static str,
        /// Its version.
        found: u64,
        /// The next one.
        expected: u64,
    },
    /// Another draft of this number was first.
    #[error(
        "another {role} {found} is in the store already: give this one the next free number with `countersign {role} draft \
         --number {next}`, and have it signed again"
    )]
    Taken {
        /// The role.
        role: &'static str,
        /// Its version.
        found: u64,
        /// The next free number.
        next: u64,
    },
    /// Another draft of this root was first.
    #[error(
        "another root {0} is published already: draft the next root from that one (`countersign root current`)"
    )]
    RootTaken(u64),
    /// Signatures are missing or do not count.
    #[error("{role} {found} cannot be published: {reason}")]
    Unsigned {
        /// The role.
        role: &'static str,
        /// Its version.
        found: u64,
        /// Which do not.
        reason: String,
    },
    /// It does not say what a role of this kind must.
    #[error("{role} {found} cannot be published: {reason}")]
    Unfit {
        /// The role.
        role: &'static str,
        /// Its version.
        found: u64,
        /// What is wrong.
        reason: String,
    },
    /// The number of bins changes, and their names do not.
    #[error(
        "bins {found} makes {count} bins where there are {old}, under the same names: another number of bins needs another \
         prefix (`countersign bins draft --bins {count} --prefix …`)"
    )]
    SameNames {
        /// The version.
        found: u64,
        /// How many bins.
        count: u64,
        /// How many there are.
        old: u64,
    },
    /// Too many names: each that there ever was stays in the snapshot.
    #[error(
        "with {count} more bins the snapshot would have {bytes} bytes, and clients take {most}: draft bins with fewer of them \
         (`countersign bins draft --bins`); nothing was changed"
    )]
    Snapshot {
        /// How many names are new.
        count: u64,
        /// The bytes of the snapshot.
        bytes: usize,
        /// How many clients take.
        most: usize,
    },
    /// What is published cannot be signed again under the newest root.
    #[error(
        "root {0} does not accept what is published: publish a targets that is signed by the keys that it names \
         (`countersign targets publish`)"
    )]
    Outdated(u64),
}
