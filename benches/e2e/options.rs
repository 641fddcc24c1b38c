//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures countersign beside its peers, and prints one table a figure.
///
/// Each value is a median, with the least and the greatest in brackets. What is compared takes turns within one
/// run. CPU time is that of the server's processes, not the client's, unless a column says so.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo bench --bench e2e --")]
pub struct Options {
    /// What to measure; all of it, where nothing is named.
    figures: Vec<Figure>,

    /// How often each thing is measured [default: 20 uploads, 10 publications of one file and fewer
    /// of more, 7 of page and file, 3 of memory, 5 of metadata, 7 of install].
    #[arg(long)]
    runs: Option<usize>,

    /// Page: requests of one run, at the most.
    #[arg(long, default_value_t = 30_000)]
    pub requests: usize,

    /// Page: connections at once.
    #[arg(long, default_value_t = 16)]
    pub connections: usize,

    /// Also writes every measured value into this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Figure {
    /// From an upload's 200 until a verifying client has the file.
    Upload,
    /// 1 to 10,000 new files at once, on a folder and on SeaweedFS, until a client can verify them.
    Publish,
    /// A page of 20 KB from memory, beside nginx from its proxy cache.
    Page,
    /// A file of 50 MB, streamed and from the spool, beside nginx `proxy_pass`.
    File,
    /// Resident memory at rest.
    Memory,
    /// What a client pays in metadata for an install, beside python-tuf.
    Metadata,
    /// `pip install` through `countersign run`, beside plain pip.
    Install,
}

impl Options {
    pub fn read() -> Self {
        Self::parse()
    }

    pub fn figures(&self) -> Vec<Figure> {
        let named = |figure: &&Figure| self.figures.is_empty() || self.figures.contains(*figure);
        Figure::value_variants().iter().filter(named).copied().collect()
    }

    pub fn runs(&self, default: usize) -> usize {
        self.runs.unwrap_or(default).max(1)
    }
}
