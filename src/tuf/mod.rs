//! The Update Framework: roles, canonical JSON, keys, bins, verification. Pure: no I/O, no clock.

pub mod bins;
pub mod canonical;
mod delegation;
pub mod digest;
mod distrust;
mod envelope;
mod expiry;
pub mod fields;
mod hashing;
mod key;
mod path;
mod role;
mod strict;
pub mod workflow;

pub use bins::SuccinctRoles;
pub use delegation::Delegate;
pub use digest::{Digest, DigestError};
pub use distrust::{Distrust, Flaw};
pub use envelope::{Authority, MetadataError, Signed};
pub use expiry::Expiry;
pub use hashing::Checking;
pub use key::{Key, KeyError, KeyId, PublicKey, Signature};
pub use path::{PathError, TargetPath};
pub use role::{
    DelegatedRole, Delegations, MetaFile, Retired, Role, RoleKeys, Root, RootType, SPEC_VERSION,
    Snapshot, SnapshotType, TargetFile, Targets, TargetsType, Timestamp, TimestampType,
};
