use proptest::prelude::*;

use super::*;

prop_compose! {
    fn any_file()(
        name in 0..NAMES.len(),
        hash in prop::option::weighted(0.8, 1u8..4),
        md5 in prop::option::of(1u8..3),
        size in prop::option::of(1u64..3),
        core in prop_oneof![
            Just(CoreMetadata::None),
            Just(CoreMetadata::Unhashed),
            (1u8..3).prop_map(|n| CoreMetadata::Hashes([sha256(n)].into())),
        ],
    ) -> File {
        let mut file = file(NAMES[name], hash);
        file.hashes.extend(md5.map(|n| ("md5".to_owned(), format!("{n:032x}"))));
        file.size = size;
        file.core_metadata = core;
        file
    }
}

#[derive(Debug, Clone)]
enum Step {
    Shown(Vec<File>, bool, Option<usize>),
    Withdrawn,
    Blocked(Option<usize>),
    Unblocked(Option<usize>),
}

fn any_step() -> impl Strategy<Value = Step> {
    let files = prop::collection::vec(any_file(), 0..6);
    let name = || prop::option::of(0..NAMES.len());
    prop_oneof![
        8 => (files, prop::bool::weighted(0.05), name()).prop_map(|(f, q, h)| Step::Shown(f, q, h)),
        1 => Just(Step::Withdrawn),
        1 => name().prop_map(Step::Blocked),
        1 => name().prop_map(Step::Unblocked),
    ]
}

fn edit_of(step: Step) -> Box<dyn Edit> {
    let name = |n: Option<usize>| n.map(|n| NAMES[n].to_owned());
    match step {
        Step::Withdrawn => Box::new(Withdrawal { project: project() }),
        Step::Blocked(n) => Box::new(Block { project: project(), filename: name(n) }),
        Step::Unblocked(n) => Box::new(Unblock { project: project(), filename: name(n) }),
        Step::Shown(files, quarantined, held) => {
            let mut shown = page(files);
            shown.status.marker = quarantined.then(|| QUARANTINED.to_owned());
            let mut update = update(shown);
            let held = held.map(|n| NAMES[n].to_owned());
            update.held = held
                .map(|n| (n, Held { reason: Refusal::Origin, why: "".into() }))
                .into_iter()
                .collect();
            Box::new(update)
        }
    }
}

proptest! {
    #[test]
    fn a_name_never_gets_two_hashes_without_an_allowance(
        steps in prop::collection::vec(any_step(), 1..12),
    ) {
        let mut state = State::default();
        let mut first: BTreeMap<String, String> = BTreeMap::new();
        for step in steps {
            let decision = state.apply(&*edit_of(step));
            prop_assert!(decision.allowed.is_empty());
            for file in state.page.iter().flat_map(|page| &page.files) {
                let hash = file.sha256().unwrap().to_owned();
                let known = first.entry(file.filename.clone()).or_insert_with(|| hash.clone());
                prop_assert_eq!(&*known, &hash);
                prop_assert!(file.upload_time.is_some());
                prop_assert!(file.core_metadata != CoreMetadata::Unhashed);
            }
        }
    }

    #[test]
    fn the_same_upstream_state_twice_changes_nothing(
        steps in prop::collection::vec(any_step(), 1..8),
    ) {
        let mut state = State::default();
        for step in steps {
            let edit = edit_of(step);
            state.apply(&*edit);
            let (page, changes) = (state.page.clone(), state.changes);
            state.apply(&*edit);
            prop_assert_eq!(&page, &state.page);
            prop_assert_eq!(changes, state.changes);
        }
    }

    #[test]
    fn core_metadata_of_a_listed_file_never_changes_its_hash(
        steps in prop::collection::vec(any_step(), 1..8),
    ) {
        let mut state = State::default();
        for step in steps {
            let before = state.page.clone();
            state.apply(&*edit_of(step));
            for old in before.iter().flat_map(|page| &page.files) {
                let Some(new) = state.file(&old.filename) else { continue };
                if let (CoreMetadata::Hashes(a), CoreMetadata::Hashes(b)) =
                    (&old.core_metadata, &new.core_metadata)
                {
                    prop_assert_eq!(a.get("sha256"), b.get("sha256"));
                }
            }
        }
    }
}
