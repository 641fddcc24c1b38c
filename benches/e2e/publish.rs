//! From a webhook until a client can verify everything that it told of: on a folder with `fsync`, and on SeaweedFS.

mod round;
mod site;

use super::options::Options;
use super::report::{NONE, Table, count};
use super::support::sidecar::Kind;

use self::round::Round;
use self::site::{Site, init};

pub const BINS: u32 = 16_384;

/// How much is new at once.
#[derive(Clone, Copy)]
struct Size {
    files: usize,
    /// Over which the files are spread evenly.
    projects: usize,
    /// Of ten runs so many are made.
    runs: usize,
}

const SIZES: [Size; 5] = [
    Size { files: 1, projects: 1, runs: 10 },
    Size { files: 30, projects: 30, runs: 5 },
    Size { files: 1_000, projects: 1_000, runs: 3 },
    Size { files: 10_000, projects: 500, runs: 1 },
    Size { files: 10_000, projects: 10_000, runs: 1 },
];

const COLUMNS: [&str; 6] = [
    "seconds",
    "of them publishing",
    "publications",
    "countersign's CPU s",
    "SeaweedFS's CPU s",
    "peak MiB",
];

pub fn measure(options: &Options) -> Vec<Table> {
    let title = format!("init: {} bins", count(BINS));
    let mut inits = Table::new(title, &["seconds"]);
    let title = "publish: from the webhook until the newest timestamp reaches every file";
    let mut table = Table::new(title, &COLUMNS);
    let kinds = [("a folder, with fsync", Kind::Folder), ("SeaweedFS", Kind::Bucket)];
    for (name, kind) in kinds {
        inits.row(name);
        SIZES.iter().for_each(|size| table.row(&size.row(name)));
        for _ in 0..scaled(options, 3) {
            inits.record(name, &[init(kind)]);
        }
        let mut site = Site::start(kind);
        for size in SIZES {
            // The first round warms up: its projects are new, those of the others are there.
            let first = if size.runs > 1 { 0 } else { 1 };
            for round in first..=scaled(options, size.runs) {
                let round = Round { files: size.files, projects: size.projects, round };
                let values = round.publish(&mut site);
                eprintln!("{}, round {}: {values:.3?}", size.row(name), round.round);
                if round.round > 0 {
                    table.record(&size.row(name), &values);
                }
            }
        }
    }
    vec![inits, table]
}

/// So many of ten runs, and one at least.
fn scaled(options: &Options, of_ten: usize) -> usize {
    (options.runs(10) * of_ten).div_ceil(10)
}

impl Size {
    fn row(self, store: &str) -> String {
        let files = count(self.files as u64);
        let which = match self {
            Self { files: 1, .. } => "1 file".to_owned(),
            Self { files: f, projects: p, .. } if f == p => format!("{files} files at once"),
            Self { projects, .. } => {
                format!("{files} files at once, of {} projects", count(projects as u64))
            }
        };
        format!("{store}: {which}")
    }
}

/// What a store of this kind has no value for.
fn cpu_of_store(seconds: Option<f64>) -> f64 {
    seconds.unwrap_or(NONE)
}
