use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::tuf::Key;

const NOW: &str = "2026-06-01T00:00:00Z";
const LATER: &str = "2026-07-01T00:00:00Z";

fn now() -> Time {
    NOW.parse().unwrap()
}

fn key(seed: u8) -> (Key, SigningKey) {
    let secret = SigningKey::from_bytes(&[seed; 32]);
    (Key::ed25519(secret.verifying_key().as_bytes()), secret)
}

fn sign(signed: &Value, seeds: &[u8]) -> Vec<u8> {
    let message = canonical::to_vec(signed).unwrap();
    let signatures: Vec<Value> = seeds
        .iter()
        .map(|seed| {
            let (key, secret) = key(*seed);
            json!({"keyid": key.id().0, "sig": hex::encode(secret.sign(&message).to_bytes())})
        })
        .collect();
    serde_json::to_vec(&json!({"signatures": signatures, "signed": signed})).unwrap()
}

/// A root with the keys `root`, of which `threshold` must sign; key 9 signs everything else.
fn root_value(version: u64, root: &[u8], threshold: u64) -> Value {
    let keys: serde_json::Map<String, Value> = root
        .iter()
        .chain([&9])
        .map(|seed| (key(*seed).0.id().0, serde_json::to_value(key(*seed).0).unwrap()))
        .collect();
    let ids: Vec<String> = root.iter().map(|seed| key(*seed).0.id().0).collect();
    let online = json!({"keyids": [key(9).0.id().0], "threshold": 1});
    json!({
        "_type": "root", "consistent_snapshot": true, "expires": LATER, "keys": keys,
        "roles": {
            "root": {"keyids": ids, "threshold": threshold},
            "timestamp": online, "snapshot": online, "targets": online,
        },
        "spec_version": "1.0.31", "version": version,
    })
}

fn a_root() -> Root {
    first_root(&sign(&root_value(1, &[1], 1), &[1])).unwrap()
}

fn timestamp_value(version: u64, snapshot: u64) -> Value {
    json!({
        "_type": "timestamp", "expires": LATER, "meta": {"snapshot.json": {"version": snapshot}},
        "spec_version": "1.0.31", "version": version,
    })
}

fn snapshot_value(version: u64, meta: Value) -> Value {
    json!({
        "_type": "snapshot", "expires": LATER, "meta": meta, "spec_version": "1.0.31",
        "version": version,
    })
}

fn targets_value(version: u64) -> Value {
    json!({
        "_type": "targets", "expires": LATER, "spec_version": "1.0.31", "targets": {},
        "version": version,
    })
}

fn a_timestamp(version: u64, snapshot: u64) -> Timestamp {
    timestamp(&a_root(), &sign(&timestamp_value(version, snapshot), &[9])).unwrap()
}

fn a_snapshot(meta: Value) -> Snapshot {
    stored_snapshot(&a_root(), &sign(&snapshot_value(1, meta), &[9])).unwrap()
}

fn entry(value: Value) -> MetaFile {
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_first_root_is_signed_by_itself() {
    let root = root_value(1, &[1, 2], 2);
    assert_eq!(first_root(&sign(&root, &[1, 2])).unwrap().version, 1);
    let error = first_root(&sign(&root, &[1])).unwrap_err();
    assert_eq!(error.flaw, Flaw::Threshold { found: 1, needed: 2 });
    assert_eq!(first_root(b"{}").unwrap_err().flaw.label(), "malformed");
}

#[test]
fn a_next_root_is_signed_by_both() {
    let trusted = a_root();
    let new = root_value(2, &[2, 3], 2);
    assert_eq!(next_root(&trusted, &sign(&new, &[1, 2, 3])).unwrap().version, 2);
    let by_new_alone = next_root(&trusted, &sign(&new, &[2, 3])).unwrap_err();
    assert_eq!(by_new_alone.flaw, Flaw::Threshold { found: 0, needed: 1 });
    let by_old_alone = next_root(&trusted, &sign(&new, &[1, 2])).unwrap_err();
    assert_eq!(by_old_alone.flaw, Flaw::Threshold { found: 1, needed: 2 });
    let skipped = next_root(&trusted, &sign(&root_value(3, &[1], 1), &[1])).unwrap_err();
    assert_eq!(skipped.flaw, Flaw::Version { expected: 2, found: 3 });
}

#[test]
fn one_key_counts_once() {
    let mut root = root_value(1, &[1, 2], 2);
    // The same key a second time, under an id of somebody's choice.
    let again = root["keys"][key(1).0.id().0].clone();
    root["keys"]["again"] = again;
    root["roles"]["root"]["keyids"] = json!([key(1).0.id().0, "again"]);
    let bytes = sign(&root, &[1]);
    let mut envelope: Value = serde_json::from_slice(&bytes).unwrap();
    let mut second = envelope["signatures"][0].clone();
    second["keyid"] = "again".into();
    envelope["signatures"].as_array_mut().unwrap().push(second);
    let error = first_root(&serde_json::to_vec(&envelope).unwrap()).unwrap_err();
    assert_eq!(error.flaw, Flaw::Threshold { found: 1, needed: 2 });
    let twice = first_root(&sign(&root_value(1, &[1, 2], 1), &[1, 1])).unwrap_err();
    assert_eq!(twice.flaw.label(), "malformed");
}

#[test]
fn what_nobody_can_sign_is_said() {
    let refused = |role: Value| {
        let mut root = root_value(1, &[1], 1);
        root["roles"]["timestamp"] = role;
        first_root(&sign(&root, &[1])).unwrap_err().to_string()
    };
    let id = key(9).0.id().0;
    assert!(
        refused(json!({"keyids": [id], "threshold": 0})).contains("threshold of \"timestamp\"")
    );
    assert!(refused(json!({"keyids": [id, id], "threshold": 1})).contains("twice"));

    let mut root = root_value(1, &[1], 1);
    root["keys"][&id]["scheme"] = "rot13".into();
    let root = first_root(&sign(&root, &[1])).unwrap();
    let error = timestamp(&root, &sign(&timestamp_value(1, 1), &[9])).unwrap_err();
    assert_eq!(error.flaw.label(), "signature");
    assert!(error.to_string().contains("rot13"), "{error}");
}

/// What two parsers may read differently.
#[test]
fn ambiguous_json_is_refused() {
    let bytes = sign(&timestamp_value(4, 2), &[9]);
    let text = String::from_utf8(bytes).unwrap();
    assert!(timestamp(&a_root(), text.as_bytes()).is_ok());
    let envelope: Value = serde_json::from_str(&text).unwrap();
    let list = json!([envelope["signatures"], envelope["signed"]]).to_string();
    let twice = text.replace(r#""meta":{"#, r#""meta":{"snapshot.json":{"version":9},"#);
    assert_ne!(twice, text);
    for bad in [list, twice] {
        let error = timestamp(&a_root(), bad.as_bytes()).unwrap_err();
        assert_eq!(error.flaw.label(), "malformed", "{bad}");
    }
}

#[test]
fn timestamps_do_not_go_back() {
    let trusted = a_timestamp(5, 3);
    assert_eq!(timestamp_after(&trusted, &a_timestamp(5, 9)).unwrap(), Order::Same);
    assert_eq!(timestamp_after(&trusted, &a_timestamp(6, 3)).unwrap(), Order::Newer);
    let older = timestamp_after(&trusted, &a_timestamp(4, 3)).unwrap_err();
    assert_eq!(older, Flaw::Rollback { trusted: 5, found: 4 }.of("timestamp"));
    let snapshot = timestamp_after(&trusted, &a_timestamp(6, 2)).unwrap_err();
    assert_eq!(snapshot, Flaw::Rollback { trusted: 3, found: 2 }.of("snapshot"));
}

#[test]
fn snapshots_lose_nothing() {
    let trusted = a_snapshot(json!({"targets.json": {"version": 2}, "a.json": {"version": 7}}));
    let same = a_snapshot(
        json!({"targets.json": {"version": 2}, "a.json": {"version": 7}, "b.json": {"version": 1}}),
    );
    assert_eq!(snapshot_after(&trusted, &same), Ok(()));
    let gone = a_snapshot(json!({"targets.json": {"version": 3}}));
    assert_eq!(snapshot_after(&trusted, &gone), Err(Flaw::NotListed.of("a")));
    let back = a_snapshot(json!({"targets.json": {"version": 1}, "a.json": {"version": 7}}));
    let expected = Flaw::Rollback { trusted: 2, found: 1 }.of("targets");
    assert_eq!(snapshot_after(&trusted, &back), Err(expected));
}

#[test]
fn a_snapshot_is_the_announced_one() {
    let bytes = sign(&snapshot_value(3, json!({})), &[9]);
    let hash = hex::encode(<sha2::Sha512 as sha2::Digest>::digest(&bytes));
    let length = bytes.len();
    let check = |value: Value| snapshot(&a_root(), &entry(value), &bytes, now()).map(drop);
    assert_eq!(check(json!({"version": 3})), Ok(()));
    assert_eq!(check(json!({"version": 3, "length": length, "hashes": {"sha512": hash}})), Ok(()));
    assert_eq!(check(json!({"version": 4})).unwrap_err().flaw.label(), "version");
    let longer = json!({"version": 3, "length": length + 1});
    assert_eq!(check(longer).unwrap_err().flaw.label(), "length");
    let other = json!({"version": 3, "hashes": {"sha512": "00", "md5": "1"}});
    assert_eq!(check(other).unwrap_err().flaw.label(), "hash");
    let unknown = json!({"version": 3, "hashes": {"md5": "1"}});
    assert_eq!(check(unknown).unwrap_err().flaw.label(), "no-hash");
}

#[test]
fn what_expired_is_refused() {
    let mut value = snapshot_value(1, json!({}));
    value["expires"] = NOW.into();
    let error =
        snapshot(&a_root(), &entry(json!({"version": 1})), &sign(&value, &[9]), now()).unwrap_err();
    assert_eq!(error.flaw.label(), "expired");
    let expires: Expiry = serde_json::from_str(&format!("\"{LATER}\"")).unwrap();
    assert_eq!(not_expired("x", expires, now()), Ok(()));
}

#[test]
fn targets_need_their_delegators_keys() {
    let (root, entry) = (a_root(), entry(json!({"version": 2})));
    let bytes = sign(&targets_value(2), &[9]);
    assert!(targets(Delegator::Root(&root), "targets", &entry, &bytes, now()).is_ok());
    let by_another = sign(&targets_value(2), &[8]);
    let error = targets(Delegator::Root(&root), "targets", &entry, &by_another, now()).unwrap_err();
    assert_eq!(error.flaw, Flaw::Threshold { found: 0, needed: 1 });
    let delegated = targets(Delegator::Root(&root), "other", &entry, &bytes, now()).unwrap_err();
    assert_eq!(delegated.flaw, Flaw::NotDelegated);
}

#[test]
fn what_cannot_be_understood_is_refused() {
    let entry = entry(json!({"version": 2}));
    let check = |value: Value| {
        targets(Delegator::Root(&a_root()), "targets", &entry, &sign(&value, &[9]), now())
            .map(drop)
            .map_err(|error| error.flaw.label())
    };
    assert_eq!(check(targets_value(2)), Ok(()));
    for (path, value, label) in [
        ("/spec_version", json!("2.0"), "spec-version"),
        ("/spec_version", json!("1"), "spec-version"),
        ("/spec_version", json!("1.0.31.1"), "spec-version"),
        ("/_type", json!("snapshot"), "malformed"),
        ("/version", json!(0), "malformed"),
        ("/version", json!(-1), "malformed"),
        ("/expires", json!("2026-07-01"), "malformed"),
        ("/targets", json!([]), "malformed"),
    ] {
        let mut bad = targets_value(2);
        *bad.pointer_mut(path).unwrap() = value.clone();
        assert_eq!(check(bad), Err(label), "{path} {value}");
    }
    let roles =
        json!([{"keyids": [], "name": "a", "paths": ["*"], "terminating": true, "threshold": 1}]);
    let bins = json!({"bit_length": 4, "keyids": [], "name_prefix": "b", "threshold": 1});
    for delegations in [
        json!({"keys": {}}),
        json!({"keys": {}, "roles": roles, "succinct_roles": bins}),
        json!({"keys": {}, "succinct_roles": {"bit_length": 0, "keyids": [], "name_prefix": "b", "threshold": 1}}),
        json!({"keys": {}, "succinct_roles": {"bit_length": 33, "keyids": [], "name_prefix": "b", "threshold": 1}}),
        json!({"keys": {}, "roles": [{"keyids": [], "name": "root", "paths": ["*"], "terminating": true, "threshold": 1}]}),
        json!({"keys": {}, "roles": [{"keyids": [], "name": "a", "terminating": true, "threshold": 1}]}),
        json!({"keys": {}, "roles": [roles[0], roles[0]]}),
    ] {
        let mut bad = targets_value(2);
        bad["delegations"] = delegations.clone();
        assert_eq!(check(bad), Err("malformed"), "{delegations}");
    }
}

/// Signatures cover what was sent, in whatever order and form it was sent.
#[test]
fn foreign_forms_are_verified_as_they_are() {
    let mut value = timestamp_value(1, 1);
    value["zebra"] = json!({"b": [null, true], "a": "é\"\\"});
    value["meta"]["snapshot.json"]["custom"] = json!(1);
    let bytes = sign(&value, &[9]);
    let envelope: Value = serde_json::from_slice(&bytes).unwrap();
    let pretty = serde_json::to_vec_pretty(&envelope).unwrap();
    assert!(timestamp(&a_root(), &pretty).is_ok());
    let mut altered = envelope;
    altered["signed"]["zebra"]["a"] = "e".into();
    assert!(timestamp(&a_root(), &serde_json::to_vec(&altered).unwrap()).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(first_root(&bytes).is_err());
        prop_assert!(timestamp(&a_root(), &bytes).is_err());
    }

    /// One changed byte never passes.
    #[test]
    fn any_changed_byte_is_noticed(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut bytes = sign(&timestamp_value(4, 2), &[9]);
        let before = timestamp(&a_root(), &bytes).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(after) = timestamp(&a_root(), &bytes) {
            prop_assert_eq!(after, before);
        }
    }
}

/// One key signs all bins: what tells them apart is the name in them, or else the targets.
#[test]
fn a_bin_in_the_place_of_another_is_noticed() {
    let (key, _) = key(9);
    let id = key.id().0;
    let delegations: Delegations = serde_json::from_value(json!({
        "keys": {&id: key},
        "succinct_roles": {"bit_length": 4, "keyids": [id], "name_prefix": "bins", "threshold": 1},
    }))
    .unwrap();
    let check = |name: &str, value: &Value| {
        let (entry, delegator) = (MetaFile::version(2), Delegator::Role(&delegations));
        let checked = targets(delegator, name, &entry, &sign(value, &[9]), now());
        checked.map(drop).map_err(|error| error.flaw.label())
    };
    // SHA-256 of "Hello" begins with 1.
    let mut bin = targets_value(2);
    bin["targets"]["Hello"] = json!({"hashes": {"sha256": "0".repeat(64)}, "length": 1});
    assert_eq!(check("bins-1", &bin), Ok(()));
    assert_eq!(check("bins-2", &bin), Err("bin"));
    bin["targets"] = json!({});
    assert_eq!(check("bins-2", &bin), Ok(()), "nothing tells");
    bin["bin"] = "bins-1".into();
    assert_eq!(check("bins-1", &bin), Ok(()));
    assert_eq!(check("bins-2", &bin), Err("bin"));
}
