//! Prometheus' text format, as far as the tests need it.

use std::collections::BTreeMap;

/// One scrape.
pub struct Metrics {
    series: Vec<Series>,
}

struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        Self { series: lines.map(series).collect() }
    }

    /// The sum over the series of a name that carry these labels. A name that is not there at all is a fault
    /// of the test or of the binary.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let matching: Vec<_> = self
            .series
            .iter()
            .filter(|series| series.name == name)
            .filter(|series| {
                labels
                    .iter()
                    .all(|(key, value)| series.labels.get(*key).is_some_and(|it| it == value))
            })
            .collect();
        assert!(!matching.is_empty(), "no series {name} with {labels:?}");
        matching.iter().map(|series| series.value).sum()
    }
}

fn series(line: &str) -> Series {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let labels = labels
        .trim_end_matches('}')
        .split("\",")
        .filter_map(|label| label.split_once("=\""))
        .map(|(key, value)| (key.to_owned(), value.trim_end_matches('"').to_owned()))
        .collect();
    Series { name: name.to_owned(), labels, value: value.parse().expect("a number") }
}
