//! Version and expiry.

use jiff::Timestamp;

use super::Refusal;
use crate::tuf::Role;

/// Which version may come next. Without a current one, the first is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The current version and one.
    One,
    /// Exactly this one: what was begun under the numbers before it never became visible.
    Free(u64),
    /// Any later one. Holders cannot know which numbers the store can take.
    Later,
}

/// What is wrong with version and expiry.
pub(super) fn faults<R: Role>(
    role: &'static str,
    current: Option<u64>,
    new: &R,
    next: Next,
    now: Timestamp,
) -> Vec<Refusal> {
    let found = new.version();
    let least = current.unwrap_or(0);
    let expected = match next {
        Next::One => Some(least.saturating_add(1)),
        Next::Free(version) => Some(version),
        Next::Later => None,
    };
    let wrong = match current {
        Some(current) if found < current => Some(Refusal::Older { role, found, current }),
        Some(current) if found == current => Some(Refusal::Same { role, found }),
        None if found == 0 => Some(Refusal::Older { role, found, current: 1 }),
        _ => expected.filter(|expected| *expected != found).map(|expected| Refusal::Gap {
            role,
            found,
            expected,
        }),
    };
    let expires = new.expires();
    let expired = expires.passed(now).then_some(Refusal::Expired { role, version: found, expires });
    wrong.into_iter().chain(expired).collect()
}
