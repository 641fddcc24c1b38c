//! Durations (`"60s"`, `"5 min"`, `"7d"`) and sizes (`"64 MiB"`, `1048576`) as people write them.

/// Serde for [`std::time::Duration`]: what jiff's friendly format allows; a day has 24 hours.
pub mod duration {
    use std::time::Duration;

    use jiff::{Span, SpanRelativeTo};
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    /// Writes whole seconds: `"60s"`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{}s", value.as_secs()))
    }

    /// Reads `"60s"`, `"5 min"`, `"7 d"`.
    ///
    /// # Errors
    /// Where the text is no duration, or a negative one.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        parse(&text).ok_or_else(|| {
            D::Error::custom(format!("{text:?} is no duration: write \"60s\", \"5min\" or \"7d\""))
        })
    }

    fn parse(text: &str) -> Option<Duration> {
        let span: Span = text.parse().ok()?;
        let signed = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
        Duration::try_from(signed).ok()
    }
}

/// Serde for sizes in bytes.
pub mod size {
    use bytesize::ByteSize;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes `"64.0 MiB"`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
        ByteSize(*value).serialize(to)
    }

    /// Reads `"64 MiB"` or a number of bytes.
    ///
    /// # Errors
    /// Where the text is no size.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        ByteSize::deserialize(from).map(|size| size.0)
    }
}
