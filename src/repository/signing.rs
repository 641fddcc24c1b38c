//! What every signing needs: which keys may, until when, and within which size; and the timestamp, which shows a commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use crate::config::ValidityConfig;
use crate::signer::{self, Signer};
use crate::store::{Created, Durable, Store, layout};
use crate::tuf::{Expiry, KeyId, MetaFile, SPEC_VERSION, TimestampType};

use super::published::{Base, Published};
use super::{Document, RepositoryError};

/// Writes the next timestamp after version `newest`, which shows `base`.
pub(super) async fn write_timestamp(
    store: &Store,
    signers: &[Arc<dyn Signer>],
    validity: &ValidityConfig,
    base: &Base,
    newest: u64,
    now: Timestamp,
) -> Result<Published, RepositoryError> {
    let document = &base.snapshot_document;
    let mut timestamp = crate::tuf::Timestamp {
        kind: TimestampType,
        commit: Some(base.commit),
        expires: expiry("timestamp", validity.timestamp, now)?,
        meta: BTreeMap::from([(
            "snapshot.json".to_owned(),
            MetaFile {
                hashes: Some([("sha256".to_owned(), document.digest.to_string())].into()),
                length: Some(document.bytes.len() as u64),
                version: base.snapshot.signed.version,
                extra: BTreeMap::new(),
            },
        )]),
        spec_version: SPEC_VERSION.into(),
        version: newest,
        extra: BTreeMap::new(),
    };
    let signers = authorized(signers, "timestamp", top_level(base, "timestamp"))?;
    loop {
        timestamp.version += 1;
        let signed = signer::sign(timestamp.clone(), &signers).await?;
        let root = &base.root.signed;
        root.verify("timestamp", &signed).map_err(RepositoryError::metadata("timestamp"))?;
        let bytes = Bytes::from(signed.to_bytes()?);
        let name = layout::timestamp(timestamp.version);
        if store.create(&name, bytes.clone(), Durable::Now).await? == Created::New {
            return Ok(Published {
                base: base.clone(),
                timestamp: Arc::new(signed),
                timestamp_document: Arc::new(Document::new(bytes)),
            });
        }
    }
}

pub(super) fn top_level(base: &Base, role: &str) -> Option<Vec<KeyId>> {
    base.root.signed.roles.get(role).map(|keys| keys.keyids.clone())
}

/// Those of `signers` that may sign `role`.
pub(super) fn authorized(
    signers: &[Arc<dyn Signer>],
    role: &str,
    keyids: Option<Vec<KeyId>>,
) -> Result<Vec<Arc<dyn Signer>>, RepositoryError> {
    let keyids = keyids.unwrap_or_default();
    let may = |signer: &&Arc<dyn Signer>| keyids.contains(&signer.key().id());
    let authorized: Vec<_> = signers.iter().filter(may).cloned().collect();
    if authorized.is_empty() {
        let expected: Vec<_> = keyids.into_iter().map(|id| id.0).collect();
        let expected = expected.join(", ");
        return Err(RepositoryError::Unauthorized { role: role.into(), expected });
    }
    Ok(authorized)
}

/// When a role that is signed at `now` and valid for `validity` expires.
pub(crate) fn expiry(
    role: &str,
    validity: Duration,
    now: Timestamp,
) -> Result<Expiry, RepositoryError> {
    let expires = now.checked_add(validity).ok().map(Expiry::at);
    let expires = expires.filter(|expires| !expires.passed(now));
    expires.ok_or_else(|| RepositoryError::Expired { role: role.into() })
}

pub(super) fn within(role: &str, bytes: Vec<u8>, most: usize) -> Result<Bytes, RepositoryError> {
    if bytes.len() > most {
        return Err(RepositoryError::TooLarge { role: role.into(), bytes: bytes.len() });
    }
    Ok(bytes.into())
}

pub(crate) fn nonce() -> Result<String, RepositoryError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(signer::SignerError::Random)?;
    Ok(hex::encode(bytes))
}

pub(super) fn now() -> Timestamp {
    Timestamp::now()
}
