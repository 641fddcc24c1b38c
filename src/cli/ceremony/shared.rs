//! What the ceremonies' commands share.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::Timestamp;

use crate::ceremony::case::{Case, Paths};
use crate::ceremony::draft::{Delegation, HolderKey, RoleEdit, parse_expires};
use crate::ceremony::file::Kind;
use crate::cli::Usage;
use crate::config::ValidityConfig;
use crate::signer::{SignerError, read_public};
use crate::tuf::{Expiry, Key};

/// What a file is judged beside.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Beside {
    /// The current version of the same role: what changes, and which number is next
    #[arg(long, value_name = "CURRENT")]
    pub from: Option<PathBuf>,
    /// The root, which says who signs targets
    #[arg(long, value_name = "ROOT")]
    pub root: Option<PathBuf>,
    /// The targets, which says who signs bins
    #[arg(long, value_name = "TARGETS")]
    pub targets: Option<PathBuf>,
}

impl Beside {
    /// Reads `file` and its company.
    pub(super) fn read(&self, kind: Kind, file: &Path) -> anyhow::Result<Case> {
        let (from, root, targets) =
            (self.from.as_deref(), self.root.as_deref(), self.targets.as_deref());
        if targets.is_some() && kind != Kind::Bins {
            let role = kind.name();
            return Err(Usage(format!(
                "--targets says who signs bins, and this is {role}: leave it out"
            ))
            .into());
        }
        // The root before a root is its current version.
        let from = if kind == Kind::Root { from.or(root) } else { from };
        Ok(Case::read(kind, Paths { file, from, root, targets })?)
    }
}

/// `NAME=PUB`: a holder and the file of a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    name: String,
    public: PathBuf,
}

impl FromStr for Held {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, public)) if !name.is_empty() && !public.is_empty() => {
                Ok(Self { name: name.into(), public: public.into() })
            }
            _ => Err("write NAME=PUB: a holder's name and the file of a public key".into()),
        }
    }
}

/// `NAME=PATTERN[,PATTERN…]:PUB`: a role, what it is trusted with, and the file of its public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegate {
    name: String,
    paths: Vec<String>,
    public: PathBuf,
}

impl FromStr for Delegate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // No target path has a colon.
        let parts =
            text.split_once('=').and_then(|(name, rest)| Some((name, rest.split_once(':')?)));
        let Some((name, (patterns, public))) = parts else {
            return Err(
                "write NAME=PATTERN[,PATTERN…]:PUB, such as acme=simple/acme-*/*:acme.pub.json"
                    .into(),
            );
        };
        let paths: Vec<String> = patterns.split(',').map(str::to_owned).collect();
        if public.is_empty() || paths.iter().any(String::is_empty) {
            return Err("a pattern or the file of the public key is empty".into());
        }
        Ok(Self { name: name.into(), paths, public: public.into() })
    }
}

impl Delegate {
    pub(super) fn read(&self) -> Result<Delegation, SignerError> {
        let key = read_public(&self.public)?;
        Ok(Delegation { name: self.name.clone(), paths: self.paths.clone(), key })
    }
}

/// Reads the keys that come to a role.
pub(super) fn role_edit(
    holders: &[Held],
    remove: &[String],
    threshold: Option<u64>,
) -> Result<RoleEdit, SignerError> {
    let read =
        |held: &Held| Ok(HolderKey { name: held.name.clone(), key: read_public(&held.public)? });
    let add = holders.iter().map(read).collect::<Result<_, SignerError>>()?;
    Ok(RoleEdit { add, remove: remove.to_vec(), threshold })
}

/// Reads public keys.
pub(super) fn keys(files: &[PathBuf]) -> Result<Vec<Key>, SignerError> {
    files.iter().map(|file| read_public(file)).collect()
}

/// `--expires`, or what the role is valid for where nothing else is said.
pub(super) fn expires(given: Option<&str>, kind: Kind, now: Timestamp) -> anyhow::Result<Expiry> {
    if let Some(text) = given {
        return parse_expires(text, now).map_err(|why| Usage(format!("--expires: {why}")).into());
    }
    let validity = ValidityConfig::default();
    let validity = match kind {
        Kind::Root => validity.root,
        Kind::Targets => validity.targets,
        Kind::Bins => validity.bins,
    };
    Ok(Expiry::at(now.checked_add(validity)?))
}
