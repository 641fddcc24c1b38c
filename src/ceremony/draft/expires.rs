//! `1y`, or a day.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::tuf::Expiry;

const WRONG: &str = "write how long it is valid, as 1y or 90d, or until when, as 2027-12-01";

/// When something expires that is drafted at `now`: after a span (`1y`, `18 months`, `90d`), on a day (`2027-12-01`, at midnight
/// UTC) or at a time (`2027-12-01T12:00:00Z`).
///
/// # Errors
/// A sentence that says how to write it.
pub fn parse(text: &str, now: Timestamp) -> Result<Expiry, String> {
    let time = match (text.parse::<Date>(), text.parse::<Timestamp>()) {
        (_, Ok(time)) => time,
        (Ok(day), _) => TimeZone::UTC.to_timestamp(day.into()).map_err(|_| WRONG)?,
        _ => {
            let span: Span = text.parse().map_err(|_| WRONG)?;
            let then = now.to_zoned(TimeZone::UTC).checked_add(span).map_err(|_| WRONG)?;
            then.timestamp()
        }
    };
    match Expiry::at(time) {
        past if past.passed(now) => Err(format!("{past} has passed: {WRONG}")),
        expires => Ok(expires),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_follow_the_calendar_and_days_begin_at_midnight() {
        let now = "2027-03-01T10:00:00.5Z".parse().unwrap();
        for (text, expected) in [
            ("1y", "2028-03-01T10:00:00Z"),
            ("18 months", "2028-09-01T10:00:00Z"),
            ("90d", "2027-05-30T10:00:00Z"),
            ("12h", "2027-03-01T22:00:00Z"),
            ("2027-12-01", "2027-12-01T00:00:00Z"),
            ("2027-12-01T12:30:00Z", "2027-12-01T12:30:00Z"),
        ] {
            assert_eq!(parse(text, now).map(|e| e.to_string()), Ok(expected.to_owned()), "{text}");
        }
        for bad in ["", "soon", "-1y", "0d", "2027-03-01", "1999-01-01", "99999y", "2027-13-01"] {
            assert!(parse(bad, now).is_err(), "{bad}");
        }
    }
}
