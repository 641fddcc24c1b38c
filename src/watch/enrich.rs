//! Sizes and hashes that the mirror does not give. What is quick is waited for; the rest goes on behind, and the
//! project is looked at again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::index::{File, Listing, ProjectName, ProjectPage};
use crate::policy::{Held, PageUpdate};
use crate::telemetry::{Refusal, Trigger};
use crate::upstream::MirrorUrl;

use super::errand::{Answer, Question};
use super::open::{Open, open};
use super::wish::{Found, Wish};
use super::{Watch, WatchError};

/// Errands for one project at once.
const AT_ONCE: usize = 8;
/// While errands go on, what is known by then is published so often.
const MEANWHILE: Duration = Duration::from_secs(30);

/// A listing with what was found out.
pub(super) struct Enriched {
    pub(super) update: PageUpdate,
    /// The files that were fetched to be hashed.
    pub(super) hashed: Vec<(File, Question)>,
    /// What the mirror has under the names of the wish's allowances.
    pub(super) found: BTreeMap<String, Found>,
    /// Errands go on; the project is looked at again when they are done.
    pub(super) unanswered: bool,
    /// Something could not be found out.
    pub(super) gaps: bool,
}

impl Watch {
    /// Makes an update of what the mirror shows; `old` is what is published.
    pub(super) async fn enrich(
        &self,
        project: &ProjectName,
        wish: &Wish,
        listing: Listing,
        old: Option<&ProjectPage>,
    ) -> Result<Enriched, WatchError> {
        let mut update = update(listing, wish);
        self.hold_foreign(&mut update);
        let sources = self.repository.sources(project).await?;
        update.old_sources = sources.map(|sources| (*sources).clone()).unwrap_or_default();
        let old = by_name(old);
        let names = update.page.files.iter().map(|file| &file.filename);
        update.asked = names.filter(|name| !old.contains_key(name.as_str())).cloned().collect();
        let open = open(project, &update, &old, wish);
        for open in open.iter().filter(|open| open.doubted) {
            self.answers.forget(&open.question).await;
        }
        self.send_errands(project, &open, wish).await;
        let (mut unanswered, mut gaps) = (false, false);
        for open in &open {
            match self.answers.get(&open.question).await {
                None => unanswered = true,
                Some(answer) => {
                    gaps |= matches!(answer, Answer::Failed(_));
                    open.take(&mut update, answer);
                }
            }
        }
        let found = found(&update, wish);
        let hashed = open.into_iter().filter_map(|open| open.hashed(&update)).collect();
        Ok(Enriched { update, hashed, found, unanswered, gaps })
    }

    /// Hashes that are published need not be remembered: should the file be deleted and come back, it is fetched anew.
    pub(super) async fn forget_published(
        &self,
        project: &ProjectName,
        hashed: Vec<(File, Question)>,
    ) -> Result<(), WatchError> {
        if hashed.is_empty() {
            return Ok(());
        }
        let page = self.repository.known_model(project).await?;
        let listed = by_name(page.as_deref());
        for (file, question) in hashed {
            let published = listed.get(file.filename.as_str());
            if published.is_some_and(|published| published.sha256() == file.sha256()) {
                self.answers.forget(&question).await;
            }
        }
        Ok(())
    }

    /// Links that lead outside the allowed origins are not taken.
    fn hold_foreign(&self, update: &mut PageUpdate) {
        for file in &update.page.files {
            let name = &file.filename;
            let (reason, why) = match update.sources.get(name) {
                Some(source) if self.upstream.allows(&source.url) => continue,
                Some(source) => {
                    let url = MirrorUrl::from(source.url.clone());
                    let why = format!("{url} lies outside the allowed origins, upstream.origins");
                    (Refusal::Origin, why)
                }
                None => (Refusal::BadName, "it has no link".to_owned()),
            };
            update.held.insert(name.clone(), Held { reason, why });
        }
    }

    /// Finds out what is not known yet, as far as it comes within the wish's patience. One party of errands a project.
    async fn send_errands(&self, project: &ProjectName, open: &[Open], wish: &Wish) {
        let mut errands = Vec::new();
        for Open { question, .. } in open {
            if self.answers.get(question).await.is_none() {
                errands.push(question.clone());
            }
        }
        if errands.is_empty() {
            return;
        }
        let Some(party) = self.under_way.begin(project) else { return };
        // Hashing whole files comes last.
        errands.sort();
        let watch = self.clone();
        let mut task = self.tracker.spawn(async move {
            let _party = party;
            let errands = stream::iter(errands);
            let work = errands.for_each_concurrent(AT_ONCE, |question| watch.find_out(question));
            tokio::select! {
                () = work => {}
                () = watch.stop.cancelled() => {}
            }
        });
        if timeout(wish.patience, &mut task).await.is_err() {
            tracing::info!(%project, "files are measured or fetched to be hashed in the background");
            self.tracker.spawn(self.clone().follow(project.clone(), task));
        }
    }

    /// Publishes what is known while errands go on, and when they are done.
    async fn follow(self, project: ProjectName, mut task: JoinHandle<()>) {
        loop {
            let done = timeout(MEANWHILE, &mut task).await.is_ok();
            if self.stop.is_cancelled() {
                return;
            }
            // Broken off where the process stops.
            let _ = self.look(&project, Wish::anew(Trigger::Retry)).await;
            if done {
                return;
            }
        }
    }
}

/// The update that a listing stands for, nothing known beside it.
pub(super) fn update(listing: Listing, wish: &Wish) -> PageUpdate {
    let held = listing.skipped.into_iter().map(|skipped| {
        let held = Held { reason: Refusal::BadName, why: skipped.why };
        (skipped.filename, held)
    });
    PageUpdate {
        page: listing.page,
        sources: listing.sources,
        old_sources: BTreeMap::new(),
        held: held.collect(),
        asked: BTreeSet::new(),
        allowances: wish.allowances.clone(),
    }
}

/// What the mirror has under the names that an operator speaks of.
fn found(update: &PageUpdate, wish: &Wish) -> BTreeMap<String, Found> {
    let found = |name: &String| {
        if let Some(held) = update.held.get(name) {
            return Some((name.clone(), Found::Held(held.why.clone())));
        }
        let file = update.page.files.iter().find(|file| file.filename == *name)?;
        let found = match file.sha256().and_then(|sha256| sha256.parse().ok()) {
            Some(sha256) => Found::Hash(sha256),
            None => Found::Held("it is still being fetched to be hashed".to_owned()),
        };
        Some((name.clone(), found))
    };
    wish.allowances.iter().filter_map(|allowance| found(&allowance.filename)).collect()
}

fn by_name(page: Option<&ProjectPage>) -> BTreeMap<&str, &File> {
    let files = page.map(|page| page.files.as_slice()).unwrap_or_default();
    files.iter().map(|file| (file.filename.as_str(), file)).collect()
}
