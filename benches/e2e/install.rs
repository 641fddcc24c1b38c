//! `pip install` of twenty wheels through `countersign run`, beside plain pip from the same mirror.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::options::Options;
use super::report::{NONE, Table};
use super::scene::{before, static_mirror, turns, wait_for_all};
use super::support::mirror::Mirror;
use super::support::packages::{Package, Wheel};
use super::support::tools::python;

const WHEELS: usize = 20;
/// Of a wheel, bytes.
const SIZE: usize = 1_000_000;
const BINS: u32 = 16_384;

/// How the wheels are installed.
#[derive(Debug, Clone, Copy)]
enum Way {
    FromMirror,
    ThroughSidecar,
    RunFirst,
    RunAgain,
}

const WAYS: [Way; 4] = [Way::FromMirror, Way::ThroughSidecar, Way::RunFirst, Way::RunAgain];

pub fn measure(options: &Options) -> Vec<Table> {
    let wheels: Vec<Package> = (0..WHEELS)
        .map(|n| Wheel::new(&format!("qx-wheel-{n}"), "1.0").padding(SIZE).build())
        .collect();
    let mirror = static_mirror(&wheels);
    let sidecar = before(&mirror, BINS).start();
    wait_for_all(&sidecar, &wheels);
    let title = format!(
        "install: pip, {WHEELS} wheels of 1 MB, 16,384 bins, into an empty folder, without pip's cache"
    );
    let mut table = Table::new(title, &["seconds", "CPU s of pip and countersign"]);
    WAYS.iter().for_each(|way| table.row(way.name()));
    // The first round warms up: the sidecar has the files then.
    for round in 0..=options.runs(7) {
        // The second run needs the first one's folder.
        let kept = tempfile::tempdir().expect("a folder");
        for turn in turns(3, round) {
            let ways = match WAYS[turn] {
                Way::RunFirst => &WAYS[2..],
                way => &[way][..],
            };
            for way in ways {
                let index = match way {
                    Way::FromMirror => mirror.simple_url(),
                    _ => sidecar.simple_url(),
                };
                let values = way.install(&index, &sidecar.root(), kept.path(), &wheels);
                if round > 0 {
                    table.record(way.name(), &values);
                }
            }
        }
    }
    vec![table]
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::FromMirror => "pip from the mirror",
            Self::ThroughSidecar => "pip through the sidecar, unverified",
            Self::RunFirst => "pip through `countersign run`, first time",
            Self::RunAgain => "pip through `countersign run`, again",
        }
    }

    fn install(self, index: &str, root: &Path, kept: &Path, wheels: &[Package]) -> [f64; 2] {
        let folder = tempfile::tempdir().expect("a folder");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/e2e/cost.py");
        let mut command = Command::new(python("python"));
        command.arg(script).env_remove("COUNTERSIGN_TEST_TOOLS").env("HOME", folder.path());
        let run = matches!(self, Self::RunFirst | Self::RunAgain);
        if run {
            command.env("XDG_DATA_HOME", kept).env("XDG_CACHE_HOME", kept);
            command.arg(env!("CARGO_BIN_EXE_countersign")).args(["run", "--index", index]);
            command.arg("--root").arg(root).arg("--");
        }
        command.arg(python("python")).args(["-m", "pip", "--disable-pip-version-check"]);
        command.args(["install", "--no-cache-dir", "--no-compile", "--no-deps", "-q"]);
        command.arg("--target").arg(folder.path().join("installed"));
        if !run {
            command.args(["--index-url", index]);
        }
        command.args(wheels.iter().map(Package::requirement));
        let start = Instant::now();
        let output = command.output().expect("a process");
        let seconds = start.elapsed().as_secs_f64();
        assert!(output.status.success(), "{self:?}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        let cost = said.lines().last().and_then(|line| line.split(' ').next()?.parse().ok());
        [seconds, cost.unwrap_or(NONE)]
    }
}
