//! Why something was not signed or not served.

use super::label::label;

label! {
    /// Why something was refused; the label `reason` of `countersign_refusals_total`.
    Refusal as "reason" {
        /// A signed file name came with another hash.
        ChangedHash = "changed-hash",
        /// A name that was deleted came back with another hash.
        RetiredName = "retired-name",
        /// A name that cannot be a target path.
        BadName = "bad-name",
        /// A file without a SHA-256 that could not be fetched to be hashed.
        NoHash = "no-hash",
        /// Fetched bytes have another hash or length than the signed one.
        Mismatch = "mismatch",
        /// A file asked for again soon after a mismatch.
        RecentMismatch = "recent-mismatch",
        /// The operator blocked it.
        Blocked = "blocked",
        /// A link or redirect to an origin that is not allowed.
        Origin = "origin",
        /// Larger than its bound.
        Oversize = "oversize",
        /// A distribution or page that nothing vouches for.
        Unsigned = "unsigned",
        /// A page that is no project page.
        PageMalformed = "page-malformed",
        /// A page that ended early.
        PageTruncated = "page-truncated",
        /// A page whose project has another name than the one asked for.
        PageMismatch = "page-mismatch",
        /// A page answered with an error.
        PageError = "page-error",
        /// A project list that is none, or that could not be read.
        ListMalformed = "list-malformed",
        /// More projects seem to be gone at once than is believed without the operator's word.
        MassWithdrawal = "mass-withdrawal",
    }
}
