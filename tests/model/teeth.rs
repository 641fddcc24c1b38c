//! The model has teeth: with one rule off it finds the failure that the rule is there for. With `--nocapture` each test
//! prints a schedule that leads there.

use super::observer::Broken;
use super::rules::Rules;
use super::schedule::Bias;
use super::search::search;

/// Switches one rule off, and expects that invariant to break.
macro_rules! without {
    ($($rule:ident breaks $broken:ident under $bias:ident;)+) => {
        $(
            #[test]
            fn $rule() {
                let rules = Rules { $rule: false, ..Rules::ALL };
                let found = search(rules, Bias::$bias, 60_000, Some(Broken::$broken));
                println!("without {}: {:?}", stringify!($rule), found.expect("an invariant breaks"));
            }
        )+
    };
}

without! {
    // The commit.
    commit_object breaks ReportedUnpublished under EVEN;
    commits_kept breaks ReportedUnpublished under EVEN;
    number_not_passed_over breaks PublicationLost under EVEN;
    nonce_read_back breaks ReportedUnpublished under EVEN;
    // The base and the upstream.
    base_names_bins breaks ProjectWentBack under EVEN;
    never_read_as_empty breaks ProjectWentBack under EVEN;
    looks_after_base breaks ProjectWentBack under EVEN;
    cursor_last breaks NeverPublished under EVEN;
    cursor_names_commit breaks NeverPublished under EVEN;
    // The timestamp.
    list_then_read breaks VersionWentBack under EVEN;
    listed_until_shown breaks ReportedUnpublished under EVEN;
    finish_for_others breaks ReportedUnpublished under EVEN;
    // Garbage collection.
    below_star breaks DeletedTooEarly under EVEN;
    store_clock breaks DeletedTooEarly under EVEN;
    listed_again breaks DeletedTooEarly under COLLECTING;
    orphans_left breaks DeletedTooEarly under EVEN;
    page_names_commit breaks DeletedTooEarly under EVEN;
    // Replicas.
    look_lists breaks ClientWentBack under EVEN;
    slow_look_again breaks ClientMissing under EVEN;
    look_loads_superseded breaks ClientMissing under EVEN;
    look_after_request breaks ClientWentBack under EVEN;
    look_before_404 breaks ClientMissing under EVEN;
    looks_age breaks ClientMisled under FETCHING;
    checked_after_read breaks ClientMisled under FETCHING;
}
