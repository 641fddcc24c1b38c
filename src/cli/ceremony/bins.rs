//! `countersign bins`

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;

use super::shared::{expires, keys};
use super::{FileTask, PublishBins};
use crate::ceremony::draft::{BinsChanges, bins};
use crate::ceremony::file::{self, Kind, Replace};
use crate::cli::{Environment, say};

pub(in crate::cli) const ABOUT: &str = "Changes bins: how many bins there are, and which online keys sign them.

The next version is a file that travels, as that of root: `countersign root --help` tells how. It is signed by the holders that targets \
names; --targets lets `draft`, `review` and `sign` check that. Another number of bins takes another prefix of their names, so that clients with the old \
state go on.";

/// What `bins` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  countersign bins draft --first --out bins.json --online online.pub.json --bins 1024
  countersign bins sign bins.json --targets targets.json --key blue.pem
  countersign bins draft --from bins.json --out next.json --bins 2048
  countersign bins draft --from bins.json --out next.json --online new-online.pub.json
  countersign bins review next.json --from bins.json --targets targets.json")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub task: Task,
}

/// What is done with a bins.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Task {
    /// Write the next version, not signed yet
    Draft(Box<Draft>),
    /// What is the same for all three.
    #[command(flatten)]
    File(FileTask),
    /// Make what enough holders signed visible to clients
    Publish(PublishBins),
}

/// What `bins draft` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(group(clap::ArgGroup::new("base").args(["first", "from"]).required(true)))]
pub struct Draft {
    /// Draft version 1
    #[arg(long)]
    pub first: bool,
    /// The current bins, on which the next version is made
    #[arg(long, value_name = "CURRENT")]
    pub from: Option<PathBuf>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// A key that signs the bins; those that are given are the whole new set
    #[arg(long, value_name = "PUB")]
    pub online: Vec<PathBuf>,
    /// The number of bins: a power of two from 2 to 16384
    #[arg(long, value_name = "N")]
    pub bins: Option<u32>,
    /// What the bins' names begin with [default: bins, then bins2, bins3 … with each change of their number]
    #[arg(long, value_name = "P")]
    pub prefix: Option<String>,
    /// The targets, which says who signs bins: no delegation in it may have the name of a bin
    #[arg(long, value_name = "TARGETS")]
    pub targets: Option<PathBuf>,
    /// The version, where it is not the next: a draft of that number was begun and never became visible
    #[arg(long, value_name = "N")]
    pub number: Option<u64>,
    /// How long it is valid, as 1y, or until when, as 2027-12-01 [default: 365 days]
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<String>,
}

/// Does one task.
///
/// # Errors
/// One sentence: what cannot be read, is refused, or cannot be written.
pub async fn run(args: Args, environment: &Environment) -> anyhow::Result<ExitCode> {
    match &args.task {
        Task::Draft(draft) => draft.run(Timestamp::now()),
        Task::File(task) => task.run(Kind::Bins, environment).await,
        Task::Publish(args) => args.run(environment).await,
    }
}

impl Draft {
    fn run(&self, now: Timestamp) -> anyhow::Result<ExitCode> {
        let current = self.from.as_deref().map(|path| file::read(path, Kind::Bins)).transpose()?;
        let targets = self.targets.as_deref();
        let targets = targets.map(|path| file::read(path, Kind::Targets)).transpose()?;
        let changes = BinsChanges {
            online: keys(&self.online)?,
            bins: self.bins,
            prefix: self.prefix.clone(),
            number: self.number,
            expires: expires(self.expires.as_deref(), Kind::Bins, now)?,
        };
        let draft = bins(targets.as_ref(), current.as_ref(), &changes, now)?;
        file::write(&self.out, Kind::Bins, &draft, Replace::No)?;
        say(&format!("bins {} is drafted in {}", draft.signed.version, self.out.display()));
        Ok(ExitCode::SUCCESS)
    }
}
