//! `countersign allow`

use std::process::ExitCode;

use super::flags::Location;
use super::{Environment, Usage, say};
use crate::control::{self, Request};
use crate::index::ProjectName;
use crate::tuf::Digest;

pub(super) const ABOUT: &str = "Tells the running countersign that a change which it refuses is meant.

A file name that was signed once keeps its bytes; where the mirror replaced a file on purpose, name the file and the SHA-256 of the \
new bytes, and exactly these are let in, once. Where more projects vanished at once than is believed, --withdrawals says that they \
are meant to be gone. Both are logged, and recorded in the repository.";

/// What `allow` takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Examples:
  countersign allow some-project some_project-1.0-py3-none-any.whl --sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  countersign allow --withdrawals")]
pub struct Args {
    /// The project
    #[arg(value_parser = ProjectName::parse, required_unless_present = "withdrawals")]
    pub project: Option<ProjectName>,
    /// The file's name, as the index lists it
    #[arg(value_parser = filename, required_unless_present = "withdrawals")]
    pub filename: Option<String>,
    /// The SHA-256 of the new bytes, 64 hex digits
    #[arg(long, value_name = "HEX", required_unless_present = "withdrawals")]
    pub sha256: Option<Digest>,
    /// The projects that vanished are meant to be gone
    #[arg(long, conflicts_with_all = ["project", "filename", "sha256"])]
    pub withdrawals: bool,
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
}

impl Args {
    fn request(self) -> Result<Request, Usage> {
        match (self.withdrawals, self.project, self.filename, self.sha256) {
            (true, ..) => Ok(Request::AllowWithdrawals),
            (false, Some(project), Some(filename), Some(sha256)) => {
                Ok(Request::Allow { project, filename, sha256 })
            }
            _ => Err(Usage("name PROJECT, FILENAME and --sha256, or --withdrawals".into())),
        }
    }
}

/// Passes the operator's word on.
///
/// # Errors
/// Where nothing runs on the data folder, or it refuses.
pub async fn run(args: Args, environment: &Environment) -> anyhow::Result<ExitCode> {
    let config = environment.config(&args.location, Vec::new())?;
    let reply = control::send(&config.data, &args.request()?).await?;
    say(&reply.message);
    Ok(ExitCode::SUCCESS)
}

/// A file name, not a path.
pub(super) fn filename(text: &str) -> Result<String, &'static str> {
    match text.is_empty() || text.contains('/') || text.chars().any(char::is_control) {
        true => Err("name a file as the index lists it, without a path"),
        false => Ok(text.to_owned()),
    }
}
