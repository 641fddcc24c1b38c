//! Progress bars for long work: on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that says what it is doing.
pub(super) fn progress(doing: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_message(doing)
}

/// Shows what is being done now, and that `done` of `of` are.
pub(super) fn show(bar: &ProgressBar, doing: &'static str, done: u64, of: u64) {
    bar.set_message(doing);
    bar.set_length(of);
    bar.set_position(done);
}
