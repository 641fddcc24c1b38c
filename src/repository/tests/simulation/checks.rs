//! What must hold after each step, seen directly in the objects.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use crate::index::{Format, parse_signed};
use crate::repository::pages::unpack;
use crate::repository::{Commit, page_path};
use crate::store::layout;
use crate::tuf::{self, Digest, Root, Signed, Snapshot, Targets};

use super::actors::{GRACE, PROJECTS, name_of, upstream_page};
use super::world::{Event, Object, State};

type Objects = BTreeMap<String, Object>;

/// How far a replica's clock may be off.
pub const SKEW: Duration = Duration::from_secs(300);

/// A publication that was the newest one.
struct Visible {
    timestamp: u64,
    commit: u64,
    versions: BTreeMap<String, u64>,
    /// All objects that it reaches.
    objects: BTreeSet<String>,
    pages: [Option<Digest>; PROJECTS],
    /// When a newer one took its place.
    until: Option<Timestamp>,
}

#[derive(Default)]
pub struct Checks {
    visible: Vec<Visible>,
    /// The content of every object that was ever reached.
    contents: BTreeMap<String, Digest>,
    commits: Vec<Digest>,
    /// The least state that each project's page can be in.
    states: [u64; PROJECTS],
    /// What was seen, for the report.
    pub deleted: u64,
}

type Checked = Result<(), String>;

impl Checks {
    /// How many publications were seen.
    pub fn publications(&self) -> usize {
        self.visible.len()
    }

    /// Checks what happened since the last time.
    pub fn step(&mut self, state: &mut State, upstream: &[u64], now: Timestamp) -> Checked {
        for event in std::mem::take(&mut state.events) {
            match event {
                Event::Created(name) => self.created(&name, &state.objects)?,
                Event::Overwritten(name) if advice(&name) => {}
                Event::Overwritten(name) => return Err(format!("{name} was overwritten")),
                Event::Deleted(name) if advice(&name) => {}
                Event::Deleted(name) => self.deleted(&name, now)?,
            }
        }
        self.newest(&state.objects, upstream, now)
    }

    fn created(&mut self, name: &str, objects: &Objects) -> Checked {
        if !name.starts_with("journal/") {
            return Ok(());
        }
        let commit: Commit = parse(name, objects)?;
        self.commits.push(digest(name, objects)?);
        if commit.number != self.commits.len() as u64 || name != layout::commit(commit.number) {
            return Err(format!("{name} follows commit {}", self.commits.len() - 1));
        }
        Ok(())
    }

    fn deleted(&mut self, name: &str, now: Timestamp) -> Checked {
        self.deleted += 1;
        if name.starts_with("journal/") || name.starts_with("root/") {
            return Err(format!("{name} was deleted"));
        }
        let needed = |v: &&Visible| v.until.is_none_or(|until| until + GRACE > now);
        match self.visible.iter().filter(needed).find(|v| v.objects.contains(name)) {
            None => Ok(()),
            Some(Visible { timestamp, until, .. }) => Err(format!(
                "{name} was deleted at {now}, which timestamp {timestamp} reaches, the newest until {until:?}"
            )),
        }
    }

    /// Looks at the newest timestamp, if it is another one than before.
    fn newest(&mut self, objects: &Objects, upstream: &[u64], now: Timestamp) -> Checked {
        let timestamps = objects.range("timestamps/".to_owned().."timestamps0".to_owned());
        let Some((name, _)) = timestamps.last() else { return Ok(()) };
        let number = layout::number(name.trim_start_matches("timestamps/")).unwrap();
        let known = self.visible.last().map_or(0, |visible| visible.timestamp);
        if number < known {
            return Err(format!("the newest timestamp went back from {known} to {number}"));
        }
        if number == known {
            return Ok(());
        }
        let visible = self.read(name, number, objects)?;
        if let Some(before) = self.visible.last_mut() {
            before.until = Some(now);
            if visible.commit < before.commit {
                return Err(format!("{name} names commit {} again", visible.commit));
            }
            for (role, version) in &before.versions {
                if visible.versions.get(role).is_none_or(|newer| newer < version) {
                    return Err(format!("{role} went back from {version} with {name}"));
                }
            }
        }
        for (of, page) in visible.pages.iter().enumerate() {
            let fits = |state: &u64| shown(of, *state) == *page;
            let from = self.states[of];
            match (from..=upstream[of]).find(fits) {
                Some(state) => self.states[of] = state,
                None => return Err(format!("the page of p{of} is older than state {from}")),
            }
        }
        self.visible.push(visible);
        Ok(())
    }

    /// All that a timestamp reaches, each with its hash and signature.
    fn read(&mut self, name: &str, number: u64, objects: &Objects) -> Result<Visible, String> {
        let timestamp: Signed<tuf::Timestamp> = parse(name, objects)?;
        let root: Signed<Root> = parse(&layout::root(1), objects)?;
        let bins: Signed<Targets> = parse(&layout::metadata(1, "bins"), objects)?;
        let delegations = bins.signed.delegations.as_ref().unwrap();
        let entry = &timestamp.signed.meta["snapshot.json"];
        let snapshot_name = layout::metadata(entry.version, "snapshot");
        let snapshot: Signed<Snapshot> = parse(&snapshot_name, objects)?;
        let verified = root.signed.verify("timestamp", &timestamp);
        verified.and(root.signed.verify("snapshot", &snapshot)).map_err(|e| e.to_string())?;
        let hash = entry.hashes.as_ref().and_then(|hashes| hashes.get("sha256")).cloned();
        if hash != Some(digest(&snapshot_name, objects)?.to_string()) {
            return Err(format!("{snapshot_name} is not the one that {name} names"));
        }
        let commit = timestamp.signed.commit.unwrap();
        if snapshot.signed.commit.is_some_and(|named| named != commit) {
            return Err(format!("{snapshot_name} is not of commit {commit}"));
        }
        let mut visible = Visible {
            timestamp: number,
            commit,
            versions: [("snapshot".to_owned(), entry.version)].into(),
            objects: [name.to_owned(), snapshot_name].into(),
            pages: [None; PROJECTS],
            until: None,
        };
        for bin in delegations.succinct_roles.as_ref().unwrap().names() {
            let version = snapshot.signed.meta[&format!("{bin}.json")].version;
            let object = layout::metadata(version, &bin);
            let signed: Signed<Targets> = parse(&object, objects)?;
            delegations.verify(&bin, &signed).map_err(|e| format!("{object}: {e}"))?;
            if signed.signed.version != version {
                return Err(format!("{object} holds another version"));
            }
            visible.versions.insert(bin, version);
            visible.objects.insert(object);
            visible.read_pages(&signed.signed, objects)?;
        }
        for object in &visible.objects {
            let digest = digest(object, objects)?;
            let before = self.contents.insert(object.clone(), digest);
            if before.is_some_and(|before| before != digest) {
                return Err(format!("{object} was visible with other content before"));
            }
        }
        Ok(visible)
    }

    /// Whether `bytes` are a right answer to who asks for a version that was visible once.
    pub fn judge(
        &self,
        version: u64,
        role: &str,
        bytes: Option<&Bytes>,
        now: Timestamp,
    ) -> Checked {
        let name = layout::metadata(version, role);
        let right = self.contents.get(&name);
        match bytes {
            Some(bytes) if right == Some(&Digest::of(bytes)) => Ok(()),
            Some(_) => Err(format!("{name} was answered with what was never visible")),
            None if self.is_young(now, |v| v.versions.get(role) == Some(&version)) => Err(format!(
                "{name} is not answered, though it is of now or less than {GRACE:?} old"
            )),
            None => Ok(()),
        }
    }

    /// Whether this page must be answered: it was signed less than a grace period ago, and one of its project still is.
    pub fn must_have_page(&self, of: usize, digest: Digest, now: Timestamp) -> bool {
        let withdrawn = |v: &Visible| v.pages[of].is_none();
        let young = |v: &&Visible| v.until.is_none_or(|until| until + GRACE - SKEW > now);
        let gone = self.visible.iter().filter(young).any(withdrawn);
        !gone && self.is_young(now, |v| v.pages[of] == Some(digest))
    }

    fn is_young(&self, now: Timestamp, which: impl Fn(&Visible) -> bool) -> bool {
        let young = |v: &&Visible| v.until.is_none_or(|until| until + GRACE - SKEW > now);
        self.visible.iter().rev().take_while(young).any(which)
    }

    /// Whether the page of project `of` is what the upstream says in its state `state`.
    pub fn is_published(&self, of: usize, state: u64) -> bool {
        self.visible.last().is_some_and(|visible| visible.pages[of] == shown(of, state))
    }
}

impl Visible {
    fn read_pages(&mut self, bin: &Targets, objects: &Objects) -> Checked {
        for of in 0..PROJECTS {
            let path = page_path(&name_of(of), Format::Json).unwrap();
            let Some(target) = bin.targets.get(path.as_str()) else { continue };
            let (digest, commit) = (target.sha256().unwrap(), target.commit().unwrap());
            let name = layout::page(&digest, commit);
            let stored = &objects.get(&name).ok_or(format!("{name} is missing"))?.bytes;
            let page = unpack(stored, &digest, target.length)?;
            parse_signed(&page.bytes).map_err(|error| format!("{name}: {error}"))?;
            self.objects.insert(name);
            self.pages[of] = Some(digest);
        }
        Ok(())
    }
}

/// The hash of what is published of project `of` in its state `state`.
fn shown(of: usize, state: u64) -> Option<Digest> {
    let page = upstream_page(of, state);
    let links = crate::index::Links { tuf: "../../tuf/".into() };
    let bytes = || crate::index::render_json(&page, &links);
    (!page.files.is_empty()).then(|| Digest::of(&bytes()))
}

fn advice(name: &str) -> bool {
    name.starts_with("watch/") || name.starts_with("sources/")
}

fn parse<T: serde::de::DeserializeOwned>(name: &str, objects: &Objects) -> Result<T, String> {
    let object = objects.get(name).ok_or(format!("{name} is missing"))?;
    serde_json::from_slice(&object.bytes).map_err(|error| format!("{name}: {error}"))
}

fn digest(name: &str, objects: &Objects) -> Result<Digest, String> {
    Ok(Digest::of(&objects.get(name).ok_or(format!("{name} is missing"))?.bytes))
}
