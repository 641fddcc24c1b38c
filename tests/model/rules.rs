//! The rules of the protocol. Each can be switched off, to see what it is there for.

/// All on is the protocol. What happens with a rule off stands beside it.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// A commit is an object of its own. Off: creating the next timestamp is the commit.
    pub commit_object: bool,
    /// Commits are never deleted. Off: those below T*'s are.
    pub commits_kept: bool,
    /// The number of a commit is never passed over. Off: who finds it taken takes the next one.
    pub number_not_passed_over: bool,
    /// A commit that may or may not have happened is read back, its nonce compared. Off: tried again, and a name that is
    /// taken then is believed to be one's own.
    pub nonce_read_back: bool,
    /// Only what lies below T* is deleted. Off: what the newest timestamp does not name and is older than the grace period.
    pub below_star: bool,
    /// What is old is told by the store's clock. Off: by the collector's own, which is ahead.
    pub store_clock: bool,
    /// The timestamps are listed again before the first delete. Off: they are not.
    pub listed_again: bool,
    /// Nobody deletes its own orphans. Off: who lost a race deletes what it had written.
    pub orphans_left: bool,
    /// A page's name carries the commit. Off: its hash alone.
    pub page_names_commit: bool,
    /// What is read is what the base names. Off: the highest version of a bin that lies in the store.
    pub base_names_bins: bool,
    /// What cannot be read is never read as empty. Off: a bin that is not there, or not answered, is taken for empty.
    pub never_read_as_empty: bool,
    /// A look at a project counts only if it began after the last commit that touched it was read. Off: looks are kept.
    pub looks_after_base: bool,
    /// A cursor names the commit on which it was true, and what later commits touched is looked at again. Off: it is not.
    pub cursor_names_commit: bool,
    /// Cursors are written after the publication that covers them. Off: before it.
    pub cursor_last: bool,
    /// The timestamps are listed before the newest commit is read. Off: after.
    pub list_then_read: bool,
    /// After creating a timestamp one lists again. Off: one reports at once, whoever created it.
    pub listed_until_shown: bool,
    /// Whoever sees a commit without a timestamp signs one. Off: who has nothing to add takes it for published.
    pub finish_for_others: bool,
    /// A look at the store lists the timestamps. Off: it tries the next number after the one it knows.
    pub look_lists: bool,
    /// A look that took longer than half the grace period starts over. Off: it counts.
    pub slow_look_again: bool,
    /// A look also loads what was superseded less than a grace period ago. Off: the newest alone.
    pub look_loads_superseded: bool,
    /// A timestamp is answered after a look that began after the request. Off: requests join a look that is under way.
    pub look_after_request: bool,
    /// Who is asked for a name that it does not know looks before it answers 404. Off: 404 at once.
    pub look_before_404: bool,
    /// What a look saw is believed for half the grace period, and then looked at again. Off: until the next look.
    pub looks_age: bool,
    /// Whether a name may be answered is checked after it was read. Off: before.
    pub checked_after_read: bool,
}

impl Rules {
    /// The protocol.
    pub const ALL: Self = Self {
        commit_object: true,
        commits_kept: true,
        number_not_passed_over: true,
        nonce_read_back: true,
        below_star: true,
        store_clock: true,
        listed_again: true,
        orphans_left: true,
        page_names_commit: true,
        base_names_bins: true,
        never_read_as_empty: true,
        looks_after_base: true,
        cursor_names_commit: true,
        cursor_last: true,
        list_then_read: true,
        listed_until_shown: true,
        finish_for_others: true,
        look_lists: true,
        slow_look_again: true,
        look_loads_superseded: true,
        look_after_request: true,
        look_before_404: true,
        looks_age: true,
        checked_after_read: true,
    };
}
