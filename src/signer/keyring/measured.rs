//! What every online key has, wherever it lies: a bound on the time of a signature, and counts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use super::super::{Backend, Signer, SignerError};
use crate::telemetry::Metrics;
use crate::tuf::Key;

/// How many signatures of a key are asked for at a time. Those that wait for their turn have their time still before them.
fn at_once(backend: Backend) -> usize {
    match backend {
        // A token has one session.
        Backend::Pkcs11 => 1,
        // Each is a process.
        Backend::Command => 4,
        Backend::File | Backend::Vault | Backend::AwsKms => 16,
    }
}

/// A signer whose signatures are counted and must come in time.
pub(super) struct Measured {
    inner: Arc<dyn Signer>,
    /// What names the key.
    uri: String,
    timeout: Duration,
    metrics: Arc<Metrics>,
    turns: Semaphore,
}

impl Signer for Measured {
    fn key(&self) -> &Key {
        self.inner.key()
    }

    fn backend(&self) -> Backend {
        self.inner.backend()
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<String, SignerError>> {
        Box::pin(async move {
            // Never closed.
            let _turn = self.turns.acquire().await;
            let (began, backend) = (Instant::now(), self.backend());
            let signed = match tokio::time::timeout(self.timeout, self.inner.sign(message)).await {
                Ok(signed) => signed,
                Err(_) => Err(self.too_slow()),
            };
            self.metrics.signing_duration.of(backend).observe(began.elapsed().as_secs_f64());
            match &signed {
                Ok(_) => self.metrics.signatures.of(backend).inc(),
                Err(_) => self.metrics.signing_failures.of(backend).inc(),
            }
            signed
        })
    }
}

impl Measured {
    /// `inner`, which `uri` names.
    pub(super) fn new(
        inner: Arc<dyn Signer>,
        uri: String,
        timeout: Duration,
        metrics: Arc<Metrics>,
    ) -> Self {
        let turns = Semaphore::new(at_once(inner.backend()));
        Self { inner, uri, timeout, metrics, turns }
    }

    fn too_slow(&self) -> SignerError {
        let limit = crate::config::units::duration::show(self.timeout);
        let reason = format!("it gave no signature within {limit} (signing.timeout)");
        SignerError::Away { uri: self.uri.clone(), reason }
    }
}
