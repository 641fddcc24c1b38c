//! Expiry times, exactly `YYYY-MM-DDTHH:MM:SSZ` (TUF specification, section 4.2.1).

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

const FORM: &str = "%Y-%m-%dT%H:%M:%SZ";

/// When a role expires, in whole seconds of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry(Timestamp);

impl Expiry {
    /// `time`, cut to whole seconds.
    pub fn at(time: Timestamp) -> Self {
        Self(Timestamp::from_second(time.as_second()).unwrap_or(time))
    }

    /// The time.
    pub fn time(self) -> Timestamp {
        self.0
    }

    /// Whether the role has expired at `now` (specification, section 5: expired when not later than now).
    pub fn passed(self, now: Timestamp) -> bool {
        self.0 <= now
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.strftime(FORM).fmt(f)
    }
}

impl Serialize for Expiry {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Expiry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let parsed = DateTime::strptime(FORM, &text)
            .and_then(|civil| TimeZone::UTC.to_timestamp(civil))
            .map(Self);
        match parsed {
            // strptime takes `2026-1-1` too.
            Ok(expiry) if expiry.to_string() == text => Ok(expiry),
            _ => Err(D::Error::custom(format!(
                "{text:?} is no time of the form 2030-12-31T23:59:59Z"
            ))),
        }
    }
}

impl super::fields::Field for Expiry {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_alone() {
        let good = "\"2030-02-28T23:59:59Z\"";
        let expiry: Expiry = serde_json::from_str(good).unwrap();
        assert_eq!(serde_json::to_string(&expiry).unwrap(), good);
        for bad in [
            "2030-02-30T00:00:00Z",
            "2030-02-28T23:59:59",
            "2030-02-28T23:59:59+00:00",
            "2030-02-28T23:59:59.5Z",
            "2030-2-28T23:59:59Z",
            "",
        ] {
            assert!(serde_json::from_value::<Expiry>(bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn fractions_are_cut_and_the_second_itself_has_passed() {
        let expiry = Expiry::at("2030-01-01T00:00:00.9Z".parse().unwrap());
        assert_eq!(expiry.to_string(), "2030-01-01T00:00:00Z");
        assert!(expiry.passed("2030-01-01T00:00:00Z".parse().unwrap()));
        assert!(!expiry.passed("2029-12-31T23:59:59Z".parse().unwrap()));
    }
}
