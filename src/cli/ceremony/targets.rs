//! `countersign targets`

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;

use super::shared::{expires, role_edit};
use super::{Delegate, FileTask, Held, PublishTargets};
use crate::ceremony::draft::{TargetsChanges, targets};
use crate::ceremony::file::{self, Kind, Replace};
use crate::cli::{Environment, say};

pub(in crate::cli) const ABOUT: &str = "Changes targets: who may sign bins, and who is trusted before bins.

The next version is a file that travels, as that of root: `countersign root --help` tells how. It is signed by the holders that root \
names; --root lets `review` and `sign` check that.";

/// What `targets` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  countersign targets draft --first --out targets.json --holder blue=blue.pub.json
  countersign targets sign targets.json --root root.json --key amber.pem
  countersign targets draft --from targets.json --out next.json --holder violet=violet.pub.json --threshold 2
  countersign targets draft --from targets.json --out next.json --delegate 'acme=simple/acme-*/*,files/acme-*/*:acme.pub.json'
  countersign targets review next.json --from targets.json --root root.json")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub task: Task,
}

/// What is done with a targets.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Task {
    /// Write the next version, not signed yet
    Draft(Box<Draft>),
    /// What is the same for all three.
    #[command(flatten)]
    File(FileTask),
    /// Make what enough holders signed visible to clients
    Publish(PublishTargets),
}

/// What `targets draft` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(group(clap::ArgGroup::new("base").args(["first", "from"]).required(true)))]
pub struct Draft {
    /// Draft version 1
    #[arg(long)]
    pub first: bool,
    /// The current targets, on which the next version is made
    #[arg(long, value_name = "CURRENT")]
    pub from: Option<PathBuf>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// A holder of bins who comes, with the file of the public key; may be given several times
    #[arg(long, value_name = "NAME=PUB")]
    pub holder: Vec<Held>,
    /// How many holders must sign bins
    #[arg(long, value_name = "N")]
    pub threshold: Option<u64>,
    /// A holder of bins who goes, by name or key id
    #[arg(long, value_name = "NAME|KEYID")]
    pub remove: Vec<String>,
    /// A role that is asked before bins, the patterns of the paths that it is trusted with, and the file of its public key
    #[arg(long, value_name = "NAME=PATTERN[,PATTERN…]:PUB")]
    pub delegate: Vec<Delegate>,
    /// A role that is asked no more
    #[arg(long, value_name = "NAME")]
    pub undelegate: Vec<String>,
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
        Task::File(task) => task.run(Kind::Targets, environment).await,
        Task::Publish(args) => args.run(environment).await,
    }
}

impl Draft {
    fn run(&self, now: Timestamp) -> anyhow::Result<ExitCode> {
        let current =
            self.from.as_deref().map(|path| file::read(path, Kind::Targets)).transpose()?;
        let changes = TargetsChanges {
            bins: role_edit(&self.holder, &self.remove, self.threshold)?,
            delegate: self.delegate.iter().map(Delegate::read).collect::<Result<_, _>>()?,
            undelegate: self.undelegate.clone(),
            number: self.number,
            expires: expires(self.expires.as_deref(), Kind::Targets, now)?,
        };
        let draft = targets(current.as_ref(), &changes, now)?;
        file::write(&self.out, Kind::Targets, &draft, Replace::No)?;
        say(&format!("targets {} is drafted in {}", draft.signed.version, self.out.display()));
        Ok(ExitCode::SUCCESS)
    }
}
