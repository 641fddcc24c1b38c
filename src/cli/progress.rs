//! Progress bars for long work: on a terminal alone.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that tells what is done, as its message.
pub(super) fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Shows that `done` of `of` are done of `what`.
pub(super) fn show(bar: &ProgressBar, what: &'static str, done: u64, of: u64) {
    bar.set_message(what);
    bar.set_length(of);
    bar.set_position(done);
}
