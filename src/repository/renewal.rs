//! Signing again what expires: at less than a third of its validity; bins spread over time.

use std::time::Duration;

use jiff::Timestamp;

use crate::tuf::Expiry;

use super::RepositoryError;
use super::writer::{Renewals, Writer};

/// Bins looked at, and bins signed again, in one pass at the most.
const BINS_A_PASS: usize = 256;

/// Goes round the bins, a stretch in each pass, since a large repository has many.
#[derive(Default)]
pub(super) struct Renewal {
    next: usize,
}

impl Renewal {
    /// Signs again what is due at `now`.
    pub(super) async fn run(
        &mut self,
        writer: &mut Writer,
        now: Timestamp,
    ) -> Result<(), RepositoryError> {
        writer.catch_up().await?;
        // What other replicas signed is not due.
        writer.refresh().await?;
        writer.mend().await?;
        let bins = self.bins_due(writer, now).await?;
        writer.show_bins();
        writer.gauge();
        let validity = writer.online.validity.clone();
        let snapshot = &writer.base().snapshot.signed;
        let snapshot_due = is_due(snapshot.expires, validity.snapshot, now, 0.0);
        let snapshot = snapshot_due.then_some(snapshot.version);
        let published = writer.repository().published();
        let timestamp = published.timestamp.signed.expires;
        // What shows a new root was cut short.
        let behind = published.base.root.signed.version < writer.base().root.signed.version;
        if snapshot.is_some() || !bins.is_empty() {
            tracing::info!(bins = bins.len(), "signing again what expires");
            writer.publish(&[], &Renewals { bins, snapshot }).await?;
        } else if behind || is_due(timestamp, validity.timestamp, now, 0.0) {
            tracing::info!("signing the timestamp again");
            writer.renew_timestamp().await?;
        }
        Ok(())
    }

    /// The bins of the next stretch that are due.
    async fn bins_due(
        &mut self,
        writer: &mut Writer,
        now: Timestamp,
    ) -> Result<Vec<(u32, u64)>, RepositoryError> {
        let base = writer.base().clone();
        let validity = writer.online.validity.bin;
        let count = writer.census().len();
        let mut due = Vec::new();
        for _ in 0..count.min(BINS_A_PASS) {
            // There may be fewer bins than there were.
            let index = self.next % count;
            self.next = (index + 1) % count;
            let name = base.succinct.name(index as u32);
            let version = base.version_of(&name).unwrap_or_default();
            let expires = match writer.census().expiry(index, version) {
                Some(expires) => expires,
                None => {
                    let bin = writer.repository().read_bin(&base, &name).await?;
                    writer.record(index as u32, &bin.signed);
                    bin.signed.expires
                }
            };
            if is_due(expires, validity, now, spread(index)) {
                due.push((index as u32, version));
            }
        }
        Ok(due)
    }
}

/// Whether less than a third of `validity` is left; up to two thirds where `spread` (0 to 1) asks for it.
fn is_due(expires: Expiry, validity: Duration, now: Timestamp, spread: f64) -> bool {
    let left = expires.time().duration_since(now).as_secs_f64();
    left < validity.as_secs_f64() * (1.0 + spread) / 3.0
}

/// A number from 0 to 1 that differs from bin to bin: bins that were made together are not renewed together.
fn spread(index: usize) -> f64 {
    // The golden ratio's fractions are evenly spread, however many are taken.
    (index as f64 * 0.618_033_988_749_895).fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_at_a_third_and_bins_spread_over_the_second_third() {
        let day = Duration::from_secs(86_400);
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let expires = |hours: u64| Expiry::at(now + Duration::from_secs(hours * 3600));
        assert!(!is_due(expires(9), day, now, 0.0));
        assert!(is_due(expires(7), day, now, 0.0));
        assert!(is_due(expires(15), day, now, 0.99));
        let due_half_way = (0..1000).filter(|i| is_due(expires(12), day, now, spread(*i))).count();
        assert!((450..550).contains(&due_half_way), "{due_half_way}");
    }
}
