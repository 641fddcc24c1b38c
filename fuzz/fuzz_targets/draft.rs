//! A metadata file that holders pass on: it is refused, or its review has no line that the file wrote.
#![no_main]

use countersign::ceremony::case::Case;
use countersign::ceremony::review::{review, text};
use countersign::tuf::{Root, Signed, Targets};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else { return };
    let now = jiff::Timestamp::UNIX_EPOCH;
    let root = || Signed::<Root>::parse_strict(bytes).ok();
    let targets = || Signed::<Targets>::parse_strict(bytes).ok();
    let case = match kind {
        b'0' => root().map(|new| Case::Root { old: None, new }),
        b'1' => targets().map(|new| Case::Targets { root: None, old: None, new }),
        _ => targets().map(|new| Case::Bins { targets: None, old: None, new }),
    };
    let Some(case) = case else { return };
    let shown = text(&review(&case, now), now);
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
});
