//! The time that a bundle stands for: when its timestamp was signed.

use jiff::{SignedDuration, Timestamp as Time};
use serde::Deserialize;

use super::Bundle;
use crate::client::{ClientError, Limits, Remote as _, View};
use crate::tuf::{Expiry, Flaw, Timestamp};

/// A time, as a timestamp claims it that nobody has verified yet.
///
/// To verify it takes a time, so it is claimed first, and believed once [`Moment::confirm`] has seen what was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(Time);

#[derive(Deserialize)]
struct Claim {
    signed: Dated,
}

#[derive(Deserialize)]
struct Dated {
    at: Option<Expiry>,
    expires: Expiry,
}

impl Moment {
    /// What the bundle's timestamp claims.
    ///
    /// # Errors
    /// Where it has no readable timestamp.
    pub async fn claimed(bundle: &Bundle) -> Result<Self, ClientError> {
        let bytes = bundle.metadata("timestamp.json", Limits::default().timestamp).await?;
        let unread = |error: serde_json::Error| Flaw::Malformed(error.to_string()).of("timestamp");
        let Claim { signed } = serde_json::from_slice(&bytes).map_err(unread)?;
        Ok(Self::of(signed.at, signed.expires))
    }

    /// Whether the timestamp that was verified says the same.
    pub fn confirm(self, view: &View) -> bool {
        let Timestamp { at, expires, .. } = view.timestamp();
        self == Self::of(*at, *expires)
    }

    /// The time.
    pub fn time(self) -> Time {
        self.0
    }

    /// When it was signed; where it does not say, the last second in which it was valid: signed too, and after that.
    fn of(at: Option<Expiry>, expires: Expiry) -> Self {
        let last = || expires.time().checked_sub(SignedDuration::from_secs(1)).unwrap_or(Time::MIN);
        Self(at.map_or_else(last, Expiry::time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_without_a_time_stands_for_its_last_second() {
        let expiry = |text: &str| Expiry::at(text.parse().unwrap());
        let (at, expires) = (expiry("2026-11-02T03:04:05Z"), expiry("2026-11-03T03:04:05Z"));
        assert_eq!(Moment::of(Some(at), expires).time(), at.time());
        assert_eq!(Moment::of(None, expires).time(), expiry("2026-11-03T03:04:04Z").time());
        assert!(!expires.passed(Moment::of(None, expires).time()));
    }
}
