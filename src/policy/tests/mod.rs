mod properties;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::*;
use crate::index::{CoreMetadata, File, ProjectName, ProjectPage, Source, Sources, Status, Yanked};
use crate::repository::{Blocked, Decision, Edit, PageChange, ProjectBase};
use crate::telemetry::Refusal;
use crate::tuf::{Digest, Retired};

const NAMES: [&str; 5] =
    ["foo-1.tar.gz", "foo-2.tar.gz", "foo-2-py3-none-any.whl", "foo-3.zip", "foo-4.zip"];

fn project() -> ProjectName {
    ProjectName::parse("foo").unwrap()
}

fn digest(n: u8) -> Digest {
    Digest::of(&[n])
}

fn sha256(n: u8) -> (String, String) {
    ("sha256".to_owned(), digest(n).to_string())
}

fn file(name: &str, hash: Option<u8>) -> File {
    File {
        filename: name.to_owned(),
        hashes: hash.map(sha256).into_iter().collect(),
        requires_python: None,
        size: Some(7),
        upload_time: None,
        yanked: Yanked::No,
        core_metadata: CoreMetadata::None,
        gpg_sig: None,
        provenance: false,
        extra: BTreeMap::new(),
    }
}

fn page(files: Vec<File>) -> ProjectPage {
    ProjectPage {
        name: project(),
        files,
        versions: Vec::new(),
        status: Status::default(),
        tracks: Vec::new(),
        alternate_locations: Vec::new(),
        extra: BTreeMap::new(),
        meta_extra: BTreeMap::new(),
    }
}

fn source(text: &str) -> Source {
    Source { url: text.parse().unwrap(), provenance: None }
}

fn update(page: ProjectPage) -> PageUpdate {
    let mut update = PageUpdate {
        asked: page.files.iter().map(|f| f.filename.clone()).collect(),
        page: page.normalized_for_test(),
        sources: Sources::new(),
        old_sources: Sources::new(),
        held: BTreeMap::new(),
        allowances: Vec::new(),
    };
    for name in &update.asked {
        update.sources.insert(name.clone(), source(&format!("https://m.example/new/{name}")));
    }
    update
}

trait Sorted {
    fn normalized_for_test(self) -> Self;
}

impl Sorted for ProjectPage {
    /// Sorted, each name once, as parsers give it; unhashed core metadata stays.
    fn normalized_for_test(mut self) -> Self {
        self.files.sort_by(|a, b| a.filename.cmp(&b.filename));
        self.files.dedup_by(|a, b| a.filename == b.filename);
        self
    }
}

/// What the repository makes of a decision.
#[derive(Default, Clone)]
struct State {
    page: Option<Arc<ProjectPage>>,
    retired: BTreeMap<String, Retired>,
    blocked: Blocked,
    /// Publications so far.
    changes: usize,
}

impl State {
    fn apply(&mut self, edit: &dyn Edit) -> Decision {
        let asked = edit.filenames();
        let retired = self.retired.iter().filter(|(name, _)| asked.contains(name));
        let decision = edit.decide(&ProjectBase {
            page: self.page.clone(),
            retired: retired.map(|(n, r)| (n.clone(), r.clone())).collect(),
            blocked: self.blocked.clone(),
            now: jiff::Timestamp::from_second(1_800_000_000 + self.changes as i64).unwrap(),
        });
        let new = match &decision.page {
            PageChange::Keep => self.page.clone(),
            PageChange::Withdraw => None,
            PageChange::Replace(page) => Some(Arc::new((**page).clone())),
        };
        if new != self.page || decision.blocked.is_some() {
            self.changes += 1;
        }
        let old = std::mem::replace(&mut self.page, new);
        for file in old.iter().flat_map(|page| &page.files) {
            let core = match &file.core_metadata {
                CoreMetadata::Hashes(hashes) => hashes.get("sha256").map(|h| h.parse().unwrap()),
                _ => None,
            };
            let sha256 = file.sha256().unwrap().parse().unwrap();
            let retired = Retired { core_metadata: core, sha256, extra: BTreeMap::new() };
            self.retired.insert(file.filename.clone(), retired);
        }
        for file in self.page.iter().flat_map(|page| &page.files) {
            self.retired.remove(&file.filename);
        }
        if let Some(blocked) = &decision.blocked {
            self.blocked = blocked.clone();
        }
        decision
    }

    fn file(&self, name: &str) -> Option<&File> {
        self.page.as_ref()?.files.iter().find(|f| f.filename == name)
    }

    fn hash(&self, name: &str) -> Option<&str> {
        self.file(name)?.sha256()
    }
}

fn reasons(decision: &Decision) -> Vec<(&str, &str)> {
    let refused = decision.refused.iter();
    refused.map(|r| (r.reason.as_str(), r.filename.as_deref().unwrap_or_default())).collect()
}

#[test]
fn a_changed_hash_is_refused_and_the_rest_of_the_page_is_taken() {
    let mut state = State::default();
    state.apply(&update(page(vec![file(NAMES[0], Some(1)), file(NAMES[1], Some(2))])));
    let mut yanked = file(NAMES[1], Some(2));
    yanked.yanked = Yanked::Yes;
    let mut changed =
        update(page(vec![file(NAMES[0], Some(9)), yanked.clone(), file(NAMES[3], Some(3))]));
    changed.old_sources.insert(NAMES[0].into(), source("https://m.example/old"));
    let decision = state.apply(&changed);
    assert_eq!(reasons(&decision), [("changed-hash", NAMES[0])]);
    let refused = decision.refused.first().unwrap();
    assert_eq!(refused.expected, Some(digest(1)));
    assert_eq!(refused.found, Some(digest(9).to_string()));
    assert_eq!(state.hash(NAMES[0]), Some(digest(1).to_string().as_str()));
    assert_eq!(state.file(NAMES[1]).unwrap().yanked, Yanked::Yes);
    assert!(state.file(NAMES[3]).is_some());
    let sources = decision.sources.unwrap();
    assert_eq!(sources.get(NAMES[0]), Some(&source("https://m.example/old")));
    assert_ne!(sources.get(NAMES[1]), None);
}

#[test]
fn a_name_that_was_deleted_keeps_its_bytes() {
    let mut state = State::default();
    state.apply(&update(page(vec![file(NAMES[0], Some(1)), file(NAMES[1], Some(2))])));
    state.apply(&update(page(vec![file(NAMES[1], Some(2))])));
    assert_eq!(state.hash(NAMES[0]), None);
    let other = update(page(vec![file(NAMES[0], Some(9)), file(NAMES[1], Some(2))]));
    let decision = state.apply(&other);
    assert_eq!(reasons(&decision), [("retired-name", NAMES[0])]);
    assert_eq!(state.hash(NAMES[0]), None);

    let mut allowed = other.clone();
    allowed.allowances.push(Allowance { filename: NAMES[0].into(), sha256: digest(8) });
    assert_eq!(reasons(&state.apply(&allowed)), [("retired-name", NAMES[0])], "another hash");
    allowed.allowances = vec![Allowance { filename: NAMES[0].into(), sha256: digest(9) }];
    let decision = state.apply(&allowed);
    assert_eq!(decision.allowed, [(NAMES[0].to_owned(), Some(digest(1)), digest(9))]);
    assert_eq!(state.hash(NAMES[0]), Some(digest(9).to_string().as_str()));
    let back = state.apply(&update(page(vec![file(NAMES[0], Some(1))])));
    assert_eq!(reasons(&back), [("changed-hash", NAMES[0])], "an allowance is used once");
}

#[test]
fn the_same_bytes_come_back() {
    let mut state = State::default();
    let shown = update(page(vec![file(NAMES[0], Some(1)), file(NAMES[1], Some(2))]));
    state.apply(&shown);
    state.apply(&Withdrawal { project: project() });
    assert!(state.page.is_none());
    assert!(state.apply(&shown).refused.is_empty());
    assert_eq!(state.hash(NAMES[0]), Some(digest(1).to_string().as_str()));
}

#[test]
fn what_the_mirror_does_not_say_is_kept() {
    let mut state = State::default();
    let mut full = file(NAMES[2], Some(1));
    full.hashes.insert("md5".into(), "0".repeat(32));
    full.core_metadata = CoreMetadata::Hashes([sha256(5)].into());
    state.apply(&update(page(vec![full.clone()])));
    let time = state.file(NAMES[2]).unwrap().upload_time.clone();
    assert_eq!(time.as_deref(), Some("2027-01-15T08:00:00Z"));

    let mut bare = full.clone();
    bare.hashes.remove("sha256");
    bare.size = None;
    bare.core_metadata = CoreMetadata::Unhashed;
    state.apply(&update(page(vec![bare.clone()])));
    assert_eq!(state.changes, 1, "nothing new was said");

    bare.hashes.insert("md5".into(), "1".repeat(32));
    state.apply(&update(page(vec![bare, file(NAMES[3], None)])));
    assert_eq!(state.changes, 1, "what has to be hashed first stays as it was, or out");
}

#[test]
fn the_core_metadata_of_a_file_keeps_its_hash() {
    let with = |n| {
        let mut file = file(NAMES[2], Some(1));
        file.core_metadata = CoreMetadata::Hashes([sha256(n)].into());
        update(page(vec![file]))
    };
    let mut state = State::default();
    state.apply(&with(5));
    let decision = state.apply(&with(6));
    assert_eq!(reasons(&decision), [("changed-hash", "foo-2-py3-none-any.whl.metadata")]);
    assert_eq!(state.changes, 1);
    state.apply(&Withdrawal { project: project() });
    let decision = state.apply(&with(6));
    assert_eq!(reasons(&decision), [("changed-hash", "foo-2-py3-none-any.whl.metadata")]);
    let kept = &state.file(NAMES[2]).unwrap().core_metadata;
    assert_eq!(*kept, CoreMetadata::Hashes([sha256(5)].into()));
}

#[test]
fn a_quarantined_project_offers_nothing() {
    let mut state = State::default();
    let mut shown = page(vec![file(NAMES[0], Some(1))]);
    state.apply(&update(shown.clone()));
    shown.status.marker = Some(QUARANTINED.into());
    state.apply(&update(shown));
    let page = state.page.clone().unwrap();
    assert!(page.files.is_empty());
    assert_eq!(page.status.marker.as_deref(), Some(QUARANTINED));
    assert!(state.retired.contains_key(NAMES[0]));
}

#[test]
fn blocks_hold_until_they_are_taken_back() {
    let mut state = State::default();
    let shown = update(page(vec![file(NAMES[0], Some(1)), file(NAMES[1], Some(2))]));
    state.apply(&shown);
    let one = Some(NAMES[0].to_owned());
    state.apply(&Block { project: project(), filename: one.clone() });
    assert!(state.file(NAMES[0]).is_none() && state.file(NAMES[1]).is_some());
    assert_eq!(reasons(&state.apply(&shown)), [("blocked", NAMES[0])]);
    assert!(state.file(NAMES[0]).is_none());

    state.apply(&Block { project: project(), filename: None });
    assert!(state.page.is_none());
    assert_eq!(reasons(&state.apply(&shown)), [("blocked", "")]);
    assert!(state.page.is_none());
    let changes = state.changes;
    state.apply(&Block { project: project(), filename: one.clone() });
    state.apply(&Unblock { project: project(), filename: one });
    assert_eq!((state.changes, &state.blocked), (changes, &Blocked::Project));

    state.apply(&Unblock { project: project(), filename: None });
    state.apply(&shown);
    assert_eq!(state.page.unwrap().files.len(), 2);
}

#[test]
fn entries_that_must_not_be_taken_leave_what_was() {
    let mut state = State::default();
    state.apply(&update(page(vec![file(NAMES[0], Some(1))])));
    let mut strange =
        vec![file(NAMES[0], Some(1)), file("bar-1.zip", Some(2)), file("foo-1.txt", Some(3))];
    strange.extend([file("foo-%41.zip", Some(4)), file(".foo-1.zip", Some(5))]);
    let mut shown = update(page(strange));
    for name in [NAMES[0], NAMES[1]] {
        let held = Held { reason: Refusal::Origin, why: "https://other.example".into() };
        shown.held.insert(name.into(), held);
    }
    let mut seen: Vec<_> = state.apply(&shown).refused.into_iter().map(|r| r.reason).collect();
    seen.sort();
    assert_eq!(seen, ["bad-name", "bad-name", "bad-name", "bad-name", "origin", "origin"]);
    assert_eq!(state.changes, 1);
}

#[test]
fn no_page_is_made_of_files_that_are_not_ready() {
    let mut state = State::default();
    state.apply(&update(page(vec![file(NAMES[0], None)])));
    assert!(state.page.is_none());
    state.apply(&update(page(vec![])));
    assert!(state.page.unwrap().files.is_empty(), "but an empty one is made of an empty one");
}

#[test]
fn a_name_whose_history_was_not_asked_for_is_left_out() {
    let mut state = State::default();
    let first = page(vec![file(NAMES[0], Some(1)), file(NAMES[1], Some(2))]);
    state.apply(&update(first.clone()));
    // Both were listed when the look began; one is withdrawn before its publication.
    let mut late = update(page(vec![file(NAMES[0], Some(9)), file(NAMES[1], Some(2))]));
    late.asked = BTreeSet::new();
    state.apply(&Block { project: project(), filename: Some(NAMES[0].into()) });
    state.apply(&Unblock { project: project(), filename: Some(NAMES[0].into()) });
    state.apply(&late);
    assert_eq!(state.hash(NAMES[0]), None);
    assert!(state.hash(NAMES[1]).is_some());
}

#[test]
fn a_measured_length_corrects_a_promised_one() {
    let mut state = State::default();
    state.apply(&update(page(vec![file(NAMES[0], Some(1))])));
    let mut measure =
        Measure { project: project(), filename: NAMES[0].into(), sha256: digest(2), length: 9 };
    state.apply(&measure);
    assert_eq!(state.file(NAMES[0]).unwrap().size, Some(7), "other bytes were measured");
    measure.sha256 = digest(1);
    state.apply(&measure);
    assert_eq!(state.file(NAMES[0]).unwrap().size, Some(9));
}
