//! Range requests (RFC 9110, section 14), one range at a time.

use std::ops::Range;

use http::HeaderMap;
use http::header::{IF_RANGE, RANGE};

/// What part of a file is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selected {
    /// All of it: 200.
    Whole,
    /// These bytes: 206.
    Part(Range<u64>),
    /// None of it is in the range: 416.
    Nothing,
}

/// Whether a range that comes without `If-Range` is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bare {
    /// All that was ever answered under this URL is these bytes.
    Given,
    /// The client may hold the start of an answer that was never verified, and would put the range behind it.
    Ignored,
}

/// What of a verified file of `length` bytes under `etag` the client asks for. Several ranges, and what is no valid
/// range, are answered with the whole.
pub(super) fn select(headers: &HeaderMap, etag: &str, length: u64, bare: Bare) -> Selected {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let Some(range) = text(RANGE) else { return Selected::Whole };
    let given = match text(IF_RANGE) {
        // Strong comparison: a weak tag and a date never match.
        Some(condition) => condition.trim() == etag,
        None => bare == Bare::Given,
    };
    if !given {
        return Selected::Whole;
    }
    parse(range, length).unwrap_or(Selected::Whole)
}

fn parse(range: &str, length: u64) -> Option<Selected> {
    let (unit, spec) = range.split_once('=')?;
    let (first, last) = spec.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (start, end) = match (first, last) {
        ("", last) => (length.saturating_sub(number(last)?), length),
        (first, "") => (number(first)?, length),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            (first, last.saturating_add(1).min(length))
        }
    };
    Some(if start < end { Selected::Part(start..end) } else { Selected::Nothing })
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(range: &'static str, if_range: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static(range));
        if let Some(value) = if_range {
            headers.insert(IF_RANGE, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn one_range_is_cut_out() {
        for (range, expected) in [
            ("bytes=0-9", Selected::Part(0..10)),
            ("bytes=90-", Selected::Part(90..100)),
            ("bytes=-10", Selected::Part(90..100)),
            ("bytes=-1000", Selected::Part(0..100)),
            ("bytes=0-1000", Selected::Part(0..100)),
            ("Bytes= 5-5", Selected::Part(5..6)),
            ("bytes=100-", Selected::Nothing),
            ("bytes=-0", Selected::Nothing),
            ("bytes=0-18446744073709551615", Selected::Part(0..100)),
            ("bytes=9-0", Selected::Whole),
            ("bytes=0-1,5-6", Selected::Whole),
            ("bytes=+1-2", Selected::Whole),
            ("bytes=", Selected::Whole),
            ("bytes=-", Selected::Whole),
            ("lines=0-1", Selected::Whole),
            ("nonsense", Selected::Whole),
        ] {
            let headers = headers(range, None);
            assert_eq!(select(&headers, "\"e\"", 100, Bare::Given), expected, "{range}");
        }
        assert_eq!(select(&HeaderMap::new(), "\"e\"", 100, Bare::Given), Selected::Whole);
        let empty = select(&headers("bytes=0-", None), "\"e\"", 0, Bare::Given);
        assert_eq!(empty, Selected::Nothing);
    }

    #[test]
    fn a_condition_must_match_strongly() {
        let part = |if_range, bare| {
            select(&headers("bytes=0-0", if_range), "\"e\"", 9, bare) == Selected::Part(0..1)
        };
        assert!(part(Some("\"e\""), Bare::Ignored));
        assert!(part(None, Bare::Given));
        for stale in ["\"other\"", "W/\"e\"", "Sun, 22 Nov 2026 13:41:54 GMT", ""] {
            assert!(!part(Some(stale), Bare::Given), "{stale}");
        }
        assert!(!part(None, Bare::Ignored));
    }
}
