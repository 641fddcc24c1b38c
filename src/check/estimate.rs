//! From the sample to the whole index. Pure.

use serde::Serialize;

use super::facts::{List, Measured, Report, Sizes};
use crate::tuf::bins;

/// What the whole index is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Estimate {
    /// Whether every listed project was looked at.
    pub exact: bool,
    /// Files.
    pub files: u64,
    /// What to give as `--expected-files`: the files, rounded up.
    pub expected_files: u64,
    /// The number of bins that this gives.
    pub bins: u32,
    /// Files that have to be fetched and hashed.
    pub to_hash: u64,
    /// These files together, bytes; `None` where their lengths are not known.
    pub to_hash_bytes: Option<u64>,
    /// Requests for lengths that the pages do not give.
    pub heads: u64,
}

/// Estimates; `None` where nothing was seen.
pub fn estimate(report: &Report) -> Option<Estimate> {
    let (sample, seen) = (&report.sample, report.sample.answered());
    let listed = match report.list {
        List::Listed { projects, .. } => projects as u64,
        _ => seen,
    };
    let whole = |part: u64| scale(part, listed.max(seen), seen);
    let files = whole(sample.files)?;
    let hashless = sample.without_sha256;
    let expected_files = rounded_up(files);
    Some(Estimate {
        exact: seen >= listed,
        files,
        expected_files,
        bins: bins::best_count(expected_files),
        to_hash: whole(hashless.files)?,
        to_hash_bytes: bytes(hashless, report.lengths.without_sha256).and_then(whole),
        heads: whole(sample.without_size + (hashless.files - hashless.sized))?,
    })
}

/// The files of the sample together, bytes: as their pages say, and as those that were asked for are on average.
pub(super) fn bytes(files: Sizes, asked: Measured) -> Option<u64> {
    let missing = files.files.saturating_sub(files.sized);
    let rest = if missing == 0 { 0 } else { asked.mean()?.saturating_mul(missing) };
    Some(files.bytes.saturating_add(rest))
}

fn scale(part: u64, whole: u64, seen: u64) -> Option<u64> {
    let scaled = (u128::from(part) * u128::from(whole)).checked_div(u128::from(seen))?;
    Some(u64::try_from(scaled).unwrap_or(u64::MAX))
}

/// Two digits and zeros, at least 100.
fn rounded_up(files: u64) -> u64 {
    let unit = 10u64.saturating_pow(files.max(100).ilog10() - 1);
    files.max(100).div_ceil(unit).saturating_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::facts::Form;

    #[test]
    fn a_sample_stands_for_all() {
        let mut report = Report::default();
        assert_eq!(estimate(&report), None);
        report.list = List::Listed {
            projects: 1000,
            unnamed: 0,
            format: Form::Html,
            serial: None,
            project_serials: 0,
        };
        assert_eq!(estimate(&report), None, "nothing was seen");
        report.sample.html = 90;
        report.sample.missing.count = 10;
        report.sample.files = 345;
        report.sample.without_size = 300;
        report.sample.without_sha256 = Sizes { files: 45, sized: 5, bytes: 5_000 };
        report.lengths.without_sha256 = Measured { asked: 3, answered: 2, bytes: 4_000 };
        let found = estimate(&report).unwrap();
        assert_eq!((found.exact, found.files, found.expected_files), (false, 3450, 3500));
        assert_eq!((found.to_hash, found.to_hash_bytes), (450, Some(850_000)));
        assert_eq!((found.heads, found.bins), (3400, 256));
        report.lengths.without_sha256 = Measured::default();
        assert_eq!(estimate(&report).unwrap().to_hash_bytes, None);
        report.sample.html = 990;
        assert!(estimate(&report).unwrap().exact);
    }

    #[test]
    fn expectations_are_round() {
        for (files, expected) in [
            (0, 100),
            (99, 100),
            (101, 110),
            (1000, 1000),
            (1001, 1100),
            (16_123_456, 17_000_000),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(rounded_up(files), expected);
        }
    }
}
