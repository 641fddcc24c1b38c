//! What the mirror shows becomes a page, as far as it may.

use std::collections::{BTreeMap, BTreeSet};

use crate::index::{File, ProjectName, ProjectPage, Sources};
use crate::repository::{Blocked, Decision, Edit, PageChange, ProjectBase, Refused};
use crate::telemetry::Refusal;

use super::file::{Allowance, History, Rules, sha256};

/// The status of a project that must offer no files (PEP 792).
pub const QUARANTINED: &str = "quarantined";

/// What the mirror shows of a project.
#[derive(Debug, Clone)]
pub struct PageUpdate {
    /// The page as the mirror shows it, with what was found out about its files.
    pub page: ProjectPage,
    /// Where its files lie upstream.
    pub sources: Sources,
    /// Where they lay before: what stays as it was stays there.
    pub old_sources: Sources,
    /// Entries that are there and must not be taken as they are, by file name.
    pub held: BTreeMap<String, Held>,
    /// The names that were not listed before, whose history must be known.
    pub asked: BTreeSet<String>,
    /// An operator's word.
    pub allowances: Vec<Allowance>,
}

/// Why an entry is not taken. What its name stood for stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The counter.
    pub reason: Refusal,
    /// What is wrong with it.
    pub why: String,
}

impl Edit for PageUpdate {
    fn project(&self) -> &ProjectName {
        &self.page.name
    }

    fn filenames(&self) -> Vec<String> {
        self.asked.iter().cloned().collect()
    }

    fn decide(&self, base: &ProjectBase) -> Decision {
        let mut decision = Decision::default();
        if base.blocked == Blocked::Project {
            decision.refused.push(self.refused(None, Refusal::Blocked, None));
            decision.page = PageChange::Withdraw;
            return decision;
        }
        let files =
            if self.is_quarantined() { Vec::new() } else { self.files(base, &mut decision) };
        if files.is_empty() && base.page.is_none() && self.lists_anything() {
            // An empty page would say that there is nothing, where there is something not yet, or never, to be signed.
            return decision;
        }
        let page = ProjectPage { files, ..self.page_without_files() }.normalized();
        decision.sources = Some(self.sources_of(base.page.as_deref(), &page));
        decision.page = PageChange::Replace(Box::new(page));
        decision
    }
}

impl PageUpdate {
    fn files(&self, base: &ProjectBase, decision: &mut Decision) -> Vec<File> {
        let rules = Rules { project: self.project(), allowances: &self.allowances, now: base.now };
        let listed: BTreeMap<&str, &File> = listed(base.page.as_deref());
        let mut files = Vec::with_capacity(self.page.files.len());
        let shown = self.page.files.iter().filter(|f| !self.held.contains_key(&f.filename));
        for shown in shown {
            let name = shown.filename.as_str();
            if is_blocked(base, name) {
                decision.refused.push(self.refused(Some(name), Refusal::Blocked, None));
                continue;
            }
            let history = match (listed.get(name), base.retired.get(name)) {
                (Some(file), _) => History::Listed(file),
                (None, Some(retired)) => History::Retired(retired),
                (None, None) if self.asked.contains(name) => History::None,
                // It was listed when the look began: what it stood for is not known here.
                (None, None) => continue,
            };
            files.extend(rules.judge(shown, history, decision));
        }
        for (name, held) in &self.held {
            let why = Some(held.why.clone());
            decision.refused.push(self.refused(Some(name), held.reason, why));
            let old = listed.get(name.as_str()).filter(|_| !is_blocked(base, name));
            files.extend(old.copied().cloned());
        }
        files
    }

    /// Where the files of `page` lie: for what is as it was, where it lay.
    fn sources_of(&self, old: Option<&ProjectPage>, page: &ProjectPage) -> Sources {
        let shown = listed(Some(&self.page));
        let old = listed(old);
        let mut sources = Sources::new();
        for file in &page.files {
            let name = file.filename.as_str();
            let shown = shown.get(name).filter(|_| !self.held.contains_key(name));
            let taken = shown.is_some_and(|f| sha256(f).is_none_or(|s| Some(s) == sha256(file)));
            let (first, second) = match taken || !old.contains_key(name) {
                true => (&self.sources, &self.old_sources),
                false => (&self.old_sources, &self.sources),
            };
            let source = first.get(name).or_else(|| second.get(name));
            sources.extend(source.map(|source| (name.to_owned(), source.clone())));
        }
        sources
    }

    fn is_quarantined(&self) -> bool {
        self.page.status.marker.as_deref() == Some(QUARANTINED)
    }

    fn lists_anything(&self) -> bool {
        let nothing = self.page.files.is_empty() && self.held.is_empty();
        !(nothing || self.is_quarantined())
    }

    fn page_without_files(&self) -> ProjectPage {
        let ProjectPage {
            name,
            files: _,
            versions,
            status,
            tracks,
            alternate_locations,
            extra,
            meta_extra,
        } = &self.page;
        ProjectPage {
            name: name.clone(),
            files: Vec::new(),
            versions: versions.clone(),
            status: status.clone(),
            tracks: tracks.clone(),
            alternate_locations: alternate_locations.clone(),
            extra: extra.clone(),
            meta_extra: meta_extra.clone(),
        }
    }

    fn refused(&self, filename: Option<&str>, reason: Refusal, found: Option<String>) -> Refused {
        Refused {
            project: self.project().clone(),
            filename: filename.map(str::to_owned),
            reason: reason.as_str().into(),
            expected: None,
            found,
        }
    }
}

fn is_blocked(base: &ProjectBase, filename: &str) -> bool {
    match &base.blocked {
        Blocked::Nothing => false,
        Blocked::Files(names) => names.iter().any(|name| name == filename),
        Blocked::Project => true,
    }
}

fn listed(page: Option<&ProjectPage>) -> BTreeMap<&str, &File> {
    let files = page.map(|page| page.files.as_slice()).unwrap_or_default();
    files.iter().map(|file| (file.filename.as_str(), file)).collect()
}
