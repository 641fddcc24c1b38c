//! What every signing needs: which keys may, until when, and within which size; and the timestamp, which shows a commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use crate::config::ValidityConfig;
use crate::signer::{Keyring, SignerError};
use crate::store::{Created, Durable, Store, layout};
use crate::tuf::{
    Expiry, KeyId, MetaFile, Role, SPEC_VERSION, Signature, Signed, SuccinctRoles, Targets,
    TimestampType, canonical,
};

use super::beside::Quorum;
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
    let signed = sign_top(online, base, "timestamp", timestamp).await?;
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

/// Signs `role`, the top-level role called `name`, on `base`: with all loaded keys that its root names, or that sign beside
/// those. Enough of them must be there, also for a root that is about to be published.
pub(super) async fn sign_top<R: Role>(
    online: &Online,
    base: &Base,
    name: &str,
    role: R,
) -> Result<Signed<R>, RepositoryError> {
    let root = &base.root.signed;
    let own = Quorum::of(root, name);
    enough(&online.keyring, name, &own)?;
    let awaited = base.beside.iter().flat_map(|beside| {
        beside.awaited(root).iter().map(|draft| (beside.root, draft.quorum(name)))
    });
    let awaited: Vec<_> = awaited.collect();
    for (version, quorum) in &awaited {
        enough(&online.keyring, name, quorum).map_err(|error| error.awaiting(*version))?;
    }
    let beside = base.beside.iter().flat_map(|beside| &beside.keyids);
    let keyids: BTreeSet<KeyId> = own.keyids.iter().chain(beside).cloned().collect();
    let (signed, failed) = sign_with_all(&online.keyring, &keyids, role).await?;
    let valid = signed.signatures.iter().map(|signature| signature.keyid.clone()).collect();
    let short = awaited.iter().any(|(_, quorum)| !quorum.is_met(&valid));
    if let Some(failed) = failed.filter(|_| short || !own.is_met(&valid)) {
        return Err(failed.into());
    }
    root.verify(name, &signed).map_err(RepositoryError::metadata(name))?;
    Ok(signed)
}

/// Signs `bin`, one of those that the bins role of `base` delegates to.
pub(super) async fn sign_bin(
    online: &Online,
    base: &Base,
    name: &str,
    bin: Targets,
) -> Result<Signed<Targets>, RepositoryError> {
    let SuccinctRoles { keyids, threshold, .. } = &*base.succinct;
    let own = Quorum { keyids: keyids.clone(), threshold: *threshold };
    enough(&online.keyring, name, &own)?;
    let keyids = own.keyids.iter().cloned().collect();
    let (signed, failed) = sign_with_all(&online.keyring, &keyids, bin).await?;
    let valid = signed.signatures.iter().map(|signature| signature.keyid.clone()).collect();
    if let Some(failed) = failed.filter(|_| !own.is_met(&valid)) {
        return Err(failed.into());
    }
    let delegations = base.bins.signed.delegations.as_ref();
    let none = || RepositoryError::damaged("bins", "it delegates nothing");
    delegations.ok_or_else(none)?.verify(name, &signed).map_err(RepositoryError::metadata(name))?;
    Ok(signed)
}

/// Signs with each key of `keyids` that is loaded. One that fails takes nothing from the others: whether they are enough,
/// the caller knows.
async fn sign_with_all<R: Role>(
    keyring: &Keyring,
    keyids: &BTreeSet<KeyId>,
    role: R,
) -> Result<(Signed<R>, Option<SignerError>), RepositoryError> {
    let message = canonical::to_vec(&role)?;
    let (mut signatures, mut failed) = (Vec::new(), None);
    let mut left = keyids.clone();
    for signer in keyring.signers().iter() {
        let keyid = signer.key().id();
        if !left.contains(&keyid) {
            continue;
        }
        match signer.sign(&message).await {
            Ok(sig) if signer.key().verify(&message, &sig).is_ok() => {
                left.remove(&keyid);
                signatures.push(Signature { keyid, sig, extra: BTreeMap::new() });
            }
            Ok(_) => {
                let reason = "what it signs does not verify".into();
                failed = Some(SignerError::Refused { uri: keyid.0, reason });
            }
            Err(error) => failed = Some(error),
        }
    }
    Ok((Signed { signatures, signed: role }, failed))
}

/// Whether so many keys are loaded that `quorum` of `role` can be met.
pub(super) fn enough(
    keyring: &Keyring,
    role: &str,
    quorum: &Quorum,
) -> Result<(), RepositoryError> {
    let loaded = keyring.signers().iter().map(|signer| signer.key().id()).collect();
    if quorum.is_met(&loaded) {
        return Ok(());
    }
    // Which one is away is not known before it is there.
    if let Some(away) = keyring.away() {
        return Err(RepositoryError::Signer(away));
    }
    let expected: Vec<_> = quorum.keyids.iter().map(|id| id.0.clone()).collect();
    let (expected, needed) = (expected.join(", "), quorum.threshold.max(1));
    Err(RepositoryError::Unauthorized { role: role.into(), needed, expected })
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
    getrandom::fill(&mut bytes).map_err(SignerError::Random)?;
    Ok(hex::encode(bytes))
}
