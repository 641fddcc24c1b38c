//! A dry run against a mirror: what would be signed, what would be refused and why, and what it would cost. Signs nothing.
//!
//! ```text
//! facts      what was found out: plain values
//! probe      the project list, the front page, a name that cannot exist
//! mirror     what kind of mirror it seems to be
//! replacing  whether uploaders may replace files
//! sample     looks at some of the projects
//! tally      adds up what their pages show
//! lengths    lengths that the pages do not give
//! estimate   from the sample to the whole index
//! judge      from facts to findings, each with what to do about it
//! text       findings as text
//! ```

use indicatif::{ProgressBar, ProgressStyle};

use crate::config::Config;
use crate::index::ProjectName;
use crate::upstream::{MirrorUrl, Upstream};

pub mod estimate;
pub mod facts;
pub mod judge;
mod lengths;
mod mirror;
mod probe;
mod replacing;
mod sample;
mod tally;
#[cfg(test)]
mod tests;
pub mod text;

pub use facts::Report;
pub use judge::{Finding, Level, findings};

use facts::List;
use tally::{Rules, Tally};

/// What to look at.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// How many of the listed projects.
    pub sample: usize,
    /// These projects instead, where any are named.
    pub projects: Vec<ProjectName>,
}

/// Looks at the mirror. Asks only for what any client may ask for; whatever goes wrong is in the report.
pub async fn check(upstream: &Upstream, config: &Config, wanted: Wanted) -> Report {
    let simple = upstream.simple_url();
    let mut report = Report {
        upstream: MirrorUrl::from(simple.clone()).to_string(),
        plain_http: probe::is_exposed(simple),
        credentials: upstream.has_credentials(),
        ..Report::default()
    };
    let spinner = ProgressBar::new_spinner().with_message("the project list");
    let (mut traces, listed) = probe::index(upstream, &mut report).await;
    spinner.finish_and_clear();
    if matches!(report.list, List::Login { .. } | List::Failed { .. }) {
        report.mirror = mirror::judge(&traces);
        return report;
    }
    let allows = |url: &url::Url| upstream.allows(url);
    let rules = Rules {
        simple,
        allows: &allows,
        largest: config.limits.file,
        kept: config.cache.file_limit,
    };
    let projects = match wanted.projects.is_empty() {
        true => sample::spread(listed, wanted.sample),
        false => wanted.projects,
    };
    let mut tally = Tally::new(rules);
    let progress = bar(projects.len(), "pages");
    sample::look(upstream, projects, &mut tally, &progress).await;
    progress.finish_and_clear();
    let files = lengths::choose(std::mem::take(&mut tally.unsized_files));
    let progress = bar(files.len(), "lengths");
    traces.serial_inside |= tally.serial_inside;
    report.sample = tally.sample;
    report.lengths =
        lengths::measure(upstream, files, config.limits.file, &mut report.sample, &progress).await;
    progress.finish_and_clear();
    report.unknown_name = probe::unknown_name(upstream).await;
    report.mirror = mirror::judge(&traces);
    report.replacing = replacing::infer(upstream, report.mirror.kind).await;
    report
}

/// A bar on standard error; nothing where that is no terminal.
fn bar(length: usize, what: &'static str) -> ProgressBar {
    // A template that cannot be read would be a mistake here; the bar is then plain.
    let style = ProgressStyle::with_template("{msg:>8} {wide_bar} {pos}/{len}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length as u64).with_style(style).with_message(what)
}
