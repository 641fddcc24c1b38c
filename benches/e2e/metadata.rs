//! What a client pays in metadata for one install: bytes and CPU time, beside python-tuf's ngclient.

mod repository;
mod served;

use std::path::Path;
use std::process::Command;

use super::options::Options;
use super::report::{Table, count};
use super::scene::turns;
use super::support::tools::python;

use self::repository::{Repository, neighbours};
use self::served::Served;

/// In each bin that a client loads.
const TARGETS: usize = 1_000;
const BINS: [u32; 2] = [1_024, 16_384];
/// Between two of a client's installs.
const PUBLICATIONS: usize = 100;
const CLIENTS: [Client; 2] = [Client::Countersign, Client::PythonTuf];
const COLUMNS: [&str; 4] = ["bytes", "requests", "CPU s", "peak MiB"];

#[derive(Debug, Clone, Copy)]
enum Client {
    Countersign,
    PythonTuf,
}

/// When a client comes.
const VISITS: [&str; 4] = [
    "first install",
    "again, nothing new",
    "after 100 publications, its bin untouched",
    "after 100 publications, its bin among them",
];

pub fn measure(options: &Options) -> Vec<Table> {
    BINS.iter().map(|bins| measure_bins(options, *bins)).collect()
}

fn measure_bins(options: &Options, bins: u32) -> Table {
    let title = format!(
        "metadata: one target found and verified, {} bins with {} targets in it",
        count(bins),
        count(TARGETS as u64)
    );
    let mut table = Table::new(title, &COLUMNS);
    for visit in VISITS {
        CLIENTS.iter().for_each(|client| table.row(&client.row(visit)));
    }
    let neighbours = neighbours(bins, TARGETS - 1);
    for round in 0..=options.runs(5) {
        let repository = Repository::new(bins, &neighbours);
        let target = repository.target().to_owned();
        let served = Served::start(repository);
        let folders = CLIENTS.map(|_| tempfile::tempdir().expect("a folder"));
        for (at, visit) in VISITS.iter().enumerate() {
            match at {
                2 => served.publish(PUBLICATIONS, false),
                3 => served.publish(PUBLICATIONS, true),
                _ => {}
            }
            for turn in turns(CLIENTS.len(), round) {
                let client = CLIENTS[turn];
                let values = client.visit(folders[turn].path(), &served, &target);
                // The first round warms up.
                if round > 0 {
                    table.record(&client.row(visit), &values);
                }
            }
        }
    }
    table
}

impl Client {
    fn row(self, visit: &str) -> String {
        let who = match self {
            Self::Countersign => "countersign tuf",
            Self::PythonTuf => "python-tuf",
        };
        format!("{visit}: {who}")
    }

    /// Refreshes and fetches the target, in a process of its own.
    fn visit(self, folder: &Path, served: &Served, target: &str) -> [f64; 4] {
        let (metadata, targets) = (served.url("metadata/"), served.url("targets/"));
        let root = folder.join("first.json");
        std::fs::write(&root, served.root()).expect("a file");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/e2e/cost.py");
        let mut command = Command::new(python("python"));
        command.arg(&script);
        match self {
            Self::Countersign => {
                let trusted = folder.join("trusted");
                let init = Command::new(env!("CARGO_BIN_EXE_countersign"))
                    .args(["tuf", "--metadata-dir"])
                    .arg(&trusted)
                    .arg("init")
                    .arg(&root)
                    .env_remove("COUNTERSIGN_TEST_TOOLS")
                    .status();
                assert!(init.expect("a process").success());
                command.arg(env!("CARGO_BIN_EXE_countersign")).args(["tuf", "--metadata-dir"]);
                command.arg(&trusted).args(["--metadata-url", &metadata]);
                command.args(["--target-name", target, "--target-base-url", &targets]);
                command.arg("--target-dir").arg(folder).arg("download");
            }
            Self::PythonTuf => {
                let client =
                    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/ngclient.py");
                command.arg(python("python")).arg(client).arg(folder).arg(&root);
                command.args([&metadata, &targets, target]);
            }
        }
        let before = served.sent();
        let output = command.env_remove("COUNTERSIGN_TEST_TOOLS").output().expect("a process");
        assert!(output.status.success(), "{self:?}: {output:?}");
        let after = served.sent();
        let cost = String::from_utf8_lossy(&output.stderr);
        let cost = cost.lines().last().expect("a line of the cost");
        let numbers: Vec<f64> =
            cost.split(' ').map(|number| number.parse().expect("a number")).collect();
        let [cpu, peak] = numbers[..] else { panic!("{cost}") };
        [(after.0 - before.0) as f64, (after.1 - before.1) as f64, cpu, peak]
    }
}
