//! What to do next.

use super::Topic::Next;
use super::{Finding, Report};
use crate::check::estimate::{Estimate, estimate};
use crate::check::facts::List;
use crate::check::text::{many, number, quoted};

pub(super) fn judge(report: &Report) -> Option<Finding> {
    let whole = estimate(report)?;
    let Estimate { files, bins, expected_files, exact, .. } = whole;
    let about = if exact { "" } else { "about " };
    let what = format!(
        "The index has {about}{}; --expected-files {expected_files} makes {} bins.",
        many(files, "file"),
        number(bins),
    );
    let command = format!(
        "countersign serve --upstream {} --expected-files {expected_files}",
        quoted(&report.upstream)
    );
    let todo = match report.list {
        List::Listed { .. } => "Start with:",
        _ => "Give a larger number if the mirror has more than what was looked at, and start with:",
    };
    Some(Finding { command: Some(command), ..Next.note(what, todo) })
}
