//! Goes through a whole repository and says what is wrong with it.
//!
//! ```text
//! roles    roots, each by itself and the one before; timestamp, its commit, snapshot, targets, bins
//! bins     each bin: there, signed, of the right version, each target where it belongs
//! pages    each page object: there, the signed bytes, well-formed, its links lead to its files
//! agree    pages and file targets, JSON and HTML, what is listed and what is retired
//! journal  each commit, their numbers without a gap that no restore explains
//! ```
//!
//! Memory is bounded, by the number of bins (and 8 bytes a retired name): what pages and bins say of each other is compared as
//! sums of hashes, and looked at again, one by one, only where two sums differ.
//!
//! It works beside a running process. An object that is missing may have been superseded meanwhile: where there is a newer
//! timestamp, the walk begins again from that one.

mod agree;
mod bins;
mod journal;
mod pages;
mod roles;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use crate::store::Store;
use crate::tuf::{Digest, Expiry};

use super::{RepositoryError, load};

/// How often the walk begins again before it gives up.
const TRIES: usize = 5;
/// Bins, and what hangs on them, looked at at once.
const READS: usize = 16;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The object or the target path.
    pub object: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub advice: &'static str,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The repository is not what was published.
    Damage,
    /// It is, but somebody should do something: a role has expired, a commit is not shown yet.
    Warning,
}

/// What the walk tells on its way.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// What is under way, how much of it is done, and of how much.
    Progress(&'static str, u64, u64),
    /// Something is wrong.
    Found(&'a Finding),
    /// What was read is superseded and gone: the walk begins again.
    Again,
}

/// What there was to look at, and how it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// The timestamp that was looked at.
    pub timestamp: u64,
    /// The commit that it shows.
    pub commit: u64,
    /// Roots.
    pub roots: u64,
    /// Bins.
    pub bins: u64,
    /// Pages.
    pub pages: u64,
    /// Targets that are files.
    pub files: u64,
    /// Commits.
    pub commits: u64,
    /// Findings that are damage.
    pub damage: u64,
    /// Findings that are warnings.
    pub warnings: u64,
}

/// Looks at all of the repository in `store`, as it is at `now`. `None` where it was superseded, and collected, faster
/// than it could be looked at.
///
/// # Errors
/// [`RepositoryError::Store`] where the store fails; what is wrong in it is told.
pub async fn fsck(
    store: &Store,
    now: Timestamp,
    tell: &(dyn Fn(Event<'_>) + Send + Sync),
) -> Result<Option<Summary>, RepositoryError> {
    let told = Told { tell, lines: Mutex::default(), damage: 0.into(), warnings: 0.into() };
    for _ in 0..TRIES {
        let timestamp = load::newest_timestamp(store).await?.unwrap_or_default();
        let mut summary = Summary { timestamp, ..Summary::default() };
        let walk = Walk { store, now, timestamp, told: &told };
        match walk.run(&mut summary).await {
            Ok(()) => {
                summary.damage = told.damage.load(Ordering::Relaxed);
                summary.warnings = told.warnings.load(Ordering::Relaxed);
                return Ok(Some(summary));
            }
            Err(Stop::Overtaken) => tell(Event::Again),
            Err(Stop::Failed(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// Why a walk ends early.
enum Stop {
    /// There is a newer publication, and an object of this one is gone.
    Overtaken,
    /// The store failed.
    Failed(RepositoryError),
}

impl<E: Into<RepositoryError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What was told. Each finding is told once, also where the walk begins again.
struct Told<'a> {
    tell: &'a (dyn Fn(Event<'_>) + Send + Sync),
    lines: Mutex<HashSet<u64>>,
    damage: AtomicU64,
    warnings: AtomicU64,
}

/// One way through the repository, from one timestamp.
struct Walk<'a> {
    store: &'a Store,
    now: Timestamp,
    timestamp: u64,
    told: &'a Told<'a>,
}

/// What to do about an object that is not what it was.
const RESTORE: &str = "restore it from a copy of the store";
/// What to do about what countersign would not have written.
const REPORT: &str = "nothing that countersign does leads here: report it";
/// What to do about an online role that expired.
const SERVE: &str = "start `countersign serve`, which signs it again";
/// What to do about an offline role that expired.
const SIGN: &str = "sign a new version with its offline keys";

impl Walk<'_> {
    async fn run(&self, summary: &mut Summary) -> Result<(), Stop> {
        if let Some(base) = self.roles(summary).await? {
            let bins = self.bins(&base, summary).await?;
            let said = self.pages(&base, &bins, summary).await?;
            self.agree(&base, &bins, &said).await?;
        }
        self.journal(summary).await
    }

    /// Reads `object`; that it is missing is damage.
    async fn read(&self, object: &str) -> Result<Option<Bytes>, Stop> {
        let read = self.store.read(object).await?;
        if read.is_none() {
            if load::newest_timestamp(self.store).await? > Some(self.timestamp) {
                return Err(Stop::Overtaken);
            }
            self.damage(object, "it is missing", RESTORE);
        }
        Ok(read)
    }

    fn damage(&self, object: &str, problem: impl ToString, advice: &'static str) {
        self.find(Level::Damage, object, problem.to_string(), advice);
    }

    fn warn(&self, object: &str, problem: impl ToString, advice: &'static str) {
        self.find(Level::Warning, object, problem.to_string(), advice);
    }

    fn find(&self, level: Level, object: &str, problem: String, advice: &'static str) {
        let object = object.escape_debug().to_string();
        let finding = Finding { level, object, problem, advice };
        let line = key(&format!("{}: {}", finding.object, finding.problem));
        if self.told.lines.lock().unwrap_or_else(PoisonError::into_inner).insert(line) {
            let count = match level {
                Level::Damage => &self.told.damage,
                Level::Warning => &self.told.warnings,
            };
            count.fetch_add(1, Ordering::Relaxed);
            (self.told.tell)(Event::Found(&finding));
        }
    }

    fn progress(&self, what: &'static str, done: u64, of: u64) {
        (self.told.tell)(Event::Progress(what, done, of));
    }

    fn expired(&self, object: &str, expires: Expiry, advice: &'static str) {
        if expires.passed(self.now) {
            self.warn(object, format!("it expired at {expires}"), advice);
        }
    }
}

/// 8 bytes that stand for a text.
fn key(text: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *Digest::of(text.as_bytes()).as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
