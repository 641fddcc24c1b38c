//! The project list.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::config::WatchMode;
use crate::index::{ListedProject, ProjectName, parse_list};
use crate::tuf::Digest;
use crate::upstream::{Fetched, PageReply, Validators};

use super::Watch;
use super::belief::is_settled;

/// Up to so many listed projects all are watched in the mode `auto`.
pub const AUTO: usize = 20_000;
/// Every so many times the list is loaded unconditionally.
const AUDIT: u8 = 10;
/// From this size on a list is parsed where it holds up nobody, bytes.
const LARGE: usize = 256 * 1024;

/// The list that was seen last.
#[derive(Default)]
pub(super) struct Lists(Mutex<Last>);

#[derive(Default)]
struct Last {
    validators: Option<Validators>,
    body: Option<Digest>,
    times: u8,
    list: Option<Arc<List>>,
}

/// A project list, as far as it is watched.
#[derive(Debug)]
pub(super) struct List {
    /// Sorted by name.
    pub(super) projects: Vec<ListedProject>,
    /// Whether that is all that the mirror lists, and all of it is watched; else what is published.
    pub(super) whole: bool,
}

/// What came of a look at the list.
pub(super) enum ListLook {
    /// It is this.
    Known(Arc<List>),
    /// The mirror answers, and has no list that can be used.
    None,
    /// The mirror does not answer.
    Down,
}

impl Lists {
    fn lock(&self) -> MutexGuard<'_, Last> {
        // Whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn has(&self, project: &ProjectName) -> bool {
        self.projects.binary_search_by(|listed| listed.name.cmp(project)).is_ok()
    }
}

impl Watch {
    /// Whether the mirror lists the project, where all that it lists is known.
    pub(super) fn lists(&self, project: &ProjectName) -> Option<bool> {
        let list = self.lists.lock().list.clone()?;
        list.whole.then(|| list.has(project))
    }

    /// Looks at the project list.
    pub(super) async fn look_at_list(&self) -> ListLook {
        let validators = {
            let mut last = self.lists.lock();
            last.times = last.times.wrapping_add(1);
            let validators = last.validators.clone().filter(|_| !last.times.is_multiple_of(AUDIT));
            validators.and_then(|v| self.beliefs.allowed(&v))
        };
        let reply = self.upstream.list(validators.as_ref()).await;
        let url = self.upstream.simple_url().as_str();
        let look = match &reply {
            Ok(PageReply::Fresh(fetched)) => match self.take_list(fetched.clone()).await {
                Ok(list) => {
                    self.reports.list_is_good();
                    ListLook::Known(list)
                }
                Err(why) => {
                    self.reports.list(url, &why);
                    ListLook::None
                }
            },
            Ok(PageReply::NotModified) => match self.lists.lock().list.clone() {
                Some(list) => ListLook::Known(list),
                None => ListLook::None,
            },
            Ok(PageReply::Gone(_)) => ListLook::None,
            Err(error) => {
                self.reports.list(url, &error.to_string());
                if error.is_transient() { ListLook::Down } else { ListLook::None }
            }
        };
        self.health.list(&reply, matches!(look, ListLook::Known(_)));
        if matches!(look, ListLook::Down) {
            self.health.down();
        }
        look
    }

    async fn take_list(&self, fetched: Fetched) -> Result<Arc<List>, String> {
        let body = Digest::of(&fetched.body);
        let validators = Some(fetched.validators.clone());
        let validators = validators.filter(|v| is_settled(v, Timestamp::now()));
        {
            let mut last = self.lists.lock();
            if let Some(list) = last.list.clone().filter(|_| last.body == Some(body)) {
                last.validators = validators;
                return Ok(list);
            }
        }
        let large = fetched.body.len() > LARGE;
        let parse =
            move || parse_list(&fetched.body, fetched.content_type.as_deref(), &fetched.url);
        let parsed = if large {
            tokio::task::spawn_blocking(parse).await.map_err(|error| error.to_string())?
        } else {
            parse()
        };
        let parsed = parsed.map_err(|error| error.to_string())?;
        let published = self.published_count();
        if parsed.projects.is_empty() && published > 0 {
            return Err(format!("the list is empty, while {published} projects are published"));
        }
        let list = Arc::new(self.watched(parsed.projects));
        let names = list.whole.then(|| {
            let names = list.projects.iter().map(|listed| listed.name.clone());
            Arc::new(names.collect::<Arc<[_]>>())
        });
        self.names.store(names);
        let mut last = self.lists.lock();
        (last.body, last.validators) = (Some(body), validators);
        last.list = Some(list.clone());
        Ok(list)
    }

    /// What of a list is kept: all of it where all is watched, else the published part.
    fn watched(&self, mut projects: Vec<ListedProject>) -> List {
        let whole = match self.config.watch.mode {
            WatchMode::All => true,
            WatchMode::Auto => projects.len() <= AUTO,
            WatchMode::OnDemand => false,
        };
        if !whole {
            self.say_on_demand(projects.len());
            let published = self.published();
            projects.retain(|listed| published.contains(&listed.name));
            projects.shrink_to_fit();
        }
        List { projects, whole }
    }

    fn say_on_demand(&self, listed: usize) {
        let was_whole = self.lists.lock().list.as_ref().is_none_or(|list| list.whole);
        if was_whole && self.config.watch.mode == WatchMode::Auto {
            tracing::info!(
                listed,
                "so many projects are watched once a client asked for them (watch.mode)"
            );
        }
    }
}
