//! One look at a project: fetch, parse, enrich, publish, record.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::index::{self, Listing, ParseError, ProjectName, ProjectPage};
use crate::policy::{QUARANTINED, Withdrawal};
use crate::repository::{Edit, Receipt, RepositoryError, Seen};
use crate::telemetry::{LookOutcome, Refusal, Trigger};
use crate::tuf::Digest;
use crate::upstream::{Fetched, Gone, MirrorUrl, PageReply, UpstreamError, Validators};

use super::cursor::Cursor;
use super::enrich::{Enriched, update};
use super::wish::{Looked, Wish};
use super::{Watch, WatchError};

/// How often a look is repeated at once because another replica was faster.
const STALE: usize = 5;
/// From this size on a page is parsed where it holds up nobody, bytes.
const LARGE: usize = 256 * 1024;

/// What tells one state of a page from another.
struct Sight {
    body: Digest,
    serial: Option<u64>,
    validators: Validators,
    /// Those to ask with next time.
    usable: Option<Validators>,
    /// What was seen before.
    before: Cursor,
    began: Began,
}

/// When a look at the mirror began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Began {
    pub(super) at: Instant,
    /// The newest commit that had been read then.
    pub(super) commit: u64,
}

impl Sight {
    /// Whether the page is, byte for byte, the one that was seen before.
    fn is_known(&self) -> bool {
        self.before.body == Some(self.body)
    }
}

impl Watch {
    /// Looks at `project`; called for each project by one task at a time.
    pub(super) async fn look_now(&self, project: &ProjectName, wish: &Wish) -> Looked {
        let mut looked = self.fetch(project, wish).await;
        for _ in 0..STALE {
            // Another replica published the project meanwhile: what was seen may be older than that.
            let Err(WatchError::Repository(RepositoryError::Stale { .. })) = looked else { break };
            looked = self.fetch(project, wish).await;
        }
        let looked = looked.unwrap_or_else(|error| {
            tracing::error!(%project, %error, "a look failed; it will be repeated");
            self.repeat(project, wish);
            Looked::failed(LookOutcome::Failed, error)
        });
        self.metrics.looks.of((wish.trigger, looked.outcome)).inc();
        looked
    }

    async fn fetch(&self, project: &ProjectName, wish: &Wish) -> Result<Looked, WatchError> {
        let (places, patient) = self.places(wish.trigger);
        // Fails only when the semaphore is closed, which nobody does.
        let place = places.acquire().await.ok();
        if patient && self.health.is_failing() {
            return Ok(Looked::failed(LookOutcome::Failed, WatchError::Down));
        }
        let began = Began { at: Instant::now(), commit: self.repository.newest_commit() };
        let signed = self.signed_page(project).await?;
        let cursor = self.cursors.of_page(project, signed).unwrap_or_default();
        let conditional = !(wish.whole || wish.anew);
        let validators = cursor.validators.as_ref().filter(|_| conditional);
        let validators = validators.and_then(|v| self.beliefs.allowed(v));
        let reply = self.upstream.page(project, validators.as_ref()).await;
        drop(place);
        self.health.page(project, &reply);
        match reply {
            Ok(PageReply::NotModified) => {
                self.back(project);
                Ok(Looked::new(LookOutcome::Unchanged))
            }
            Ok(PageReply::Fresh(fetched)) => {
                self.loaded(project, wish, cursor, fetched, began).await
            }
            Ok(PageReply::Gone(gone)) => {
                if let Gone::Elsewhere(to) = &gone
                    && self.is_published(project).await?
                {
                    let (url, to) = (self.upstream.page_url(project), MirrorUrl::from(to.clone()));
                    let why = format!("it redirects to another index, {to}, which is not followed");
                    self.reports.page(project, Refusal::Origin, url.as_str(), &why);
                }
                let withdrawal = Arc::new(Withdrawal { project: project.clone() });
                self.gone(project, wish, withdrawal, &described(gone), began).await
            }
            Err(error) => {
                let url = self.upstream.page_url(project);
                self.reports.page(project, refusal(&error), url.as_str(), &error.to_string());
                Ok(Looked::failed(LookOutcome::Failed, error))
            }
        }
    }

    /// Takes apart what was loaded.
    async fn loaded(
        &self,
        project: &ProjectName,
        wish: &Wish,
        cursor: Cursor,
        fetched: Fetched,
        began: Began,
    ) -> Result<Looked, WatchError> {
        let mut sight = Sight {
            body: Digest::of(&fetched.body),
            serial: fetched.serial,
            usable: self.beliefs.usable(project, &fetched.validators, Timestamp::now()),
            validators: fetched.validators.clone(),
            before: cursor,
            began,
        };
        if sight.is_known() && !wish.anew && !(sight.before.gaps && wish.whole) {
            self.back(project);
            let Sight { usable: validators, before, .. } = sight;
            let serial = sight.serial.or(before.serial);
            self.cursors.set(project, Cursor { validators, serial, ..before });
            return Ok(Looked::new(LookOutcome::Unchanged));
        }
        let _memory = self.memory(fetched.body.len()).await;
        let url = MirrorUrl::from(fetched.url.clone());
        let listing = match parse(project, fetched).await {
            Ok(listing) => listing,
            Err(error) => {
                let (url, why) = (url.to_string(), error.to_string());
                self.reports.page(project, refusal_of_parse(&error), &url, &why);
                let error = WatchError::Page { url, why };
                return Ok(Looked::failed(LookOutcome::Refused, error));
            }
        };
        sight.serial = sight.serial.or(listing.serial);
        self.beliefs.compare(sight.serial, wish.listed);
        let old = self.repository.known_model(project).await?;
        match self.emptied(project, wish, &listing, old.as_deref(), sight.began).await? {
            Some(looked) => Ok(looked),
            None => self.shown(project, wish, listing, old.as_deref(), sight).await,
        }
    }

    /// Publishes what the mirror shows.
    async fn shown(
        &self,
        project: &ProjectName,
        wish: &Wish,
        listing: Listing,
        old: Option<&ProjectPage>,
        sight: Sight,
    ) -> Result<Looked, WatchError> {
        self.back(project);
        let Enriched { update, hashed, found, unanswered, gaps } =
            self.enrich(project, wish, listing, old).await?;
        let receipt = self.publish_seen(project, Arc::new(update), sight.began).await?;
        self.forget_published(project, hashed).await?;
        if receipt.changed && wish.allowances.is_empty() {
            self.doubt(project, &sight);
        }
        let error = self.why_not_published(project, &receipt, unanswered).await?;
        if unanswered {
            self.cursors.forget(project);
        } else {
            let Sight { body, serial, usable: validators, .. } = sight;
            let page = self.signed_page(project).await?;
            let refused = !receipt.refused.is_empty();
            let body = Some(body);
            let cursor = Cursor { validators, body, serial, page, gaps, refused, polls: 0 };
            self.cursors.set(project, cursor);
        }
        let outcome = match &error {
            Some(WatchError::NotReady(_)) => LookOutcome::Pending,
            Some(_) => LookOutcome::Refused,
            None => outcome(&receipt),
        };
        Ok(Looked { outcome, error, receipt: Some(Arc::new(receipt)), found })
    }

    /// What a page without any file means: a project that was just made, or one that seems to be gone.
    async fn emptied(
        &self,
        project: &ProjectName,
        wish: &Wish,
        listing: &Listing,
        old: Option<&ProjectPage>,
        began: Began,
    ) -> Result<Option<Looked>, WatchError> {
        let quarantined = listing.page.status.marker.as_deref() == Some(QUARANTINED);
        if quarantined || !listing.page.files.is_empty() || !listing.skipped.is_empty() {
            return Ok(None);
        }
        match old {
            Some(old) if old.files.is_empty() => Ok(None),
            Some(_) => {
                let empty = Arc::new(update(listing.clone(), wish));
                self.gone(project, wish, empty, "a page without files", began).await.map(Some)
            }
            // Some mirrors have an empty page for every name.
            None if self.lists(project) == Some(false) => {
                Ok(Some(Looked::new(LookOutcome::NotFound)))
            }
            None => Ok(None),
        }
    }

    /// Publishes what a look found.
    pub(super) async fn publish_seen(
        &self,
        project: &ProjectName,
        edit: Arc<dyn Edit>,
        began: Began,
    ) -> Result<Receipt, WatchError> {
        let seen = Arc::new(Seen { edit, commit: began.commit });
        self.publish(project, seen, began.at).await
    }

    /// Publishes, and reports what came of it.
    pub(super) async fn publish(
        &self,
        project: &ProjectName,
        edit: Arc<dyn Edit>,
        seen: Instant,
    ) -> Result<Receipt, WatchError> {
        let receipt = self.publisher.publish(edit).await?;
        self.reports.receipt(project, &receipt);
        if receipt.changed {
            self.metrics.discovery_to_publication.observe(seen.elapsed().as_secs_f64());
            let (added, removed) = (receipt.added.len(), receipt.removed.len());
            tracing::info!(%project, commit = receipt.commit, added, removed, "published");
            self.note_published(project).await?;
        }
        Ok(receipt)
    }

    /// A page changed: its serial and its validators should have told.
    fn doubt(&self, project: &ProjectName, sight: &Sight) {
        let before = &sight.before;
        if before.body.is_none() || sight.is_known() {
            return;
        }
        if sight.serial.is_some() && sight.serial == before.serial {
            self.beliefs.serial_lied(project);
        }
        if before.validators.as_ref() == Some(&sight.validators) {
            self.beliefs.validators_lied(project);
        }
    }

    async fn why_not_published(
        &self,
        project: &ProjectName,
        receipt: &Receipt,
        unanswered: bool,
    ) -> Result<Option<WatchError>, WatchError> {
        if self.is_published(project).await? {
            return Ok(None);
        }
        let refused = receipt.refused.first();
        if refused.is_some_and(|r| r.filename.is_none() && r.reason == Refusal::Blocked.as_str()) {
            return Ok(Some(WatchError::Blocked(project.clone())));
        }
        if unanswered {
            return Ok(Some(WatchError::NotReady(project.clone())));
        }
        let why = refused.map_or("nothing can be signed of it".to_owned(), |r| {
            let name = r.filename.as_deref().unwrap_or_default();
            let found = r.found.as_deref().unwrap_or_default();
            format!("none of its files can be signed, such as {name:?} ({}): {found}", r.reason)
        });
        let url = self.upstream.page_url(project).to_string();
        Ok(Some(WatchError::Page { url, why }))
    }

    /// The places among which this look takes one, and whether nobody waits for it: looks that somebody waits for do not queue
    /// behind the polling.
    fn places(&self, trigger: Trigger) -> (&Semaphore, bool) {
        match trigger {
            Trigger::Demand | Trigger::Upload | Trigger::Webhook | Trigger::Operator => {
                (&self.urgent, false)
            }
            _ => (&self.polling, true),
        }
    }
}

fn described(gone: Gone) -> String {
    match gone {
        Gone::NotFound => "404".to_owned(),
        Gone::Removed410 => "410".to_owned(),
        Gone::Elsewhere(to) => format!("a redirect to {}", MirrorUrl::from(to)),
    }
}

async fn parse(project: &ProjectName, fetched: Fetched) -> Result<Listing, ParseError> {
    let project = project.clone();
    let large = fetched.body.len() > LARGE;
    let parse = move || {
        let Fetched { body, content_type, url, .. } = &fetched;
        index::parse(body, content_type.as_deref(), url, &project)
    };
    if !large {
        return parse();
    }
    let parsed = tokio::task::spawn_blocking(parse).await;
    parsed.unwrap_or_else(|error| Err(ParseError::Html(error.to_string())))
}

fn outcome(receipt: &Receipt) -> LookOutcome {
    if !receipt.changed {
        LookOutcome::Unchanged
    } else if receipt.added.is_empty() && !receipt.removed.is_empty() {
        LookOutcome::Withdrawn
    } else {
        LookOutcome::Published
    }
}

/// The counter of a page, or list, that could not be loaded.
fn refusal(error: &UpstreamError) -> Refusal {
    match error {
        UpstreamError::Truncated { .. } => Refusal::PageTruncated,
        UpstreamError::TooLarge { .. } => Refusal::Oversize,
        UpstreamError::OriginRefused { .. } | UpstreamError::RedirectRefused { .. } => {
            Refusal::Origin
        }
        UpstreamError::Malformed { .. } | UpstreamError::Encoding { .. } => Refusal::PageMalformed,
        _ => Refusal::PageError,
    }
}

fn refusal_of_parse(error: &ParseError) -> Refusal {
    match error {
        ParseError::Json(error) if error.is_eof() => Refusal::PageTruncated,
        ParseError::OtherProject { .. } => Refusal::PageMismatch,
        ParseError::TooMany { .. } => Refusal::Oversize,
        _ => Refusal::PageMalformed,
    }
}
