//! What a draft changes, who has signed it, and what looks dangerous. Pure.

mod changes;
mod fields;
mod text;
mod view;
mod warnings;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::Serialize;

use super::case::Case;
use super::check::Standing;
use crate::tuf::Expiry;

pub use changes::Change;
pub use text::text;
pub use view::{BinsView, KeyView, RoleView};
pub use warnings::Warning;

use view::View;

/// All that a holder should know before signing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Review {
    /// `root`, `targets` or `bins`.
    pub role: &'static str,
    /// Its version.
    pub version: u64,
    /// The version that it is compared with.
    pub from: Option<u64>,
    /// When it expires.
    pub expires: Expiry,
    /// SHA-256 of what is signed: what holders can read to each other.
    pub sha256: crate::tuf::Digest,
    /// What changes.
    pub changes: Vec<Change>,
    /// Who may sign what from then on.
    pub roles: Vec<RoleView>,
    /// The bins that it makes; of bins alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bins: Option<BinsView>,
    /// Who has signed, for each that must agree.
    pub signatures: Vec<StandingView>,
    /// What looks dangerous.
    pub warnings: Vec<Warning>,
    /// Why it would be refused.
    pub refused: Vec<String>,
    /// Whether it can be published, as far as the files tell.
    pub complete: bool,
}

/// How far one of those who must agree has got.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StandingView {
    /// `root 3`, `targets 2`: where the keys stand.
    pub by: String,
    /// How many must sign.
    pub threshold: u64,
    /// How many more must.
    pub lacking: u64,
    /// Who signed.
    pub signed: Vec<KeyView>,
    /// Who may still.
    pub missing: Vec<KeyView>,
}

/// Looks at `case`.
pub fn review(case: &Case, now: Timestamp) -> Review {
    let report = case.report(now);
    let (old, new) = View::pair(case);
    let holders = case.holders();
    let known = |id: &crate::tuf::KeyId| KeyView::of(id, case.key(id).as_ref(), &holders);
    let standing = |standing: &Standing| StandingView {
        by: standing.by.to_string(),
        threshold: standing.threshold,
        lacking: standing.lacking(),
        signed: standing.signed.iter().map(known).collect(),
        missing: standing.missing.iter().map(known).collect(),
    };
    let (version, from) = case.versions();
    let complete = report.faults.is_empty() && !report.standings.is_empty() && report.is_signed();
    Review {
        role: case.kind().name(),
        version,
        from,
        expires: new.expires,
        sha256: crate::tuf::Digest::of(&case.message().unwrap_or_default()),
        changes: changes::between(old.as_ref(), &new),
        warnings: warnings::of(case, old.as_ref(), &new, now),
        signatures: report.standings.iter().map(standing).collect(),
        refused: report.faults.iter().map(ToString::to_string).collect(),
        roles: new.roles,
        bins: new.bins,
        complete,
    }
}
