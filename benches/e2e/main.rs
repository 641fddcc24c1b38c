//! The figures of docs/performance.md, each beside its peer: real mirrors behind countersign, nginx at its side.
//!
//! `cargo bench --bench e2e -- --help` tells what there is. The mirrors and clients are those of the
//! end-to-end tests; `tests/run` installs them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that goes wrong ends the run"
)]
// The macro of the tests that ends one where a tool is missing.
#![allow(unused_macros)]

mod connection;
mod file;
mod install;
mod load;
mod machine;
mod memory;
mod metadata;
mod nginx;
mod options;
mod page;
mod process;
mod publish;
mod report;
mod scene;
mod upload;
mod verifier;

#[path = "../../tests/e2e/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the end-to-end tests, which use all of it"
)]
mod support;

use std::process::ExitCode;

use self::options::{Figure, Options};
use self::report::Report;
use self::support::tools::{Tool, present};

fn main() -> ExitCode {
    let options = Options::read();
    if !options.bench {
        // `cargo test --benches` starts it too.
        eprintln!("nothing is measured without --bench, which `cargo bench` passes");
        return ExitCode::SUCCESS;
    }
    if !present(&[Tool::Python, Tool::Nginx, Tool::Seaweed]) {
        return ExitCode::FAILURE;
    }
    let mut report = Report::default();
    println!("{}\n", machine::describe());
    for figure in options.figures() {
        eprintln!("measuring: {figure:?}");
        let tables = match figure {
            Figure::Upload => upload::measure(&options),
            Figure::Publish => publish::measure(&options),
            Figure::Page => page::measure(&options),
            Figure::File => file::measure(&options),
            Figure::Memory => memory::measure(&options),
            Figure::Metadata => metadata::measure(&options),
            Figure::Install => install::measure(&options),
        };
        for table in tables {
            println!("{table}");
            report.add(table);
        }
    }
    if let Some(path) = &options.json {
        report.write(path);
    }
    ExitCode::SUCCESS
}
