//! Errands to the mirror: sizes and hashes that its pages do not give.

use std::collections::BTreeMap;
use std::time::Duration;

use moka::future::Cache;
use url::Url;

use crate::spool::{SpoolError, hash_stream};
use crate::tuf::Digest;
use crate::upstream::UpstreamError;

use super::Watch;

/// The largest core metadata that is fetched to be hashed, bytes.
const METADATA: u64 = 16 * 1024 * 1024;
/// Answers that are remembered until they are published.
const REMEMBERED: u64 = 50_000;
/// How long an answer stands.
const STANDS: Duration = Duration::from_secs(60 * 60);
/// How long nothing is asked again that could not be answered.
const PAUSE: Duration = Duration::from_secs(5 * 60);

/// What the mirror's page leaves open about a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Question {
    /// How long is the file with that hash?
    Length(Url, Digest),
    /// What is the hash of its core metadata? With what the page says of the file: other bytes have other metadata.
    Metadata(Url, BTreeMap<String, String>),
    /// What is its hash? With what the page says of it.
    Digest(Url, BTreeMap<String, String>, Option<u64>),
}

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Bytes.
    Length(u64),
    /// SHA-256.
    Metadata(Digest),
    /// SHA-256 and bytes.
    Digest(Digest, u64),
    /// It could not be found out.
    Failed(String),
}

/// Answers that were found lately.
pub(super) struct Answers {
    known: Cache<Question, Answer>,
    failed: Cache<Question, Answer>,
}

impl Default for Answers {
    fn default() -> Self {
        let cache = |time| Cache::builder().max_capacity(REMEMBERED).time_to_live(time).build();
        Self { known: cache(STANDS), failed: cache(PAUSE) }
    }
}

impl Answers {
    pub(super) async fn get(&self, question: &Question) -> Option<Answer> {
        match self.known.get(question).await {
            Some(answer) => Some(answer),
            None => self.failed.get(question).await,
        }
    }

    async fn put(&self, question: Question, answer: Answer) {
        match answer {
            Answer::Failed(_) => self.failed.insert(question, answer).await,
            _ => self.known.insert(question, answer).await,
        }
    }

    /// The answer is published, or doubted: it is asked anew should it be needed again.
    pub(super) async fn forget(&self, question: &Question) {
        self.known.invalidate(question).await;
        self.failed.invalidate(question).await;
    }
}

impl Watch {
    /// Finds out, and remembers, the answer.
    pub(super) async fn find_out(&self, question: Question) {
        // Fails only when the semaphore is closed, which nobody does.
        let _place = self.errands.acquire().await;
        let answer = match &question {
            Question::Length(url, digest) => self.length(url, digest).await,
            Question::Metadata(url, _) => {
                let answer = self.upstream.small(&beside(url, ".metadata"), METADATA).await;
                self.health.other(&answer);
                answer.map(|bytes| Answer::Metadata(Digest::of(&bytes))).map_err(|e| e.to_string())
            }
            Question::Digest(url, ..) => self.digest(url).await,
        };
        let answer = answer.unwrap_or_else(Answer::Failed);
        self.answers.put(question, answer).await;
    }

    async fn length(&self, url: &Url, digest: &Digest) -> Result<Answer, String> {
        if let Some(file) = self.spool.get(digest).await {
            return Ok(Answer::Length(file.length));
        }
        let answer = self.upstream.head(url).await;
        self.health.other(&answer);
        match answer {
            // Frameworks that answer HEAD without knowing say 0.
            Ok(None | Some(0)) => Err("the mirror does not say how long it is".to_owned()),
            Ok(Some(length)) => Ok(Answer::Length(length)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Fetches a file to hash it; what fits is kept for the first who asks for it.
    async fn digest(&self, url: &Url) -> Result<Answer, String> {
        let answer = self.upstream.file(url).await;
        self.health.other(&answer);
        let reply = answer.map_err(|error: UpstreamError| error.to_string())?;
        let fits = self.config.cache.file_limit.min(self.spool.capacity());
        if reply.length.is_none_or(|length| length > fits) {
            let hashed = hash_stream(reply.body).await.map_err(|error| error.to_string())?;
            return Ok(Answer::Digest(hashed.0, hashed.1));
        }
        let kept = self.spool.fetch_unknown(url, move || async move { Ok(reply) }).await;
        let (digest, file) = kept.map_err(|error: SpoolError| error.to_string())?;
        Ok(Answer::Digest(digest, file.length))
    }
}

/// What lies beside a file: its URL with `suffix` at the end of its path.
fn beside(url: &Url, suffix: &str) -> Url {
    let mut beside = url.clone();
    beside.set_path(&format!("{}{suffix}", url.path()));
    beside
}
