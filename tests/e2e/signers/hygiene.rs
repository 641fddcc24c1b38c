//! What keeps keys from lying around.

use std::fs;

use crate::support::hostile::Hostile;
use crate::support::sidecar::Setup;

#[test]
fn a_process_with_keys_leaves_no_core_file() {
    let upstream = Hostile::start();
    let mut sidecar = Setup::bare(&upstream.simple_url()).bins(16).start();
    let limits = format!("/proc/{}/limits", sidecar.process().pid());
    let limits = fs::read_to_string(limits).expect("its limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    let values: Vec<_> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(values, ["0", "0"], "{core}");
}
