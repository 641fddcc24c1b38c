//! Opens the configured keys, and opens again what changed or was away.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;

use super::super::{KeyUri, Opening, Signer, SignerError, open};
use super::files;
use super::measured::Measured;
use crate::telemetry::{KeyState, Metrics};
use crate::tuf::{Digest, KeyId};

/// Opening asks a service several times.
const REQUESTS: u32 = 3;

type Signers = Vec<Arc<dyn Signer>>;

/// The configured keys.
pub(super) struct Keeper {
    uris: Vec<KeyUri>,
    how: Opening,
    metrics: Arc<Metrics>,
    slots: Vec<Slot>,
    /// Keys that are gone from their files, with what named them, and that may still be asked to sign.
    kept: Vec<(String, Arc<dyn Signer>)>,
    /// What was logged of each URI.
    said: BTreeMap<String, String>,
}

/// One URI.
struct Slot {
    uri: KeyUri,
    /// Of a file, what it was when it was opened last.
    identity: Option<Digest>,
    signers: Signers,
    trouble: Option<Arc<SignerError>>,
}

impl Keeper {
    pub(super) fn new(uris: Vec<KeyUri>, how: Opening, metrics: Arc<Metrics>) -> Self {
        Self { uris, how, metrics, slots: Vec::new(), kept: Vec::new(), said: BTreeMap::new() }
    }

    /// Opens what has to be, and sorts out which keys stay.
    pub(super) async fn look(&mut self, needed: &(dyn Fn(&KeyId) -> bool + Send + Sync)) {
        let before = std::mem::take(&mut self.slots);
        let mut former: BTreeMap<String, Slot> =
            before.into_iter().map(|slot| (slot.uri.to_string(), slot)).collect();
        let mut slots: Vec<Slot> = Vec::new();
        for uri in &self.uris {
            let (members, error) = match files::expand(uri, &self.how.base) {
                Ok(members) => (members, None),
                Err(error) => (vec![uri.clone()], Some(Arc::new(error))),
            };
            for member in members {
                // Named twice, or by its folder too.
                if slots.iter().any(|slot| slot.uri == member) {
                    continue;
                }
                let known = former.remove(&member.to_string());
                let mut slot = known.unwrap_or_else(|| Slot::new(member));
                slot.trouble = error.clone().or(slot.trouble);
                slots.push(slot);
            }
        }
        let (how, metrics) = (&self.how, &self.metrics);
        let gone = join_all(slots.iter_mut().map(|slot| slot.look(how, metrics))).await;
        let gone = slots.iter().map(|slot| slot.uri.to_string()).zip(gone);
        let left = former.into_iter().map(|(uri, slot)| (uri, slot.signers));
        let named = gone
            .chain(left)
            .flat_map(|(uri, keys)| keys.into_iter().map(move |k| (uri.clone(), k)));
        self.kept.extend(named.collect::<Vec<_>>());
        self.slots = slots;
        let mut seen: Vec<KeyId> = self.current().map(|signer| signer.key().id()).collect();
        self.kept.retain(|(_, signer)| {
            let id = signer.key().id();
            let stays = needed(&id) && !seen.contains(&id);
            seen.push(id);
            stays
        });
        self.count();
    }

    /// The keys that can sign, each once.
    pub(super) fn loaded(&self) -> Signers {
        let mut loaded = Signers::new();
        for signer in self.current().chain(self.kept.iter().map(|(_, signer)| signer)) {
            if !loaded.iter().any(|other| other.key().id() == signer.key().id()) {
                loaded.push(signer.clone());
            }
        }
        loaded
    }

    /// Why a key is away.
    pub(super) fn away(&self) -> Option<Arc<SignerError>> {
        self.troubles().find(|error| error.is_temporary()).cloned()
    }

    /// Why the first key that cannot be used cannot be.
    pub(super) fn refused(&self) -> Option<Arc<SignerError>> {
        self.troubles().next().cloned()
    }

    /// What is wrong now.
    pub(super) fn wrong(&self) -> Option<String> {
        let all: Vec<String> = self.sentences().into_values().collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    fn current(&self) -> impl Iterator<Item = &Arc<dyn Signer>> {
        self.slots.iter().flat_map(|slot| &slot.signers)
    }

    fn troubles(&self) -> impl Iterator<Item = &Arc<SignerError>> {
        self.slots.iter().filter_map(|slot| slot.trouble.as_ref())
    }

    /// What is wrong with each URI.
    fn sentences(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for slot in &self.slots {
            if let Some(error) = &slot.trouble {
                let goes_on =
                    if slot.signers.is_empty() { "" } else { "; the key that was loaded signs on" };
                all.insert(slot.uri.to_string(), format!("{error}{goes_on}"));
            }
        }
        for (uri, signer) in &self.kept {
            let gone = format!(
                "the key {} is no longer what {uri} names, and signs on: root or bins ask for it",
                signer.key().id()
            );
            all.entry(uri.clone())
                .and_modify(|text| *text = format!("{text}; {gone}"))
                .or_insert(gone);
        }
        all
    }

    fn count(&self) {
        let away = self.troubles().filter(|error| error.is_temporary()).count();
        let refused = self.troubles().count() - away;
        for (state, count) in [
            (KeyState::Loaded, self.loaded().len()),
            (KeyState::Away, away),
            (KeyState::Refused, refused),
        ] {
            self.metrics.signing_keys.of(state).set(count as i64);
        }
    }

    /// Logs each state once.
    pub(super) fn say(&mut self) {
        let now = self.sentences();
        for (uri, wrong) in &now {
            if self.said.get(uri) != Some(wrong) {
                tracing::warn!(key = uri, "{wrong}");
            }
        }
        for uri in self.said.keys().filter(|uri| !now.contains_key(*uri)) {
            tracing::info!(key = uri, "nothing is wrong with this key any more");
        }
        self.said = now;
    }
}

impl Slot {
    fn new(uri: KeyUri) -> Self {
        Self { uri, identity: None, signers: Vec::new(), trouble: None }
    }

    /// Opens it where it has to be; gives the keys that it has no more.
    async fn look(&mut self, how: &Opening, metrics: &Arc<Metrics>) -> Signers {
        let identity = files::identity(&self.uri, &how.base);
        let away = self.trouble.as_ref().is_some_and(|error| error.is_temporary());
        let untried = self.signers.is_empty() && self.trouble.is_none();
        if !untried && !away && identity == self.identity {
            return Signers::new();
        }
        self.identity = identity;
        let limit = how.timeout * REQUESTS;
        let opened = match tokio::time::timeout(limit, open(&self.uri, how)).await {
            Ok(opened) => opened,
            Err(_) => Err(SignerError::Away {
                uri: self.uri.to_string(),
                reason: "it does not answer".into(),
            }),
        };
        match opened {
            Ok(signers) => {
                self.trouble = None;
                let measured = signers.into_iter().map(|inner| self.measured(inner, how, metrics));
                let now: Signers = measured.collect();
                for signer in &now {
                    let id = signer.key().id();
                    if !self.signers.iter().any(|before| before.key().id() == id) {
                        tracing::info!(key = %self.uri, keyid = %id, "an online key was loaded");
                    }
                }
                let mut before = std::mem::replace(&mut self.signers, now);
                before.retain(|old| self.signers.iter().all(|s| s.key().id() != old.key().id()));
                before
            }
            Err(error) => {
                self.trouble = Some(Arc::new(error));
                // A file that is damaged may be half written; one that is not there was taken away.
                let gone = files::is_gone(&self.uri, &how.base);
                if gone { std::mem::take(&mut self.signers) } else { Signers::new() }
            }
        }
    }

    fn measured(
        &self,
        inner: Arc<dyn Signer>,
        how: &Opening,
        metrics: &Arc<Metrics>,
    ) -> Arc<dyn Signer> {
        let (uri, timeout) = (self.uri.to_string(), how.timeout);
        Arc::new(Measured::new(inner, uri, timeout, metrics.clone()))
    }
}
