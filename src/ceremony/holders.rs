//! Who holds which key: the signed field `holders` of root and targets, beside the keys, whose ids some clients compute over
//! all of their fields.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::tuf::KeyId;
use crate::tuf::fields::Extra;

/// The field's name.
pub const FIELD: &str = "holders";
const LONGEST: usize = 64;

/// Key id to the holder's name.
pub type Holders = BTreeMap<KeyId, String>;

/// The holders that stand in a role; what is malformed is none.
pub fn of(extra: &Extra) -> Holders {
    let Some(Value::Object(holders)) = extra.get(FIELD) else { return Holders::new() };
    let named =
        holders.iter().filter_map(|(id, name)| Some((KeyId(id.clone()), name.as_str()?.into())));
    named.collect()
}

/// Writes the holders into a role.
pub fn put(extra: &mut Extra, holders: &Holders) {
    let holders: serde_json::Map<_, _> =
        holders.iter().map(|(id, name)| (id.0.clone(), name.as_str().into())).collect();
    match holders.is_empty() {
        true => drop(extra.remove(FIELD)),
        false => drop(extra.insert(FIELD.into(), holders.into())),
    }
}

/// Whether a holder may have this name: plain, and never to be taken for a key id.
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+@".contains(c);
    (1..=LONGEST).contains(&name.len())
        && name.chars().all(plain)
        && !(name.len() >= 8 && name.bytes().all(|c| c.is_ascii_hexdigit()))
}
