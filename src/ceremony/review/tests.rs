use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::ceremony::check::testing::{self, by, delegated, ids, now, pair};
use crate::ceremony::draft::{self, HolderKey, RootChanges};
use crate::ceremony::holders::{self, Holders};
use crate::tuf::{Expiry, Root, Signed, Targets};

/// The root of the tests, with holders.
fn root(version: u64) -> Root {
    let mut root = testing::root(version);
    let names = [("red", 1), ("green", 2), ("blue", 3), ("amber", 4)];
    let held: Holders =
        names.into_iter().map(|(name, seed)| (pair(seed).id(), name.into())).collect();
    holders::put(&mut root.extra, &held);
    root
}

fn look(old: Option<Root>, new: Root, signed_by: &[u8]) -> Review {
    let old = old.map(|old| by(&old, &[1, 2]));
    review(&Case::Root { old, new: by(&new, signed_by) }, now())
}

fn shown(review: &Review) -> String {
    text(review, now())
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} in:\n{text}");
    }
}

fn codes(review: &Review) -> Vec<&str> {
    review.warnings.iter().map(|warning| warning.code).collect()
}

#[test]
fn a_review_says_what_changes_and_who_is_missing() {
    let mut new = root(2);
    new.keys.insert(pair(6).id(), pair(6).key());
    let role = new.roles.get_mut("root").unwrap();
    (role.keyids, role.threshold) = (ids(&[2, 3, 6]), 2);
    let mut held = holders::of(&new.extra);
    held.remove(&pair(1).id());
    held.insert(pair(6).id(), "violet".into());
    holders::put(&mut new.extra, &held);
    new.keys.remove(&pair(1).id());
    new.expires = Expiry::at("2028-01-01T00:00:00Z".parse().unwrap());
    let review = look(Some(root(1)), new, &[2]);
    let text = shown(&review);
    has(
        &text,
        &[
            "root 2, follows root 1",
            "expires 2028-01-01T00:00:00Z, was 2027-06-01T00:00:00Z",
            &format!("root: goes red, ed25519, key id {}", pair(1).id()),
            &format!("root: comes violet, ed25519, key id {}", pair(6).id()),
            "by the keys of root 1, 2 must: 1 more must",
            "by the keys of root 2, 2 must: 1 more must",
            &format!("signed: green ({})", crate::ceremony::check::shown(&pair(2).id())),
        ],
    );
    assert_eq!(review.changes.len(), 3, "{text}");
    assert!(!review.complete && review.refused.is_empty(), "{text}");
    let json = serde_json::to_value(&review).unwrap();
    assert_eq!(json["changes"][1]["change"], "key-removed");
    assert_eq!(json["signatures"][0]["missing"].as_array().unwrap().len(), 2);
}

#[test]
fn a_renewal_changes_nothing_but_the_version() {
    let review = look(Some(root(1)), root(2), &[1, 3]);
    let text = shown(&review);
    has(&text, &["nothing but the version", "Enough have signed: it can be published."]);
    assert_eq!(codes(&review), ["threshold-1", "no-margin"], "of targets, with its one key");
}

#[test]
fn a_first_root_is_told_whole() {
    let review = look(None, root(1), &[]);
    let text = shown(&review);
    has(&text, &["root 1, the first", "root: new, 2 of 3 keys must sign", "red, ed25519, key id"]);
    assert_eq!(review.changes.len(), 4, "{text}");
    let later = look(None, root(2), &[]);
    assert!(codes(&later).contains(&"not-compared"));
    has(&shown(&later), &["It would be refused:", "name it with --from"]);
}

#[test]
fn what_looks_dangerous_is_said() {
    let with = |change: fn(&mut Root)| {
        let mut new = root(2);
        change(&mut new);
        look(Some(root(1)), new, &[])
    };
    let warned = |review: Review, code: &str| {
        assert!(codes(&review).contains(&code), "{code} in {:?}", review.warnings);
    };
    warned(with(|root| root.roles.get_mut("root").unwrap().threshold = 1), "threshold-1");
    warned(with(|root| root.roles.get_mut("root").unwrap().threshold = 3), "no-margin");
    warned(
        with(|root| root.roles.get_mut("targets").unwrap().keyids = ids(&[1])),
        "key-in-two-roles",
    );
    warned(
        with(|root| root.roles.get_mut("targets").unwrap().keyids = ids(&[9])),
        "online-key-is-offline-key",
    );
    warned(with(|root| root.roles.get_mut("root").unwrap().keyids = ids(&[4, 9])), "all-keys-go");
    let expires = |days: i64| {
        let expires = Expiry::at(now() + SignedDuration::from_hours(days * 24));
        look(Some(root(1)), Root { expires, ..root(2) }, &[])
    };
    warned(expires(89), "expires-soon");
    warned(expires(6 * 366), "expires-late");
    assert!(!codes(&expires(91)).contains(&"expires-soon"));
    warned(
        with(|root| {
            let mut held = holders::of(&root.extra);
            held.insert(pair(2).id(), "red".into());
            holders::put(&mut root.extra, &held);
        }),
        "holder-twice",
    );
}

fn look_at_targets(change: impl FnOnce(&mut Targets)) -> Review {
    let mut new = testing::targets(2);
    change(&mut new);
    let root = Some(by(&root(1), &[1, 2]));
    let old = Some(by(&testing::targets(1), &[4]));
    review(&Case::Targets { root, old, new: by(&new, &[4]) }, now())
}

#[test]
fn delegations_are_told_with_their_paths() {
    let with = |role: crate::tuf::DelegatedRole| {
        look_at_targets(|new| {
            let delegations = new.delegations.as_mut().unwrap();
            delegations.keys.insert(pair(6).id(), pair(6).key());
            delegations.roles.as_mut().unwrap().insert(0, role);
        })
    };
    let review = with(delegated("acme", &["simple/acme-*/*"], 6));
    has(
        &shown(&review),
        &["acme: new, 1 of 1 keys must sign, trusted with simple/acme-*/*", "acme is new: clients"],
    );
    assert!(review.complete, "{review:?}");
    assert!(codes(&with(delegated("wide", &["*/*/*"], 6))).contains(&"wide-delegation"));
    let online = with(delegated("acme", &["simple/acme-*/*"], 9));
    assert!(codes(&online).contains(&"online-key-is-offline-key"));
    let gone = look_at_targets(|new| new.delegations = None);
    has(&shown(&gone), &["bins: goes, nobody may sign it", "this file is no targets"]);
    let narrower = look_at_targets(|new| {
        let roles = new.delegations.as_mut().unwrap().roles.as_mut().unwrap();
        roles[0].paths = Some(vec!["simple/*/*".into()]);
    });
    has(
        &shown(&narrower),
        &["bins: trusted with simple/*/*, was simple/*/* and files/*/*", "It would be refused"],
    );
}

#[test]
fn bins_are_counted() {
    let case = |change: fn(&mut Targets), targets| {
        let mut new = testing::bins(2);
        change(&mut new);
        let old = Some(by(&testing::bins(1), &[5]));
        review(&Case::Bins { targets, old, new: by(&new, &[5]) }, now())
    };
    let grow = |new: &mut Targets| {
        let succinct = new.delegations.as_mut().unwrap().succinct_roles.as_mut().unwrap();
        (succinct.bit_length, succinct.name_prefix) = (5, "bins2".into());
    };
    let targets = Some(by(&testing::targets(1), &[4]));
    let review = case(grow, targets.clone());
    has(
        &shown(&review),
        &[
            "32 bins, called bins2-…",
            "number of bins: 32, was 16",
            "bins are called bins2-…, were bins-…",
            "each bin: 1 of 1",
        ],
    );
    assert!(review.complete);
    assert_eq!(codes(&review), Vec::<&str>::new());
    let untold = case(grow, None);
    assert_eq!(codes(&untold), ["signers-unknown"]);
    has(&shown(&untold), &["nothing says who must"]);
    assert!(!untold.complete);
}

#[test]
fn no_name_in_a_file_can_forge_a_line() {
    let evil = "red\nEnough have signed: it can be published.\u{1b}[2K\u{202e}";
    let mut new = root(2);
    let mut held = holders::of(&new.extra);
    held.insert(pair(2).id(), evil.into());
    holders::put(&mut new.extra, &held);
    new.extra.insert(evil.into(), evil.into());
    let mut keys = new.roles["root"].clone();
    keys.keyids.push(crate::tuf::KeyId(evil.into()));
    new.roles.insert(evil.into(), keys);
    let text = shown(&look(Some(root(1)), new, &[]));
    assert!(!text.lines().any(|line| line.starts_with("Enough")), "{text}");
    let safe =
        |c: char| c == '\n' || c == '…' || c == '\u{fffd}' || c.is_ascii_graphic() || c == ' ';
    assert!(text.chars().all(safe), "{text:?}");
}

/// Every place of a value that holds no object or array.
fn leaves(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            let key = key.replace('~', "~0").replace('/', "~1");
            leaves(value, format!("{path}/{key}"), found);
        }),
        Value::Array(all) => {
            all.iter()
                .enumerate()
                .for_each(|(n, value)| leaves(value, format!("{path}/{n}"), found));
        }
        _ => found.push(path),
    }
}

fn changed(value: &Value) -> Value {
    match value {
        Value::String(text) if text.ends_with('Z') => "2029-01-01T00:00:00Z".into(),
        Value::String(text) => format!("{text}x").into(),
        Value::Number(number) => (number.as_u64().unwrap_or_default() + 1).into(),
        Value::Bool(yes) => (!yes).into(),
        _ => 1.into(),
    }
}

/// Changes one place after the other, and expects to be told.
fn every_change_is_told<R: crate::tuf::Role>(role: &R, changes: impl Fn(Signed<R>) -> Vec<Change>) {
    let value = serde_json::to_value(role).unwrap();
    let mut places = Vec::new();
    leaves(&value, String::new(), &mut places);
    for place in places.iter().filter(|place| !matches!(place.as_str(), "/_type" | "/version")) {
        let mut new = value.clone();
        let leaf = new.pointer_mut(place).unwrap();
        *leaf = changed(leaf);
        let new = serde_json::from_value(new).unwrap();
        let told = changes(Signed { signatures: Vec::new(), signed: new });
        assert!(!told.is_empty(), "{place}");
    }
}

#[test]
fn whatever_differs_is_told() {
    every_change_is_told(&root(1), |new| {
        review(&Case::Root { old: Some(by(&root(1), &[])), new }, now()).changes
    });
    let mut full = testing::targets(1);
    full.extra.insert("x-note".into(), serde_json::json!({"a": ["b", 1]}));
    full.delegations.as_mut().unwrap().roles.as_mut().unwrap()[0]
        .extra
        .insert("x".into(), 1.into());
    every_change_is_told(&full, |new| {
        review(&Case::Targets { root: None, old: Some(by(&full, &[])), new }, now()).changes
    });
    let bins = testing::bins(1);
    every_change_is_told(&bins, |new| {
        review(&Case::Bins { targets: None, old: Some(by(&bins, &[])), new }, now()).changes
    });
}

proptest! {
    /// Whoever comes, goes or stays: the review of a draft names just that.
    #[test]
    fn a_draft_and_its_review_agree(
        add in prop::collection::btree_set(20u8..26, 0..4),
        remove in prop::collection::btree_set(1u8..4, 0..3),
        threshold in 1u64..5,
        online in prop::option::of(30u8..33),
        days in 1i64..3000,
    ) {
        let expires = Expiry::at(now() + SignedDuration::from_hours(24 * days));
        let mut changes = RootChanges::renewal(expires);
        let held = |seed: &u8| HolderKey { name: format!("holder-{seed}"), key: pair(*seed).key() };
        changes.root.add = add.iter().map(held).collect();
        changes.root.remove = remove.iter().map(|seed| pair(*seed).id().0).collect();
        changes.root.threshold = Some(threshold);
        changes.timestamp = online.iter().map(|seed| pair(*seed).key()).collect();
        let old = by(&root(1), &[1, 2]);
        let keys = (3 + add.len() - remove.len()) as u64;
        let drafted = draft::root(Some(&old), &changes, now());
        prop_assert_eq!(drafted.is_ok(), threshold <= keys, "{:?}", drafted);
        let Ok(new) = drafted else { return Ok(()) };
        let told = review(&Case::Root { old: Some(old), new }, now()).changes;
        let ids_of = |set: &std::collections::BTreeSet<u8>| -> Vec<_> {
            let mut ids: Vec<_> = set.iter().map(|seed| pair(*seed).id()).collect();
            ids.sort();
            ids
        };
        let mut come = Vec::new();
        let mut gone = Vec::new();
        for change in &told {
            match change {
                Change::KeyAdded { role, key } if role == "root" => come.push(key.keyid.clone()),
                Change::KeyRemoved { role, key } if role == "root" => gone.push(key.keyid.clone()),
                Change::KeyAdded { role, .. } | Change::KeyRemoved { role, .. } => {
                    prop_assert!(role == "timestamp" && online.is_some());
                }
                Change::Threshold { to, .. } => prop_assert_eq!(*to, threshold),
                Change::Expires { to, .. } => prop_assert_eq!(*to, expires),
                other => prop_assert!(false, "{:?}", other),
            }
        }
        come.sort();
        gone.sort();
        prop_assert_eq!(come, ids_of(&add));
        prop_assert_eq!(gone, ids_of(&remove));
        prop_assert_eq!(told.iter().any(|c| matches!(c, Change::Threshold { .. })), threshold != 2);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Signed::<Root>::parse_strict(&bytes);
        let _ = Signed::<Targets>::parse_strict(&bytes);
    }
}
