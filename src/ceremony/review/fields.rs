//! Differences that no view shows: a holder must see everything that changes.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// How many are told one by one.
const MOST: usize = 20;
/// How much of a value is shown.
const LONGEST: usize = 48;

/// One difference: where, what was there, what is there.
pub(super) type Difference = (Vec<String>, Option<Value>, Option<Value>);

/// What differs between `old` and `new`, but for the places that `shown` knows; and how many more there are.
pub(super) fn between(
    old: &Value,
    new: &Value,
    shown: &dyn Fn(&[String]) -> bool,
) -> (Vec<Difference>, usize) {
    let mut found = Vec::new();
    walk(Some(&by_name(old)), Some(&by_name(new)), &mut Vec::new(), shown, &mut found);
    let more = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    (found, more)
}

/// Delegated roles lie in a list, whose order is told elsewhere.
fn by_name(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(Value::Array(roles)) = value.pointer_mut("/delegations/roles").map(Value::take) {
        let named = |(place, role): (usize, Value)| {
            let name = role.get("name").and_then(Value::as_str).map(str::to_owned);
            (name.unwrap_or_else(|| place.to_string()), role)
        };
        let roles: Map<_, _> = roles.into_iter().enumerate().map(named).collect();
        if let Some(place) = value.pointer_mut("/delegations/roles") {
            *place = roles.into();
        }
    }
    value
}

fn walk(
    old: Option<&Value>,
    new: Option<&Value>,
    path: &mut Vec<String>,
    shown: &dyn Fn(&[String]) -> bool,
    found: &mut Vec<Difference>,
) {
    if old == new || shown(path) {
        return;
    }
    let object = |value: Option<&Value>| value.is_none_or(Value::is_object);
    if !object(old) || !object(new) {
        found.push((path.clone(), old.cloned(), new.cloned()));
        return;
    }
    let (old, new) = (old.and_then(Value::as_object), new.and_then(Value::as_object));
    let keys: BTreeSet<_> = old.into_iter().chain(new).flat_map(Map::keys).collect();
    for key in keys {
        path.push(key.clone());
        walk(
            old.and_then(|old| old.get(key)),
            new.and_then(|new| new.get(key)),
            path,
            shown,
            found,
        );
        path.pop();
    }
}

/// A value in few words, with nothing in it that a terminal would act on.
pub(super) fn brief(value: Option<&Value>) -> String {
    let Some(value) = value else { return "nothing".into() };
    let text = value.to_string();
    let short: String = text.chars().take(LONGEST).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    // JSON escapes control characters, and leaves others that turn the direction of text.
    let safe =
        |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { char::REPLACEMENT_CHARACTER };
    format!("{}{more}", short.chars().map(safe).collect::<String>())
}
