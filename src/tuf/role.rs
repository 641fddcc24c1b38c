//! The roles (TUF specification, sections 4.3 to 4.6).

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::fields::{Field, open_struct};
use super::{Digest, Expiry, Key, KeyId, SuccinctRoles, TargetPath};

/// The version of the specification that is written.
pub const SPEC_VERSION: &str = "1.0.31";

/// What all roles have.
pub trait Role: Serialize + DeserializeOwned + Clone {
    /// The value of `_type`.
    const TYPE: &'static str;
    /// The version number.
    fn version(&self) -> u64;
    /// When it expires.
    fn expires(&self) -> Expiry;
    /// The version of the specification that it was written for.
    fn spec_version(&self) -> &str;
}

macro_rules! role {
    ($role:ident, $tag:ident, $name:literal) => {
        #[doc = concat!("The `_type` of [`", stringify!($role), "`].")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $tag;

        impl Serialize for $tag {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str($name)
            }
        }

        impl<'de> Deserialize<'de> for $tag {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                if text == $name {
                    Ok(Self)
                } else {
                    Err(D::Error::custom(format!("it is {text:?}, expected {:?}", $name)))
                }
            }
        }

        impl Field for $tag {}

        impl Role for $role {
            const TYPE: &'static str = $name;
            fn version(&self) -> u64 {
                self.version
            }
            fn expires(&self) -> Expiry {
                self.expires
            }
            fn spec_version(&self) -> &str {
                &self.spec_version
            }
        }
    };
}

role!(Root, RootType, "root");
role!(Timestamp, TimestampType, "timestamp");
role!(Snapshot, SnapshotType, "snapshot");
role!(Targets, TargetsType, "targets");

open_struct! {
    /// Keys and threshold of a role.
    pub struct RoleKeys {
        /// The keys that may sign.
        "keyids" => keyids: Vec<KeyId>,
        /// How many of them must.
        "threshold" => threshold: u64,
    }
}

open_struct! {
    /// root: which keys each top-level role is trusted with (section 4.3).
    pub struct Root {
        /// `root`.
        "_type" => kind: RootType,
        /// Whether metadata and targets are served under versions and hashes; optional in old metadata.
        "consistent_snapshot" => consistent_snapshot: bool = false,
        /// When it expires.
        "expires" => expires: Expiry,
        /// All keys.
        "keys" => keys: BTreeMap<KeyId, Key>,
        /// Top-level role to its keys.
        "roles" => roles: BTreeMap<String, RoleKeys>,
        /// [`SPEC_VERSION`].
        "spec_version" => spec_version: String,
        /// Version, from 1.
        "version" => version: u64,
    }
}

open_struct! {
    /// What a timestamp or snapshot says of another metadata file.
    pub struct MetaFile {
        /// Algorithm to hex digest.
        "hashes" => hashes: Option<BTreeMap<String, String>>,
        /// Bytes.
        "length" => length: Option<u64>,
        /// Version.
        "version" => version: u64,
    }
}

impl MetaFile {
    /// An entry with a version alone.
    pub fn version(version: u64) -> Self {
        Self { hashes: None, length: None, version, extra: BTreeMap::new() }
    }
}

open_struct! {
    /// timestamp: which snapshot is the newest (section 4.6).
    pub struct Timestamp {
        /// `timestamp`.
        "_type" => kind: TimestampType,
        /// Our own: when it was signed.
        "at" => at: Option<Expiry>,
        /// Our own: the commit that this publication shows.
        "commit" => commit: Option<u64>,
        /// When it expires.
        "expires" => expires: Expiry,
        /// One entry, `snapshot.json`.
        "meta" => meta: BTreeMap<String, MetaFile>,
        /// [`SPEC_VERSION`].
        "spec_version" => spec_version: String,
        /// Version.
        "version" => version: u64,
    }
}

open_struct! {
    /// snapshot: the version of every targets role (section 4.4).
    pub struct Snapshot {
        /// `snapshot`.
        "_type" => kind: SnapshotType,
        /// Our own: the commit that this snapshot was written for.
        "commit" => commit: Option<u64>,
        /// When it expires.
        "expires" => expires: Expiry,
        /// `<role>.json` to its version.
        "meta" => meta: BTreeMap<String, MetaFile>,
        /// [`SPEC_VERSION`].
        "spec_version" => spec_version: String,
        /// Version.
        "version" => version: u64,
    }
}

open_struct! {
    /// targets and every delegated role (section 4.5).
    pub struct Targets {
        /// `targets`.
        "_type" => kind: TargetsType,
        /// Our own: the name of the bin that this is. One key signs all bins, so that a signature does not tell one from another.
        "bin" => bin: Option<String>,
        /// Our own: what an operator withdrew, by project path (`simple/<project>`): file names, or `*` for all.
        "blocked" => blocked: Option<BTreeMap<String, Vec<String>>>,
        /// Whom this role trusts with what.
        "delegations" => delegations: Option<Delegations>,
        /// When it expires.
        "expires" => expires: Expiry,
        /// Our own: file names that were signed once, so that they keep their bytes.
        "retired" => retired: Option<BTreeMap<TargetPath, Retired>>,
        /// [`SPEC_VERSION`].
        "spec_version" => spec_version: String,
        /// The targets. A foreign repository may hold any path.
        "targets" => targets: BTreeMap<String, TargetFile>,
        /// Version.
        "version" => version: u64,
    }
}

open_struct! {
    /// A file name that was withdrawn, with what it stood for.
    pub struct Retired {
        /// SHA-256 of its core metadata, where that was pinned.
        "core-metadata" => core_metadata: Option<Digest>,
        /// SHA-256 of the file.
        "sha256" => sha256: Digest,
    }
}

open_struct! {
    /// One target.
    pub struct TargetFile {
        /// Whatever the repository adds.
        "custom" => custom: Option<BTreeMap<String, serde_json::Value>>,
        /// Algorithm to hex digest.
        "hashes" => hashes: BTreeMap<String, String>,
        /// Bytes.
        "length" => length: u64,
    }
}

open_struct! {
    /// Whom a targets role trusts with what: a list of roles, or bins; never both.
    pub struct Delegations {
        /// Keys of the delegated roles.
        "keys" => keys: BTreeMap<KeyId, Key>,
        /// Roles in the order of their priority.
        "roles" => roles: Option<Vec<DelegatedRole>>,
        /// Bins by the hash of the target path (TAP 15).
        "succinct_roles" => succinct_roles: Option<SuccinctRoles>,
    }
}

open_struct! {
    /// One explicitly delegated role.
    pub struct DelegatedRole {
        /// The keys that may sign.
        "keyids" => keyids: Vec<KeyId>,
        /// The role's name.
        "name" => name: String,
        /// Prefixes of the hex SHA-256 of the paths it is trusted with.
        "path_hash_prefixes" => path_hash_prefixes: Option<Vec<String>>,
        /// Patterns of the paths it is trusted with.
        "paths" => paths: Option<Vec<String>>,
        /// Whether the search ends here.
        "terminating" => terminating: bool,
        /// How many keys must sign.
        "threshold" => threshold: u64,
    }
}

impl Field for Digest {}

impl TargetFile {
    /// A target of `length` bytes with one SHA-256; `commit` names the commit that its object was written for.
    pub fn new(digest: Digest, length: u64, commit: Option<u64>) -> Self {
        Self {
            custom: commit.map(|n| [("commit".to_owned(), n.into())].into()),
            hashes: [("sha256".to_owned(), digest.to_string())].into(),
            length,
            extra: BTreeMap::new(),
        }
    }

    /// Its SHA-256.
    pub fn sha256(&self) -> Option<Digest> {
        self.hashes.get("sha256")?.parse().ok()
    }

    /// The commit that its object was written for.
    pub fn commit(&self) -> Option<u64> {
        self.custom.as_ref()?.get("commit")?.as_u64()
    }
}

impl Targets {
    /// A role with nothing in it.
    pub fn empty(version: u64, expires: Expiry) -> Self {
        Self {
            kind: TargetsType,
            bin: None,
            blocked: None,
            delegations: None,
            expires,
            retired: None,
            spec_version: SPEC_VERSION.into(),
            targets: BTreeMap::new(),
            version,
            extra: BTreeMap::new(),
        }
    }
}
