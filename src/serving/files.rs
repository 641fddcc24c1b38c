//! Files whose SHA-256 something signed pins: verified whole before their first byte leaves, as far as they fit the spool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures::future::{BoxFuture, ready};
use futures::stream::once;
use http::request::Parts;
use http_body_util::{BodyExt as _, Limited};

use super::recent::{Key, Recent};
use super::{Answer, Bare, Kind, Problem, spooled};
use crate::spool::{Spool, SpoolError, SpooledFile};
use crate::upstream::{BodyError, FileReply, Found, UpstreamError, body};

/// Bytes that something signed pins.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pinned {
    /// What is refused if the bytes are wrong: the project, the name of what is sent, its hash.
    pub key: Key,
    /// The signed length, bytes, where one is signed.
    pub length: Option<u64>,
}

/// What a signed length is worth where the hash is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lengths {
    /// It is part of what is signed: other bytes are wrong, and no more of them are taken.
    Binding,
    /// It was promised by a mirror, perhaps wrongly, which must not keep the right bytes away: the hash decides.
    Promised,
}

/// Where a file can be had. Its bytes are unverified.
pub trait Origin: Send + Sync + 'static {
    /// Opens the file.
    fn open(&self) -> BoxFuture<'_, Result<FileReply, UpstreamError>>;

    /// Asks how long the file is, bytes; `None` where that cannot be told.
    fn length(&self) -> BoxFuture<'_, Option<u64>>;
}

/// What a face makes of what becomes of files.
pub trait Desk: Send + Sync + 'static {
    /// What wrong bytes mean, and what to do; a sentence without its full stop.
    fn advice(&self) -> &'static str;

    /// The bytes are not those that are pinned, but `what`.
    fn wrong(&self, pinned: &Pinned, what: &str);

    /// A file was refused because it was wrong a moment ago.
    fn wrong_again(&self);

    /// A file was fetched, and is right.
    fn fetched(&self, pinned: &Pinned, length: u64);

    /// A file is right, but not as long as was signed, or no length was signed.
    fn measured(&self, pinned: &Pinned, length: u64);

    /// A file could not be fetched.
    fn failed(&self, pinned: &Pinned, error: UpstreamError) -> Problem;
}

/// Verified files. Cheap to clone.
#[derive(Clone)]
pub struct Files(Arc<Inner>);

struct Inner {
    spool: Spool,
    /// The largest file that goes through the spool, bytes.
    limit: u64,
    lengths: Lengths,
    desk: Arc<dyn Desk>,
    recent: Recent,
    /// Whether a file that fits the spool had to be streamed, unverified, because the spool failed.
    streamed_small: AtomicBool,
}

impl Files {
    /// Keeps files of at most `largest` bytes in `spool`; larger ones are streamed.
    pub fn new(spool: Spool, largest: u64, lengths: Lengths, desk: Arc<dyn Desk>) -> Self {
        let (recent, streamed_small) = (Recent::default(), AtomicBool::new(false));
        let limit = largest.min(spool.capacity());
        Self(Arc::new(Inner { spool, limit, lengths, desk, recent, streamed_small }))
    }

    /// Answers without asking anyone: from the spool, or with a refusal of what was wrong a moment ago.
    pub async fn kept(&self, request: &Parts, pinned: &Pinned, bare: Bare) -> Option<Answer> {
        if let Some(file) = self.0.spool.get(&pinned.key.digest).await {
            return Some(Ok(self.verified(request, pinned, &file, bare)));
        }
        let detail = self.0.recent.detail(pinned, Instant::now())?;
        self.0.desk.wrong_again();
        Some(Err(Problem::new(Kind::Mismatch, detail)))
    }

    /// Answers with a file that is not [kept](Files::kept): verified whole where it fits, else streamed.
    ///
    /// # Errors
    /// What the client is told in its place.
    pub async fn fetched(
        &self,
        request: &Parts,
        pinned: &Pinned,
        bare: Bare,
        origin: &Arc<dyn Origin>,
    ) -> Answer {
        let length = match pinned.length {
            Some(length) => Some(length),
            // Who cannot say is asked for the file.
            None => origin.length().await,
        };
        let limit = self.0.limit;
        if length.is_some_and(|length| length > limit) {
            return self.stream(request, pinned, origin, length).await;
        }
        match self.fetch_measured(pinned, origin).await {
            Ok(file) => Ok(self.verified(request, pinned, &file, bare)),
            Err(SpoolError::Upstream(UpstreamError::TooLarge { .. })) => {
                self.stream(request, pinned, origin, None).await
            }
            Err(error) if is_the_spools(&error) => {
                tracing::error!(%error, "the spool failed; a file is streamed instead");
                self.0.streamed_small.store(true, Ordering::Relaxed);
                self.stream(request, pinned, origin, length).await
            }
            Err(error) => Err(self.failed(pinned, error)),
        }
    }

    /// As [`Files::fetched`], for what is never so large that it would have to be streamed: at most `limit` bytes.
    ///
    /// # Errors
    /// What the client is told in its place.
    pub async fn fetched_small(
        &self,
        request: &Parts,
        pinned: &Pinned,
        limit: u64,
        origin: &Arc<dyn Origin>,
    ) -> Answer {
        let file = self.fetch(pinned, origin, limit).await;
        let file = file.map_err(|error| self.failed(pinned, error))?;
        Ok(self.verified(request, pinned, &file, Bare::Ignored))
    }

    /// As [`Files::fetch`]; where the length was only promised, the hash decides.
    async fn fetch_measured(
        &self,
        pinned: &Pinned,
        origin: &Arc<dyn Origin>,
    ) -> Result<SpooledFile, SpoolError> {
        let wrong_length = |error: &SpoolError| {
            matches!(error, SpoolError::Mismatch { found: Found::Length { .. }, .. })
        };
        let limit = self.0.limit;
        let file = match self.fetch(pinned, origin, limit).await {
            Err(error) if wrong_length(&error) && self.0.lengths == Lengths::Promised => {
                let unmeasured = Pinned { length: None, ..pinned.clone() };
                match self.fetch(&unmeasured, origin, limit).await {
                    // Not another length, but no end.
                    Err(SpoolError::Upstream(UpstreamError::TooLarge { .. })) => return Err(error),
                    fetched => fetched?,
                }
            }
            fetched => fetched?,
        };
        if pinned.length != Some(file.length) {
            self.0.desk.measured(pinned, file.length);
        }
        Ok(file)
    }

    /// Fetches at most `limit` bytes into the spool; who asks for the same file shares one fetch.
    async fn fetch(
        &self,
        pinned: &Pinned,
        origin: &Arc<dyn Origin>,
        limit: u64,
    ) -> Result<SpooledFile, SpoolError> {
        let (origin, wanted) = (origin.clone(), pinned.clone());
        let get = move || async move { bounded(origin.open().await?, &wanted, limit) };
        let file = self.0.spool.fetch(&pinned.key.digest, pinned.length, get).await?;
        self.0.desk.fetched(pinned, file.length);
        Ok(file)
    }

    /// Sorts out why a file could not be fetched.
    fn failed(&self, pinned: &Pinned, error: SpoolError) -> Problem {
        match error {
            SpoolError::Mismatch { found, .. } => self.mismatch(pinned, found),
            SpoolError::Upstream(error) => self.0.desk.failed(pinned, error),
            other => other.into(),
        }
    }

    /// As [`Files::failed`], for what streams.
    pub(super) fn unavailable(&self, pinned: &Pinned, error: UpstreamError) -> Problem {
        self.0.desk.failed(pinned, error)
    }

    /// Remembers and reports that there are other bytes than the signed ones.
    pub(super) fn mismatch(&self, pinned: &Pinned, found: Found) -> Problem {
        let key = &pinned.key;
        let what = format!("expected SHA-256 {}, found {found}", key.digest);
        let advice = self.0.desk.advice();
        let detail = format!("{} of {}: {what}. {advice}", key.name, key.project);
        if self.0.recent.remember(pinned.clone(), detail.clone(), Instant::now()) {
            self.0.desk.wrong(pinned, &what);
        } else {
            self.0.desk.wrong_again();
        }
        Problem::new(Kind::Mismatch, detail)
    }

    fn verified(
        &self,
        request: &Parts,
        pinned: &Pinned,
        file: &SpooledFile,
        bare: Bare,
    ) -> http::Response<crate::upstream::Body> {
        let streamed = file.length > self.0.limit || self.0.streamed_small.load(Ordering::Relaxed);
        let bare = if streamed { Bare::Ignored } else { bare };
        spooled::answer(request, pinned.key.digest, file, bare)
    }
}

/// Whether the disk failed, not the origin.
fn is_the_spools(error: &SpoolError) -> bool {
    matches!(
        error,
        SpoolError::DiskFull { .. } | SpoolError::Disk { .. } | SpoolError::TooLarge { .. }
    )
}

/// `reply`, refused where it announces another length than the signed one, or more than `limit` bytes, and cut off
/// where more come.
fn bounded(reply: FileReply, pinned: &Pinned, limit: u64) -> Result<FileReply, UpstreamError> {
    let FileReply { length, body } = reply;
    if let (Some(expected), Some(found)) = (pinned.length, length)
        && expected != found
    {
        let found = Found::Length { expected, found };
        let wrong = BodyError::Mismatch { expected: pinned.key.digest, found };
        return Ok(FileReply { length: None, body: body::stream(once(ready(Err(wrong)))) });
    }
    let too_large = UpstreamError::TooLarge { url: pinned.key.name.clone(), limit };
    if length.is_some_and(|length| length > limit) {
        return Err(too_large);
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let body = Limited::new(body, most).map_err(move |error| match error.downcast::<BodyError>() {
        Ok(error) => *error,
        Err(_) => too_large.clone().into(),
    });
    Ok(FileReply { length, body: body.boxed_unsync() })
}
