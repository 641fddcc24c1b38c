//! Changes to the keys of one role.

use std::collections::BTreeMap;

use super::DraftError;
use crate::ceremony::holders::{Holders, is_name};
use crate::tuf::{Key, KeyId};

/// A key and who holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct HolderKey {
    /// The holder's name.
    pub name: String,
    /// The key.
    pub key: Key,
}

/// What changes in one role.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoleEdit {
    /// Keys that come.
    pub add: Vec<HolderKey>,
    /// Keys that go: names of holders, or key ids, or at least the first 8 digits of one.
    pub remove: Vec<String>,
    /// The new threshold.
    pub threshold: Option<u64>,
}

/// The fewest digits that name a key.
const FEWEST_DIGITS: usize = 8;

/// The keys of a role, with all that it stands among.
pub(super) struct Role<'a> {
    pub(super) name: &'a str,
    pub(super) keyids: &'a mut Vec<KeyId>,
    pub(super) threshold: &'a mut u64,
    pub(super) keys: &'a mut BTreeMap<KeyId, Key>,
    pub(super) holders: &'a mut Holders,
}

impl Role<'_> {
    /// What goes goes first, so that one draft can put one key in place of another.
    pub(super) fn apply(&mut self, edit: &RoleEdit) -> Result<(), DraftError> {
        for who in &edit.remove {
            let gone = self.find(who)?;
            self.keyids.retain(|id| *id != gone);
        }
        for HolderKey { name, key } in &edit.add {
            if !is_name(name) {
                return Err(DraftError::HolderName(name.clone()));
            }
            let keyid = key.id();
            if self.keyids.contains(&keyid) {
                return Err(DraftError::Already { role: self.name.into(), keyid });
            }
            if let Some(holder) = self.holders.get(&keyid).filter(|holder| *holder != name) {
                let (holder, name) = (holder.clone(), name.clone());
                return Err(DraftError::OtherHolder { keyid, holder, name });
            }
            self.keyids.push(keyid.clone());
            self.keys.insert(keyid.clone(), key.clone());
            self.holders.insert(keyid, name.clone());
        }
        if let Some(threshold) = edit.threshold {
            *self.threshold = threshold;
        }
        Ok(())
    }

    fn find(&self, who: &str) -> Result<KeyId, DraftError> {
        let is_held = |id: &&KeyId| self.holders.get(*id).is_some_and(|name| name == who);
        let is_id =
            |id: &&KeyId| id.0 == who || (who.len() >= FEWEST_DIGITS && id.0.starts_with(who));
        let mut found: Vec<_> = self.keyids.iter().filter(is_held).collect();
        if found.is_empty() {
            found = self.keyids.iter().filter(is_id).collect();
        }
        let (role, who) = (self.name.to_owned(), who.to_owned());
        match found[..] {
            [one] => Ok(one.clone()),
            [] => Err(DraftError::Unknown { role, who }),
            _ => Err(DraftError::Ambiguous { role, who, count: found.len() }),
        }
    }
}

/// The whole new set of the keys of an online role; a threshold stays where it can be met.
pub(super) fn set_online(keyids: &mut Vec<KeyId>, threshold: &mut u64, new: &[Key]) {
    if new.is_empty() {
        return;
    }
    keyids.clear();
    for key in new {
        if !keyids.contains(&key.id()) {
            keyids.push(key.id());
        }
    }
    *threshold = (*threshold).clamp(1, keyids.len() as u64);
}
