//! A file that holders look at, with what it is judged beside.

use std::path::Path;

use jiff::Timestamp;

use super::check::{By, Next, Report, bins_report, root_report, targets_report};
use super::file::{self, FileError, Kind, Replace};
use super::holders::{self, Holders};
use crate::tuf::canonical::{self, CanonicalError};
use crate::tuf::{Authority, Key, KeyId, MetadataError, Root, Signature, Signed, Targets};

/// One file and its company.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Case {
    /// A root, and the one before it.
    Root {
        /// The current root.
        old: Option<Signed<Root>>,
        /// The file.
        new: Signed<Root>,
    },
    /// A targets.
    Targets {
        /// Says who signs targets.
        root: Option<Signed<Root>>,
        /// The current targets.
        old: Option<Signed<Targets>>,
        /// The file.
        new: Signed<Targets>,
    },
    /// A bins.
    Bins {
        /// Says who signs bins.
        targets: Option<Signed<Targets>>,
        /// The current bins.
        old: Option<Signed<Targets>>,
        /// The file.
        new: Signed<Targets>,
    },
}

/// Where the files lie.
#[derive(Debug, Clone, Copy)]
pub struct Paths<'a> {
    /// The file itself.
    pub file: &'a Path,
    /// The current version of the same role.
    pub from: Option<&'a Path>,
    /// The root.
    pub root: Option<&'a Path>,
    /// The targets; for bins alone.
    pub targets: Option<&'a Path>,
}

/// Why files cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// One of them cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The targets that says who signs bins is not the root's.
    #[error("the targets that was given does not stand under the root that was given: {0}")]
    Targets(MetadataError),
}

impl Case {
    /// Reads the files.
    ///
    /// # Errors
    /// [`CaseError`].
    pub fn read(kind: Kind, paths: Paths<'_>) -> Result<Self, CaseError> {
        let Paths { file, from, root, targets } = paths;
        let root = root.map(|path| file::read::<Root>(path, Kind::Root)).transpose()?;
        let role = |path| file::read::<Targets>(path, kind);
        Ok(match kind {
            Kind::Root => {
                let old = from.map(|path| file::read(path, kind)).transpose()?;
                Self::Root { old, new: file::read(file, kind)? }
            }
            Kind::Targets => {
                Self::Targets { root, old: from.map(role).transpose()?, new: role(file)? }
            }
            Kind::Bins => {
                let above = |path| file::read::<Targets>(path, Kind::Targets);
                let targets = targets.map(above).transpose()?;
                if let (Some(root), Some(targets)) = (&root, &targets) {
                    root.signed.verify("targets", targets).map_err(CaseError::Targets)?;
                }
                Self::Bins { targets, old: from.map(role).transpose()?, new: role(file)? }
            }
        })
    }

    /// Writes the file, with the signatures that it has now.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        match self {
            Self::Root { new, .. } => file::write(path, self.kind(), new, Replace::Yes),
            Self::Targets { new, .. } | Self::Bins { new, .. } => {
                file::write(path, self.kind(), new, Replace::Yes)
            }
        }
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Root { .. } => Kind::Root,
            Self::Targets { .. } => Kind::Targets,
            Self::Bins { .. } => Kind::Bins,
        }
    }

    /// Its version, and the one that it is judged beside.
    pub fn versions(&self) -> (u64, Option<u64>) {
        match self {
            Self::Root { old, new } => {
                (new.signed.version, old.as_ref().map(|old| old.signed.version))
            }
            Self::Targets { old, new, .. } | Self::Bins { old, new, .. } => {
                (new.signed.version, old.as_ref().map(|old| old.signed.version))
            }
        }
    }

    /// All that the checks say.
    pub fn report(&self, now: Timestamp) -> Report {
        // Of targets and bins only the store knows which number is the next.
        match self {
            Self::Root { old, new } => root_report(old.as_ref().map(|old| &old.signed), new, now),
            Self::Targets { root, old, new } => targets_report(
                root.as_ref().map(|root| &root.signed),
                old.as_ref().map(|old| &old.signed),
                new,
                Next::Later,
                now,
            ),
            Self::Bins { targets, old, new } => bins_report(
                targets.as_ref().map(|targets| &targets.signed),
                old.as_ref().map(|old| &old.signed),
                new,
                Next::Later,
                now,
            ),
        }
    }

    /// Whose keys may sign it, as far as the files tell.
    pub fn authorities(&self) -> Vec<(By, Authority<'_>)> {
        let of_root = |root: &'_ Root, by: fn(u64) -> By| (by(root.version), "root");
        match self {
            Self::Root { old, new } => {
                let before = old.iter().map(|old| (&old.signed, of_root(&old.signed, By::OldRoot)));
                let itself = (&new.signed, of_root(&new.signed, By::NewRoot));
                before
                    .chain([itself])
                    .filter_map(|(root, (by, role))| Some((by, root.authority(role)?)))
                    .collect()
            }
            Self::Targets { root, .. } => {
                let root = root.iter().map(|root| &root.signed);
                root.filter_map(|root| Some((By::Root(root.version), root.authority("targets")?)))
                    .collect()
            }
            Self::Bins { targets, .. } => {
                let targets = targets.iter().map(|targets| &targets.signed);
                targets
                    .filter_map(|targets| {
                        let authority = targets.delegations.as_ref()?.authority("bins")?;
                        Some((By::Targets(targets.version), authority))
                    })
                    .collect()
            }
        }
    }

    /// Who holds which key, as all the files say; the newest has the last word.
    pub fn holders(&self) -> Holders {
        let of_root = |role: &Option<Signed<Root>>| {
            role.as_ref().map(|role| holders::of(&role.signed.extra)).unwrap_or_default()
        };
        let of_targets = |role: &Option<Signed<Targets>>| {
            role.as_ref().map(|role| holders::of(&role.signed.extra)).unwrap_or_default()
        };
        let mut all = Holders::new();
        match self {
            Self::Root { old, new } => {
                all.extend(of_root(old));
                all.extend(holders::of(&new.signed.extra));
            }
            Self::Targets { root, old, new } => {
                all.extend(of_root(root));
                all.extend(of_targets(old));
                all.extend(holders::of(&new.signed.extra));
            }
            Self::Bins { targets, .. } => all.extend(of_targets(targets)),
        }
        all
    }

    /// What is signed.
    ///
    /// # Errors
    /// [`CanonicalError`].
    pub fn message(&self) -> Result<Vec<u8>, CanonicalError> {
        match self {
            Self::Root { new, .. } => canonical::to_vec(&new.signed),
            Self::Targets { new, .. } | Self::Bins { new, .. } => canonical::to_vec(&new.signed),
        }
    }

    /// The signatures that it has.
    pub fn signatures(&self) -> &[Signature] {
        match self {
            Self::Root { new, .. } => &new.signatures,
            Self::Targets { new, .. } | Self::Bins { new, .. } => &new.signatures,
        }
    }

    pub(super) fn signatures_mut(&mut self) -> &mut Vec<Signature> {
        match self {
            Self::Root { new, .. } => &mut new.signatures,
            Self::Targets { new, .. } | Self::Bins { new, .. } => &mut new.signatures,
        }
    }

    /// The key that one of the files has under this id for signing this one.
    pub(super) fn key(&self, keyid: &KeyId) -> Option<Key> {
        let authorities = self.authorities();
        let found = authorities.iter().filter(|(_, authority)| authority.keyids.contains(keyid));
        found.filter_map(|(_, authority)| authority.keys.get(keyid)).next().cloned()
    }
}
