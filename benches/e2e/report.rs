//! Tables of medians.

use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::machine;

/// One figure: what was measured of whom, in Markdown when it is shown.
pub struct Table {
    title: String,
    columns: Vec<&'static str>,
    rows: Vec<Row>,
}

struct Row {
    who: String,
    /// One list a column.
    values: Vec<Vec<f64>>,
}

/// Where a column does not apply.
pub const NONE: f64 = f64::NAN;

impl Table {
    pub fn new(title: impl Into<String>, columns: &[&'static str]) -> Self {
        Self { title: title.into(), columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row without values yet, so that rows stand in this order whoever is measured first.
    pub fn row(&mut self, who: &str) {
        let values = vec![Vec::new(); self.columns.len()];
        self.rows.push(Row { who: who.into(), values });
    }

    /// Adds one measurement of `who`, a value a column.
    pub fn record(&mut self, who: &str, values: &[f64]) {
        assert_eq!(values.len(), self.columns.len(), "a value a column");
        let row = self.rows.iter_mut().find(|row| row.who == who).expect("a row of that name");
        for (column, value) in row.values.iter_mut().zip(values) {
            column.push(*value);
        }
    }

    fn to_json(&self) -> Value {
        let rows: Vec<_> = self.rows.iter().map(|row| row.to_json(&self.columns)).collect();
        json!({ "title": self.title, "rows": rows })
    }
}

impl Row {
    fn to_json(&self, columns: &[&str]) -> Value {
        let columns = columns.iter().zip(&self.values).filter_map(|(column, values)| {
            let Spread { median, least, greatest } = Spread::of(values)?;
            let spread =
                json!({ "median": median, "min": least, "max": greatest, "values": values });
            Some(((*column).to_owned(), spread))
        });
        json!({ "who": self.who, "columns": columns.collect::<serde_json::Map<_, _>>() })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.title)?;
        writeln!(f, "| | {} |", self.columns.join(" | "))?;
        writeln!(f, "| --- |{}", " ---: |".repeat(self.columns.len()))?;
        for row in &self.rows {
            let cells = row.values.iter().map(|values| match Spread::of(values) {
                Some(spread) => spread.to_string(),
                None => "–".into(),
            });
            writeln!(f, "| {} | {} |", row.who, cells.collect::<Vec<_>>().join(" | "))?;
        }
        Ok(())
    }
}

struct Spread {
    median: f64,
    least: f64,
    greatest: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<_> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match sorted.len() {
            0 => return None,
            even if even % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        Some(Self { median, least: sorted[0], greatest: sorted[sorted.len() - 1] })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, least, greatest } = self;
        write!(f, "**{}** ({}–{})", number(*median), number(*least), number(*greatest))
    }
}

/// Three digits, or all before the point.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    grouped(whole) + fraction
}

/// A whole number as it is shown.
pub fn count(number: impl Into<u64>) -> String {
    grouped(&number.into().to_string())
}

fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// All tables of a run.
#[derive(Default)]
pub struct Report {
    tables: Vec<Table>,
}

impl Report {
    pub fn add(&mut self, table: Table) {
        self.tables.push(table);
    }

    pub fn write(&self, path: &Path) {
        let tables: Vec<_> = self.tables.iter().map(Table::to_json).collect();
        let all = json!({ "machine": machine::describe(), "tables": tables });
        let text = serde_json::to_string_pretty(&all).expect("JSON");
        fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
