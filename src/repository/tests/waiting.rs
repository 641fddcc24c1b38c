//! A key that is away: what is to be published waits, in order, and what was published is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};

use crate::repository::{PublisherConfig, RepositoryError};
use crate::signer::{Keyring, Signer, SignerError};
use crate::telemetry::{Backend, Readiness};
use crate::tuf::Key;

use super::support::{Bench, Running, page};

/// A key whose device can be unplugged.
struct Unplugged {
    inner: Arc<dyn Signer>,
    away: AtomicBool,
    /// Whether it is away for good.
    refuses: bool,
    asked: AtomicU64,
}

impl Signer for Unplugged {
    fn key(&self) -> &Key {
        self.inner.key()
    }

    fn backend(&self) -> Backend {
        Backend::Pkcs11
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<String, SignerError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (uri, reason) = ("pkcs11:object=x".into(), "unplugged".into());
        match (self.away.load(Ordering::Relaxed), self.refuses) {
            (false, _) => self.inner.sign(message),
            (true, false) => Box::pin(async { Err(SignerError::Away { uri, reason }) }),
            (true, true) => Box::pin(async { Err(SignerError::Refused { uri, reason }) }),
        }
    }
}

fn unplugged(bench: &Bench, refuses: bool) -> (Arc<Unplugged>, PublisherConfig) {
    let (away, asked) = (AtomicBool::new(true), AtomicU64::new(0));
    let key = Arc::new(Unplugged { inner: bench.online(), away, refuses, asked });
    let keyring = Keyring::of(vec![key.clone()]);
    (key, PublisherConfig { keyring, ..bench.config() })
}

fn noted(readiness: &Readiness) -> Option<String> {
    readiness.checks().into_iter().find(|check| check.name == "publishing")?.reason
}

async fn until(what: impl Fn() -> bool) {
    while !what() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn titles(running: &Running) -> usize {
    running.repository.projects().await.unwrap().len()
}

#[tokio::test]
async fn publications_wait_for_a_key_that_is_away() {
    let bench = Bench::new().await;
    let before = bench.open().await.unwrap();
    before.publish(&page("known", &[("known-1.0.tar.gz", "x")])).await.unwrap();
    before.stop().await;

    let (key, config) = unplugged(&bench, false);
    let (metrics, readiness) = (config.metrics.clone(), config.readiness.clone());
    let running = Arc::new(bench.open_with(config).await.unwrap());
    let publish = |version: &str| {
        let (running, file) = (running.clone(), format!("late-{version}.tar.gz"));
        async move { running.publish(&page("late", &[(&file, "y")])).await }
    };
    let waiting = tokio::spawn(join_all([publish("1.0"), publish("2.0")]));
    until(|| metrics.signing_waits.get() == 1 && key.asked.load(Ordering::Relaxed) > 1).await;
    assert!(noted(&readiness).unwrap().contains("publications wait: "));
    assert!(running.repository.model(&page("known", &[]).name).await.unwrap().is_some());
    assert_eq!(titles(&running).await, 1);
    assert!(!waiting.is_finished());

    key.away.store(false, Ordering::Relaxed);
    let done = waiting.await.unwrap();
    let commits: Vec<_> = done.into_iter().map(|receipt| receipt.unwrap().commit).collect();
    assert!(commits[0] < commits[1], "in order: {commits:?}");
    until(|| metrics.signing_waits.get() == 0 && noted(&readiness).is_none()).await;
    assert_eq!((titles(&running).await, metrics.publication_failures.get()), (2, 0));
}

#[tokio::test]
async fn nobody_waits_for_a_key_that_refuses() {
    let bench = Bench::new().await;
    let (_, config) = unplugged(&bench, true);
    let metrics = config.metrics.clone();
    let running = bench.open_with(config).await.unwrap();
    let refused = running.publish(&page("late", &[("late-1.0.tar.gz", "y")])).await.unwrap_err();
    assert!(matches!(&refused, RepositoryError::Signer(_)) && !refused.is_wait(), "{refused}");
    assert_eq!((metrics.signing_waits.get(), metrics.publication_failures.get()), (0, 1));
}

#[tokio::test]
async fn whoever_stops_does_not_wait() {
    let bench = Bench::new().await;
    let (key, config) = unplugged(&bench, false);
    let running = bench.open_with(config).await.unwrap();
    let publisher = running.publisher.clone();
    let waiting = tokio::spawn(async move {
        let late = page("late", &[("late-1.0.tar.gz", "y")]);
        publisher.publish(Arc::new(super::support::Exactly(late))).await
    });
    until(|| key.asked.load(Ordering::Relaxed) > 0).await;
    running.stop().await;
    let ended = waiting.await.unwrap().unwrap_err();
    assert!(ended.is_wait(), "{ended}");
}
