//! The keys that a role is trusted to.

use std::collections::BTreeMap;

use super::Refusal;
use crate::tuf::{Authority, Key, KeyId};

/// What is wrong with the keys of the role called `name`.
pub(super) fn faults(name: &str, authority: Authority<'_>) -> Vec<Refusal> {
    let mut faults = Vec::new();
    let mut seen: BTreeMap<Vec<u8>, &KeyId> = BTreeMap::new();
    for keyid in authority.keyids {
        let (name, keyid_of) = (name.to_owned(), keyid.clone());
        let Some(key) = authority.keys.get(keyid) else {
            faults.push(Refusal::UndefinedKey { name, keyid: keyid_of });
            continue;
        };
        match key.public() {
            Err(error) => {
                let why = error.to_string();
                faults.push(Refusal::UnusableKey { name, keyid: keyid_of, why });
            }
            Ok(public) => {
                if let Some(first) = seen.insert(public.identity(), keyid) {
                    let first = first.clone();
                    faults.push(Refusal::KeyTwice { name, first, second: keyid_of });
                }
            }
        }
    }
    let (keys, threshold) = (seen.len() as u64, authority.threshold);
    if threshold == 0 || threshold > keys {
        faults.push(Refusal::Unreachable { name: name.into(), threshold, keys });
    }
    faults
}

/// Keys under ids that are not theirs. One that stood there before, just so, may stay: it came from elsewhere.
pub(super) fn misnamed(
    new: &BTreeMap<KeyId, Key>,
    old: Option<&BTreeMap<KeyId, Key>>,
) -> Vec<Refusal> {
    let stayed = |id: &KeyId, key: &Key| old.and_then(|old| old.get(id)) == Some(key);
    let wrong = new.iter().filter(|(id, key)| key.id() != **id && !stayed(id, key));
    wrong.map(|(id, key)| Refusal::Misnamed { keyid: id.clone(), real: key.id() }).collect()
}
