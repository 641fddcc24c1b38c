use super::*;
use crate::ceremony::check::testing::{self, by, ids, later, now, pair};
use crate::ceremony::check::{Next, Refusal};
use crate::ceremony::holders;
use crate::tuf::{Delegations, Root, Signed, Targets};

pub(in crate::ceremony) fn held(name: &str, seed: u8) -> HolderKey {
    HolderKey { name: name.into(), key: pair(seed).key() }
}

fn edit(add: &[(&str, u8)], remove: &[&str], threshold: Option<u64>) -> RoleEdit {
    RoleEdit {
        add: add.iter().map(|(name, seed)| held(name, *seed)).collect(),
        remove: remove.iter().map(ToString::to_string).collect(),
        threshold,
    }
}

/// root 1: red 1, green 2, blue 3 with a threshold of 2; targets: amber 4; online: 9.
fn first_root() -> Signed<Root> {
    let changes = RootChanges {
        root: edit(&[("red", 1), ("green", 2), ("blue", 3)], &[], Some(2)),
        targets: edit(&[("amber", 4)], &[], None),
        timestamp: vec![pair(9).key()],
        snapshot: vec![pair(9).key()],
        expires: later(),
    };
    let draft = root(None, &changes, now()).unwrap();
    assert!(draft.signatures.is_empty());
    by(&draft.signed, &[1, 2])
}

fn next_root(changes: RootChanges) -> Result<Root, DraftError> {
    root(Some(&first_root()), &changes, now()).map(|draft| draft.signed)
}

fn renewal() -> RootChanges {
    RootChanges::renewal(later())
}

fn says<T: std::fmt::Debug>(result: Result<T, DraftError>, parts: &[&str]) {
    let said = result.unwrap_err().to_string();
    for part in parts {
        assert!(said.contains(part), "{part} in: {said}");
    }
}

#[test]
fn a_first_root_names_its_holders() {
    let root = first_root().signed;
    let named = holders::of(&root.extra);
    assert_eq!(named[&pair(1).id()], "red");
    assert_eq!(named.len(), 4, "the online key has no holder");
    assert_eq!(
        (root.version, root.roles["root"].threshold, root.roles["targets"].threshold),
        (1, 2, 1)
    );
    says(super::root(None, &renewal(), now()), &["first version of root needs --holder"]);
}

#[test]
fn a_renewal_changes_version_and_expiry_alone() {
    let first = first_root().signed;
    let renewed = next_root(renewal()).unwrap();
    assert_eq!(renewed, Root { version: 2, ..first });
}

#[test]
fn holders_come_and_go() {
    let swapped = RootChanges { root: edit(&[("violet", 6)], &["red"], Some(3)), ..renewal() };
    let root = next_root(swapped).unwrap();
    assert_eq!(root.roles["root"].keyids, ids(&[2, 3, 6]));
    assert!(!root.keys.contains_key(&pair(1).id()), "unused keys leave");
    assert!(!holders::of(&root.extra).contains_key(&pair(1).id()));
    // By key id, whole or its beginning.
    let id = pair(1).id().0;
    for who in [id.as_str(), &id[..16]] {
        let root = next_root(RootChanges { root: edit(&[], &[who], None), ..renewal() }).unwrap();
        assert_eq!(root.roles["root"].keyids, ids(&[2, 3]));
    }
}

#[test]
fn changes_that_cannot_be_are_named() {
    let with = |root| next_root(RootChanges { root, ..renewal() });
    says(with(edit(&[], &["violet"], None)), &["root has no holder and no key id violet"]);
    says(with(edit(&[("red", 1)], &[], None)), &["may sign root already"]);
    says(with(edit(&[("violet", 4)], &[], None)), &["is held by amber"]);
    says(with(edit(&[("a b\n", 6)], &[], None)), &["no holder can be called \"a b\\n\""]);
    says(with(edit(&[("deadbeef01", 6)], &[], None)), &["no holder can be called"]);
    says(with(edit(&[], &[], Some(4))), &["asks for 4 signatures and has 3 keys"]);
    says(with(edit(&[], &["red", "green"], None)), &["asks for 2 signatures and has 1 keys"]);
    let current = by(&first_root().signed, &[1]);
    says(root(Some(&current), &renewal(), now()), &["is a draft itself", "1 of the 2 keys"]);
}

#[test]
fn one_name_for_two_keys_needs_a_key_id() {
    let twice =
        next_root(RootChanges { root: edit(&[("red", 6)], &[], None), ..renewal() }).unwrap();
    let current = by(&twice, &[1, 2]);
    let gone = RootChanges { root: edit(&[], &["red"], None), ..renewal() };
    says(root(Some(&current), &gone, now()), &["red stands for 2 keys of root"]);
}

#[test]
fn online_keys_are_replaced_as_a_set() {
    let keys = vec![pair(7).key(), pair(8).key()];
    let changes = RootChanges { timestamp: keys.clone(), snapshot: keys, ..renewal() };
    let root = next_root(changes).unwrap();
    assert_eq!(root.roles["timestamp"].keyids, ids(&[7, 8]));
    assert!(!root.keys.contains_key(&pair(9).id()));
    let one = RootChanges { timestamp: vec![pair(7).key()], ..renewal() };
    let root = next_root(one).unwrap();
    assert_eq!(root.roles["snapshot"].keyids, ids(&[9]));
}

fn first_targets() -> Signed<Targets> {
    let holders = edit(&[("blue", 5)], &[], None);
    let changes = TargetsChanges { bins: holders, ..TargetsChanges::renewal(later()) };
    targets(None, &changes, now()).unwrap()
}

#[test]
fn targets_puts_delegations_in_front_of_bins() {
    let renewal = || TargetsChanges::renewal(later());
    says(targets(None, &renewal(), now()), &["first version of targets needs --holder"]);
    let first = first_targets();
    assert_eq!(first.signed.delegations, testing::targets(1).delegations, "as init makes it");
    let delegation = |name: &str, path: &str| Delegation {
        name: name.into(),
        paths: vec![path.into()],
        key: pair(6).key(),
    };
    let changes =
        TargetsChanges { delegate: vec![delegation("acme", "simple/acme-*/*")], ..renewal() };
    let second = targets(Some(&first), &changes, now()).unwrap();
    let names = |of: &Signed<Targets>| -> Vec<String> {
        let roles = of.signed.delegations.as_ref().unwrap().roles.as_ref().unwrap();
        roles.iter().map(|role| role.name.clone()).collect()
    };
    assert_eq!(names(&second), ["acme", "bins"]);
    says(targets(Some(&second), &changes, now()), &["\"acme\"", "already"]);
    let posing = TargetsChanges { delegate: vec![delegation("bins-0", "x")], ..renewal() };
    says(targets(Some(&first), &posing, now()), &["name of a bin"]);
    let gone = |name: &str| TargetsChanges { undelegate: vec![name.into()], ..renewal() };
    let third = targets(Some(&second), &gone("acme"), now()).unwrap();
    assert_eq!((names(&third), third.signed.version), (vec!["bins".into()], 3));
    assert_eq!(third.signed.delegations, first.signed.delegations);
    says(targets(Some(&first), &gone("acme"), now()), &["nobody called acme"]);
    says(targets(Some(&first), &gone("bins"), now()), &["bins stays delegated"]);
    says(targets(Some(&testing_bins()), &renewal(), now()), &["no targets of this repository"]);
}

fn testing_bins() -> Signed<Targets> {
    by(&testing::bins(1), &[5])
}

#[test]
fn a_number_can_be_chosen_and_only_goes_up() {
    let number =
        |number| TargetsChanges { number: Some(number), ..TargetsChanges::renewal(later()) };
    let first = first_targets();
    assert_eq!(targets(Some(&first), &number(7), now()).unwrap().signed.version, 7);
    says(targets(Some(&first), &number(1), now()), &["would not be later than the current one, 1"]);
    let report = crate::ceremony::check::targets_report(
        None,
        Some(&first.signed),
        &targets(Some(&first), &number(7), now()).unwrap(),
        Next::One,
        now(),
    );
    assert!(matches!(report.faults[..], [Refusal::Gap { expected: 2, .. }]));
}

#[test]
fn another_number_of_bins_has_another_prefix() {
    let renewal = || BinsChanges::renewal(later());
    says(bins(None, None, &renewal(), now()), &["first version of bins needs --online and --bins"]);
    let first = BinsChanges { online: vec![pair(9).key()], bins: Some(16), ..renewal() };
    let first = bins(None, None, &first, now()).unwrap();
    assert_eq!(first.signed.delegations, testing::bins(1).delegations, "as init makes it");
    let succinct = |changes: BinsChanges| {
        let Delegations { succinct_roles, .. } =
            bins(None, Some(&first), &changes, now()).unwrap().signed.delegations.unwrap();
        let succinct = succinct_roles.unwrap();
        (succinct.bit_length, succinct.name_prefix, succinct.keyids)
    };
    assert_eq!(succinct(renewal()), (4, "bins".into(), ids(&[9])));
    let grown = |prefix: Option<&str>| BinsChanges {
        bins: Some(32),
        prefix: prefix.map(str::to_owned),
        ..renewal()
    };
    assert_eq!(succinct(grown(None)), (5, "bins2".into(), ids(&[9])));
    assert_eq!(succinct(grown(Some("shelf"))), (5, "shelf".into(), ids(&[9])));
    says(bins(None, Some(&first), &grown(Some("bins")), now()), &["needs a new prefix"]);
    says(bins(None, Some(&first), &grown(Some("a/b")), now()), &["use letters"]);
    let other = BinsChanges { online: vec![pair(7).key()], ..renewal() };
    assert_eq!(succinct(other), (4, "bins".into(), ids(&[7])));
    for count in [0, 1, 17, 32768] {
        let changes = BinsChanges { bins: Some(count), ..renewal() };
        says(bins(None, Some(&first), &changes, now()), &["bins cannot be: use a power of two"]);
    }
    says(bins(None, Some(&first_targets()), &renewal(), now()), &["no bins of this repository"]);
}
