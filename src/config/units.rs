//! Durations (`"60s"`, `"5 min"`, `"7d"`) and sizes (`"64 MiB"`, `1048576`) as people write them.

/// The largest unit of which `amount` holds a whole number, `least` at least; the last one otherwise.
fn in_largest_unit(amount: u128, least: u128, units: &[(u128, &'static str)]) -> String {
    let fits = |&&(unit, _): &&(u128, &str)| amount.is_multiple_of(unit) && amount / unit >= least;
    let (unit, name) = units.iter().find(fits).or(units.last()).copied().unwrap_or((1, ""));
    format!("{}{name}", amount / unit)
}

/// Serde for [`std::time::Duration`]: what jiff's friendly format allows; a day has 24 hours.
pub mod duration {
    use std::time::Duration;

    use jiff::{Span, SpanRelativeTo};
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    const UNITS: [(u128, &str); 5] =
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")];

    /// `"60s"`, `"5min"`, `"7d"`; exact to the millisecond.
    pub fn show(value: Duration) -> String {
        // People say 60s and 24h, not 1min and 1d.
        super::in_largest_unit(value.as_millis(), 2, &UNITS)
    }

    /// Writes as [`show`] does.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&show(*value))
    }

    /// Reads `"60s"`, `"5 min"`, `"7 d"`.
    ///
    /// # Errors
    /// Where the text is no duration, or a negative one.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        parse(&text).map_err(D::Error::custom)
    }

    const WRONG: &str = r#"write a duration as "60s", "5min" or "7d""#;

    /// Reads `"60s"`, `"5 min"`, `"7 d"`.
    ///
    /// # Errors
    /// A sentence that says how to write it.
    pub fn parse(text: &str) -> Result<Duration, &'static str> {
        let span: Span = text.parse().map_err(|_| WRONG)?;
        let signed = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| WRONG)?;
        Duration::try_from(signed).map_err(|_| WRONG)
    }
}

/// As [`duration`], where nothing need be said.
pub mod optional_duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    struct Given(#[serde(with = "super::duration")] Duration);

    /// Writes as [`super::duration`] does.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(value: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::duration::serialize(value, to),
            None => to.serialize_none(),
        }
    }

    /// Reads as [`super::duration`] does.
    ///
    /// # Errors
    /// Where the text is no duration, or a negative one.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let given = Option::<Given>::deserialize(from)?;
        Ok(given.map(|Given(value)| value))
    }
}

/// Serde for sizes in bytes.
pub mod size {
    use std::fmt;

    use bytesize::ByteSize;
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    const UNITS: [(u128, &str); 4] =
        [(1 << 30, " GiB"), (1 << 20, " MiB"), (1 << 10, " KiB"), (1, " B")];

    /// `"64 MiB"`; exact.
    pub fn show(value: u64) -> String {
        super::in_largest_unit(value.into(), 1, &UNITS)
    }

    /// Writes as [`show`] does.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&show(*value))
    }

    /// Reads `"64 MiB"` or a number of bytes.
    ///
    /// # Errors
    /// Where the text is no size.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        from.deserialize_any(Size)
    }

    /// Reads `"64 MiB"` or a number of bytes.
    ///
    /// # Errors
    /// A sentence that says how to write it.
    pub fn parse(text: &str) -> Result<u64, &'static str> {
        let size = text.parse::<ByteSize>().map(|size| size.0);
        size.map_err(|_| r#"write a size as "64 MiB", or a number of bytes"#)
    }

    struct Size;

    impl Visitor<'_> for Size {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(r#"a size as "64 MiB", or a number of bytes"#)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
            parse(text).map_err(E::custom)
        }

        fn visit_u64<E>(self, bytes: u64) -> Result<u64, E> {
            Ok(bytes)
        }

        fn visit_i64<E: Error>(self, bytes: i64) -> Result<u64, E> {
            u64::try_from(bytes).map_err(|_| E::custom("a size cannot be negative"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Both {
        #[serde(with = "super::duration")]
        time: Duration,
        #[serde(with = "super::size")]
        bytes: u64,
    }

    #[test]
    fn are_shown_as_people_write_them() {
        for (millis, text) in
            [(0, "0ms"), (1500, "1500ms"), (60_000, "60s"), (300_000, "5min"), (86_400_000, "24h")]
        {
            assert_eq!(super::duration::show(Duration::from_millis(millis)), text);
        }
        for (bytes, text) in
            [(0, "0 B"), (1000, "1000 B"), (64 << 20, "64 MiB"), (2 << 30, "2 GiB")]
        {
            assert_eq!(super::size::show(bytes), text);
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for json in [
            r#"{"time":"-5s","bytes":1}"#,
            r#"{"time":"soon","bytes":1}"#,
            r#"{"time":"1 month","bytes":1}"#,
            r#"{"time":"1s","bytes":-1}"#,
            r#"{"time":"1s","bytes":"much"}"#,
        ] {
            assert!(serde_json::from_str::<Both>(json).is_err(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn are_read_back_exactly(millis in 0_u64..400_000_000_000, bytes in 0_u64..1 << 50) {
            let both = Both { time: Duration::from_millis(millis), bytes };
            let json = serde_json::to_string(&both).unwrap();
            prop_assert_eq!(serde_json::from_str::<Both>(&json).unwrap(), both);
        }
    }
}
