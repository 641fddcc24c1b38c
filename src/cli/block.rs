//! `countersign block`

use std::process::ExitCode;

use super::allow::filename;
use super::flags::Location;
use super::{Environment, say};
use crate::control::{self, Request};
use crate::index::ProjectName;

pub(super) const ABOUT: &str = "Tells the running countersign to withdraw a project, or one file of it, at once: it is neither served nor signed until the \
block is taken back. Both are logged, and recorded in the repository.";

/// What `block` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  countersign block some-project
  countersign block some-project some_project-1.0-py3-none-any.whl
  countersign block --undo some-project")]
pub struct Args {
    /// The project
    #[arg(value_parser = ProjectName::parse)]
    pub project: ProjectName,
    /// The one file to block, instead of the whole project
    #[arg(value_parser = filename)]
    pub filename: Option<String>,
    /// Take the block back
    #[arg(long)]
    pub undo: bool,
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
}

impl Args {
    fn request(self) -> Request {
        let Self { project, filename, undo, .. } = self;
        match undo {
            true => Request::Unblock { project, filename },
            false => Request::Block { project, filename },
        }
    }
}

/// Passes the operator's word on.
///
/// # Errors
/// Where nothing runs on the data folder, or it refuses.
pub async fn run(args: Args, environment: &Environment) -> anyhow::Result<ExitCode> {
    let config = environment.config(&args.location, Vec::new())?;
    let reply = control::send(&config.data, &args.request()).await?;
    say(&reply.message);
    Ok(ExitCode::SUCCESS)
}
