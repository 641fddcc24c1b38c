//! docs/threat-model.md names each of these tests, and no other.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

const MODULE: &str = "attacks::";

#[test]
fn the_table_names_these_tests() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/threat-model.md");
    let table = fs::read_to_string(table).expect("docs/threat-model.md");
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    let named: BTreeSet<_> = rows.flat_map(tests_of).collect();
    assert_eq!(named, tests());
}

/// What a row has in backquotes below this module, without the module.
fn tests_of(row: &str) -> Vec<String> {
    let quoted = row.split('`').skip(1).step_by(2);
    let named: Vec<_> = quoted.filter_map(|name| name.strip_prefix(MODULE)).collect();
    assert!(!named.is_empty(), "no test in: {row}");
    named.into_iter().map(str::to_owned).collect()
}

/// What this binary runs, but for this test.
fn tests() -> BTreeSet<String> {
    let itself = env::current_exe().expect("a path");
    let output = Command::new(itself).args(["--list", MODULE]).output().expect("a list");
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = list.lines().filter_map(|line| line.strip_prefix(MODULE)?.strip_suffix(": test"));
    names.filter(|name| !name.starts_with("table::")).map(str::to_owned).collect()
}
