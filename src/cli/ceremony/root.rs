//! `countersign root`

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;

use super::shared::{expires, keys, role_edit};
use super::{FileTask, Held, PublishRoot};
use crate::ceremony::draft::{RootChanges, root};
use crate::ceremony::file::{self, Kind, Replace};
use crate::cli::{Environment, say};

pub(in crate::cli) const ABOUT: &str = "Changes the root: who may sign root and targets, and which keys sign online.

The next version is a file that travels. `draft` makes it from the current one, `review` says in plain words what it changes and who \
has signed, `sign` adds one holder's signature, and `merge` joins copies that several holders signed. None of these needs a network, a \
store or a configuration. A new root is signed by enough holders of the root before it and of itself. The files are plain TUF metadata: \
python-tuf and others can sign and check them too.";

/// What `root` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  countersign root draft --first --out root.json --threshold 2 --holder red=red.pub.json --holder green=green.pub.json \\
    --holder blue=blue.pub.json --targets-holder amber=amber.pub.json --online online.pub.json
  countersign root sign root.json --key red.pem
  countersign root current --out current.json
  countersign root draft --from current.json --out next.json --remove red --holder violet=violet.pub.json
  countersign root review next.json --from current.json
  countersign root sign next.json --from current.json --key green.pem
  countersign root merge next.json stick/next.json")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub task: Task,
}

/// What is done with a root.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Task {
    /// Write the next version, not signed yet
    Draft(Box<Draft>),
    /// What is the same for all three.
    #[command(flatten)]
    File(FileTask),
    /// Make what enough holders signed visible to clients
    Publish(PublishRoot),
}

/// What `root draft` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(group(clap::ArgGroup::new("base").args(["first", "from"]).required(true)))]
pub struct Draft {
    /// Draft version 1
    #[arg(long)]
    pub first: bool,
    /// The current root, on which the next version is made
    #[arg(long, value_name = "CURRENT")]
    pub from: Option<PathBuf>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// A holder of root who comes, with the file of the public key; may be given several times
    #[arg(long, value_name = "NAME=PUB")]
    pub holder: Vec<Held>,
    /// How many holders must sign root
    #[arg(long, value_name = "N")]
    pub threshold: Option<u64>,
    /// A holder of root who goes, by name or key id
    #[arg(long, value_name = "NAME|KEYID")]
    pub remove: Vec<String>,
    /// A holder of targets who comes
    #[arg(long, value_name = "NAME=PUB")]
    pub targets_holder: Vec<Held>,
    /// How many holders must sign targets
    #[arg(long, value_name = "N")]
    pub targets_threshold: Option<u64>,
    /// A holder of targets who goes, by name or key id
    #[arg(long, value_name = "NAME|KEYID")]
    pub remove_targets: Vec<String>,
    /// A key that signs timestamp and snapshot; those that are given are the whole new set
    #[arg(long, value_name = "PUB", conflicts_with_all = ["timestamp", "snapshot"])]
    pub online: Vec<PathBuf>,
    /// A key that signs timestamp; those that are given are the whole new set
    #[arg(long, value_name = "PUB")]
    pub timestamp: Vec<PathBuf>,
    /// A key that signs snapshot; those that are given are the whole new set
    #[arg(long, value_name = "PUB")]
    pub snapshot: Vec<PathBuf>,
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
        Task::File(task) => task.run(Kind::Root, environment).await,
        Task::Publish(args) => args.run(environment).await,
    }
}

impl Draft {
    fn run(&self, now: Timestamp) -> anyhow::Result<ExitCode> {
        let current = self.from.as_deref().map(|path| file::read(path, Kind::Root)).transpose()?;
        let role = |one: &[PathBuf]| keys(if one.is_empty() { &self.online } else { one });
        let (targets, gone) = (&self.targets_holder, &self.remove_targets);
        let changes = RootChanges {
            root: role_edit(&self.holder, &self.remove, self.threshold)?,
            targets: role_edit(targets, gone, self.targets_threshold)?,
            timestamp: role(&self.timestamp)?,
            snapshot: role(&self.snapshot)?,
            expires: expires(self.expires.as_deref(), Kind::Root, now)?,
        };
        let draft = root(current.as_ref(), &changes, now)?;
        file::write(&self.out, Kind::Root, &draft, Replace::No)?;
        say(&format!("root {} is drafted in {}", draft.signed.version, self.out.display()));
        Ok(ExitCode::SUCCESS)
    }
}
