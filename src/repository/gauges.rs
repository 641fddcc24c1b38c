//! What the metrics say of the repository.

use crate::telemetry::{Metrics, Role};

use super::census::Census;
use super::published::Published;

/// Shows the roles of a publication.
pub(super) fn roles(metrics: &Metrics, published: &Published) {
    let labels = [Role::Root, Role::Targets, Role::Bins, Role::Snapshot, Role::Timestamp];
    for (label, (_, version, expires)) in labels.into_iter().zip(published.roles()) {
        metrics.role_version.of(label).set(version.cast_signed());
        metrics.role_expiry.of(label).set(expires.time().as_second());
    }
}

/// Shows the bins: how many targets they hold, once all are known; the earliest expiry, the highest version.
pub(super) fn bins(metrics: &Metrics, census: &Census) {
    if let Some(targets) = census.targets() {
        metrics.targets.set(targets.cast_signed());
    }
    if let Some(earliest) = census.earliest() {
        metrics.role_expiry.of(Role::Bin).set(earliest.time().as_second());
    }
    metrics.role_version.of(Role::Bin).set(census.highest_version().cast_signed());
}
