//! What every signing needs: which keys may, until when, and within which size; and the timestamp, which shows a commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use crate::config::ValidityConfig;
use crate::signer::{self, Keyring, Signer};
use crate::store::{Created, Durable, Store, layout};
use crate::tuf::{Expiry, KeyId, MetaFile, SPEC_VERSION, TimestampType};

use super::published::{Base, Published};
use super::{Document, RepositoryError};

/// What signs.
pub(super) struct Online {
    /// The keys that are loaded.
    pub(super) keyring: Keyring,
    /// How long roles are valid.
    pub(super) validity: ValidityConfig,
}

/// Creates version `version` of timestamp, which shows `base`; `None` where there is one.
pub(super) async fn write_timestamp(
    store: &Store,
    online: &Online,
    base: &Base,
    version: u64,
    now: Timestamp,
) -> Result<Option<Published>, RepositoryError> {
    let document = &base.snapshot_document;
    let timestamp = crate::tuf::Timestamp {
        kind: TimestampType,
        at: Some(Expiry::at(now)),
        commit: Some(base.commit),
        expires: expiry("timestamp", online.validity.timestamp, now)?,
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
        version,
        extra: BTreeMap::new(),
    };
    let signers = authorized(&online.keyring, "timestamp", top_level(base, "timestamp"))?;
    let signed = signer::sign(timestamp, &signers).await?;
    let root = &base.root.signed;
    root.verify("timestamp", &signed).map_err(RepositoryError::metadata("timestamp"))?;
    let bytes = Bytes::from(signed.to_bytes()?);
    if store.create(&layout::timestamp(version), bytes.clone(), Durable::Now).await?
        == Created::Taken
    {
        return Ok(None);
    }
    Ok(Some(Published {
        base: base.clone(),
        timestamp: Arc::new(signed),
        timestamp_document: Arc::new(Document::new(bytes)),
    }))
}

pub(super) fn top_level(base: &Base, role: &str) -> Option<Vec<KeyId>> {
    base.root.signed.roles.get(role).map(|keys| keys.keyids.clone())
}

/// Those of `keyring` that may sign `role`.
pub(super) fn authorized(
    keyring: &Keyring,
    role: &str,
    keyids: Option<Vec<KeyId>>,
) -> Result<Vec<Arc<dyn Signer>>, RepositoryError> {
    let keyids = keyids.unwrap_or_default();
    let may = |signer: &&Arc<dyn Signer>| keyids.contains(&signer.key().id());
    let authorized: Vec<_> = keyring.signers().iter().filter(may).cloned().collect();
    if authorized.is_empty() {
        // Which one is away is not known before it is there.
        if let Some(away) = keyring.away() {
            return Err(RepositoryError::Signer(away));
        }
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
