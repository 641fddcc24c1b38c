use super::testing::{self, by, delegated, ids, keys_of, now, pair};
use super::*;
use crate::tuf::{
    DelegatedRole, Delegations, Digest, Root, Signed, SuccinctRoles, TargetFile, Targets,
};

/// The sentence with which root is refused.
fn refused(old: Option<&Root>, new: &Signed<Root>) -> String {
    let old = old.map(|old| by(old, &[1, 2]));
    root(old.as_ref(), new, now()).unwrap_err().to_string()
}

/// The sentence with which root 2, changed so and signed by 1 and 2, is refused.
fn refused_with(change: impl FnOnce(&mut Root)) -> String {
    let mut new = testing::root(2);
    change(&mut new);
    refused(Some(&testing::root(1)), &by(&new, &[1, 2]))
}

fn says(sentence: &str, parts: &[&str]) {
    for part in parts {
        assert!(sentence.contains(part), "{part} in: {sentence}");
    }
    assert!(!sentence.contains('\n'), "{sentence}");
}

#[test]
fn a_root_signed_by_enough_is_taken() {
    let checked = root(None, &by(&testing::root(1), &[1, 3]), now()).unwrap();
    assert_eq!(checked.standings.len(), 1);
    let old = by(&testing::root(1), &[1, 2]);
    let checked = root(Some(&old), &by(&testing::root(2), &[2, 3]), now()).unwrap();
    assert_eq!(checked.standings.len(), 2, "the old root's keys and the new one's");
    assert_eq!(checked.standings[0].missing, ids(&[1]));
}

#[test]
fn both_thresholds_count() {
    let old = testing::root(1);
    let mut new = testing::root(2);
    new.keys.extend(keys_of(&[6, 7]));
    new.roles.get_mut("root").unwrap().keyids = ids(&[1, 6, 7]);
    let sentence = refused(Some(&old), &by(&new, &[1, 6]));
    says(&sentence, &["root 2 is signed by 1 of the 2 keys that root 1 asks for"]);
    let sentence = refused(Some(&old), &by(&new, &[1, 2]));
    says(&sentence, &["root 2 is signed by 1 of the 2 keys that root 2 asks for"]);
    root(Some(&by(&old, &[1, 2])), &by(&new, &[1, 2, 6]), now()).unwrap();
}

#[test]
fn signatures_that_are_not_what_they_seem() {
    let (old, new) = (testing::root(1), testing::root(2));
    let sentence = refused(Some(&old), &by(&new, &[1, 1]));
    says(&sentence, &["signed root twice", &shown(&pair(1).id()).to_string()]);
    says(&refused(Some(&old), &by(&new, &[1, 2, 8])), &["may not sign it", "removed"]);
    let mut damaged = by(&new, &[1, 2]);
    damaged.signatures[1].sig = damaged.signatures[0].sig.clone();
    says(&refused(Some(&old), &damaged), &["does not verify", "sign again"]);
    // A place that another tool wrote for a signature is none.
    let mut place = by(&new, &[1, 2, 3]);
    place.signatures[2].sig.clear();
    root(Some(&by(&old, &[1])), &place, now()).unwrap();
}

#[test]
fn one_key_under_two_ids_signs_once() {
    let mut new = testing::root(1);
    let alias = crate::tuf::KeyId("alias".into());
    new.keys.insert(alias.clone(), pair(1).key());
    new.roles.get_mut("root").unwrap().keyids.push(alias.clone());
    let mut signed = by(&new, &[1]);
    let again = crate::tuf::Signature { keyid: alias, ..signed.signatures[0].clone() };
    signed.signatures.push(again);
    let faults = root_report(None, &signed, now()).faults;
    let has = |is: fn(&Refusal) -> bool| faults.iter().any(is);
    assert!(has(|f| matches!(f, Refusal::OneKeySignedTwice { .. })), "{faults:?}");
    assert!(has(|f| matches!(f, Refusal::KeyTwice { .. })), "{faults:?}");
    assert!(has(|f| matches!(f, Refusal::Misnamed { .. })), "{faults:?}");
    let sentences: Vec<_> = faults.iter().map(ToString::to_string).collect();
    says(
        &sentences.join("; "),
        &["one key signed root twice, under the ids", "it would count once", "whose id is"],
    );
}

#[test]
fn versions_follow_one_by_one() {
    let old = testing::root(5);
    let at = |version| refused(Some(&old), &by(&testing::root(version), &[1, 2]));
    says(&at(4), &["version 4 of root is older than the current version 5"]);
    says(&at(5), &["there is a version 5 of root already"]);
    says(&at(7), &["leaves out a version", "the next one is 6"]);
    says(&refused(None, &by(&testing::root(2), &[1, 2])), &["--from"]);
}

#[test]
fn a_root_that_would_harm_is_refused() {
    says(
        &refused_with(|root| root.expires = crate::tuf::Expiry::at(now())),
        &["root 2 expired at 2026-06-01"],
    );
    says(&refused_with(|root| root.consistent_snapshot = false), &["consistent_snapshot"]);
    says(&refused_with(|root| drop(root.roles.remove("snapshot"))), &["may sign snapshot"]);
    let threshold = |n| move |root: &mut Root| root.roles.get_mut("targets").unwrap().threshold = n;
    says(&refused_with(threshold(2)), &["\"targets\" asks for 2 signatures and has 1 keys"]);
    says(&refused_with(threshold(0)), &["\"targets\" asks for 0 signatures"]);
    says(&refused_with(|root| drop(root.keys.remove(&pair(4).id()))), &["is not defined"]);
    says(
        &refused_with(|root| root.roles.get_mut("targets").unwrap().keyids = ids(&[4, 4])),
        &["has one key twice"],
    );
    let weak = |root: &mut Root| root.keys.get_mut(&pair(4).id()).unwrap().scheme = "rot13".into();
    says(&refused_with(weak), &["of \"targets\" cannot be used", "not supported"]);
    // Another key under the id of a holder.
    let forged = |root: &mut Root| drop(root.keys.insert(pair(4).id(), pair(8).key()));
    says(&refused_with(forged), &["is not the id of the key", "pass it off"]);
}

#[test]
fn a_root_must_name_online_keys_that_are_loaded() {
    let mut new = testing::root(1);
    root_online(&new, &ids(&[8, 9])).unwrap();
    says(
        &root_online(&new, &ids(&[8])).unwrap_err().to_string(),
        &["locks out every online key", "timestamp"],
    );
    let snapshot = new.roles.get_mut("snapshot").unwrap();
    (snapshot.keyids, snapshot.threshold) = (ids(&[7, 9]), 2);
    says(
        &root_online(&new, &ids(&[9])).unwrap_err().to_string(),
        &["2 online keys for snapshot, of which 1 are"],
    );
    bins_online(&testing::bins(1), &ids(&[9])).unwrap();
    says(&bins_online(&testing::bins(1), &[]).unwrap_err().to_string(), &["this bins locks out"]);
}

fn targets_refused(change: impl FnOnce(&mut Vec<DelegatedRole>, &mut Targets)) -> String {
    let mut new = testing::targets(2);
    let mut roles = new.delegations.as_mut().unwrap().roles.take().unwrap();
    change(&mut roles, &mut new);
    if let Some(delegations) = &mut new.delegations {
        delegations.roles = Some(roles);
    }
    let (root, old) = (testing::root(1), by(&testing::targets(1), &[4]));
    targets(&root, Some(&old), &by(&new, &[4]), Next::One, now()).unwrap_err().to_string()
}

#[test]
fn targets_must_lead_to_the_bins() {
    let (root, old) = (testing::root(1), by(&testing::targets(1), &[4]));
    let new = testing::targets(2);
    targets(&root, Some(&old), &by(&new, &[4]), Next::One, now()).unwrap();
    let refused = |new: &Signed<Targets>, next| {
        targets(&root, Some(&old), new, next, now()).unwrap_err().to_string()
    };
    says(
        &refused(&by(&new, &[]), Next::One),
        &["targets 2 is signed by 0 of the 1 keys that root 1 asks for"],
    );
    says(&refused(&by(&new, &[5]), Next::One), &["signed by key", "may not sign it"]);
    says(&refused(&by(&new, &[4]), Next::Free(3)), &["the next one is 3"]);
    says(&refused(&by(&testing::bins(2), &[4]), Next::One), &["this file is no targets"]);
    says(&targets_refused(|roles, _| roles.clear()), &["of no key that it may sign bins"]);
    says(
        &targets_refused(|roles, _| {
            roles[0].paths = Some(vec!["simple/*/*".into(), "files/a*/*".into()])
        }),
        &["does not trust bins with all of"],
    );
    let listed = |_: &mut Vec<_>, new: &mut Targets| {
        new.targets.insert("simple/a/b".into(), TargetFile::new(Digest::of(b""), 0, None));
    };
    says(&targets_refused(listed), &["lists 1 targets itself"]);
}

#[test]
fn delegations_that_hide_or_pose_as_bins_are_refused() {
    let named = |name: &'static str| {
        targets_refused(move |roles, _| roles.insert(0, delegated(name, &["simple/acme/*"], 5)))
    };
    for (name, why) in [
        ("root", "top-level role"),
        ("bins-0a", "name of a bin"),
        ("bins2-3", "name of a bin"),
        ("bins", "already"),
        ("a/b", "use letters"),
        ("", "empty"),
    ] {
        says(&named(name), &["no delegated role can be called", why]);
    }
    for paths in [&["simple/*/*"][..], &["*/*/*"], &["x", "f*/**/*"]] {
        let role = DelegatedRole { terminating: true, ..delegated("wide", paths, 5) };
        let (before, after) = (role.clone(), role);
        says(
            &targets_refused(move |roles, _| roles.insert(0, before)),
            &["\"wide\" is terminating", "hide the bins"],
        );
        // Behind bins it hides nothing.
        let mut new = testing::targets(2);
        new.delegations.as_mut().unwrap().roles.as_mut().unwrap().push(after);
        let report = targets_report(None, None, &by(&new, &[]), Next::Later, now());
        assert_eq!(report.faults, []);
    }
    let mut hashed = DelegatedRole { terminating: true, ..delegated("wide", &[], 5) };
    (hashed.paths, hashed.path_hash_prefixes) =
        (None, Some((0..16).map(|n| format!("{n:x}")).collect()));
    says(&targets_refused(|roles, _| roles.insert(0, hashed)), &["hide the bins"]);
}

#[test]
fn bins_must_be_this_repositorys() {
    let (above, old) = (testing::targets(1), by(&testing::bins(1), &[5]));
    let refused = |new: &Targets, by_keys: &[u8]| {
        let new = by(new, by_keys);
        bins(&above, Some(&old), &new, Next::One, now()).unwrap_err().to_string()
    };
    bins(&above, Some(&old), &by(&testing::bins(2), &[5]), Next::One, now()).unwrap();
    says(&refused(&testing::bins(2), &[9]), &["may not sign it"]);
    says(
        &refused(&testing::bins(2), &[]),
        &["bins 2 is signed by 0 of the 1 keys that targets 1 asks for"],
    );
    says(&refused(&testing::targets(2), &[5]), &["this file is no bins"]);
    let with = |change: fn(&mut SuccinctRoles)| {
        let mut new = testing::bins(2);
        change(new.delegations.as_mut().unwrap().succinct_roles.as_mut().unwrap());
        new
    };
    let sentence = refused(&with(|bins| bins.bit_length = 5), &[5]);
    says(
        &sentence,
        &["32 bins called bins-", "has 16 of that name", "another repository's bins", "new prefix"],
    );
    says(&refused(&with(|bins| bins.bit_length = 15), &[5]), &["2 to 16384 bins"]);
    says(&refused(&with(|bins| bins.name_prefix = "../x".into()), &[5]), &["use letters"]);
    says(&refused(&with(|bins| bins.threshold = 2), &[5]), &["asks for 2 signatures and has 1"]);
    let grown = with(|bins| (bins.bit_length, bins.name_prefix) = (5, "bins2".into()));
    bins(&above, Some(&old), &by(&grown, &[5]), Next::One, now()).unwrap();
}

#[test]
fn bins_that_stay_must_fit_a_new_targets() {
    let stays = by(&testing::bins(1), &[5, 8]);
    fits(&testing::targets(2), &stays).unwrap();
    let mut other = testing::targets(2);
    let Delegations { roles, keys, .. } = other.delegations.as_mut().unwrap();
    (roles.as_mut().unwrap()[0].keyids, *keys) = (ids(&[6]), keys_of(&[6]));
    says(
        &fits(&other, &stays).unwrap_err().to_string(),
        &["bins 1 is signed by 0 of the 1 keys that targets 2"],
    );
    let mut posing = testing::targets(2);
    let roles = posing.delegations.as_mut().unwrap().roles.as_mut().unwrap();
    roles.insert(0, delegated("bins-3", &["x"], 5));
    says(&fits(&posing, &stays).unwrap_err().to_string(), &["name of a bin"]);
}

#[test]
fn a_key_id_does_not_reach_the_terminal() {
    let id = crate::tuf::KeyId("\u{1b}[2K\nroot \u{202e}".into());
    let text = shown(&id).to_string();
    assert!(text.chars().all(|c| c.is_ascii_graphic() || c == '\u{fffd}'), "{text:?}");
}
