//! What is done with a root, a targets and a bins alike.

use std::process::ExitCode;

use super::judge::{run_merge, run_review, run_sign};
use super::{Current, Merge, Review, Sign, current};
use crate::ceremony::file::Kind;
use crate::cli::{Environment, key};

/// The tasks that root, targets and bins share.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum FileTask {
    /// Say what a file changes, who has signed it and who is missing
    Review(Review),
    /// Show the review, ask, and add one signature
    Sign(Sign),
    /// Add the signatures of copies that others have signed
    Merge(Merge),
    /// Copy the newest published version out of the store
    Current(Current),
    /// Make keys, and show their public halves: as `countersign key`
    Key(key::Args),
}

impl FileTask {
    /// Does one of them.
    ///
    /// # Errors
    /// One sentence: what cannot be read, is refused, or cannot be written.
    pub(super) async fn run(
        &self,
        kind: Kind,
        environment: &Environment,
    ) -> anyhow::Result<ExitCode> {
        match self {
            Self::Review(args) => run_review(kind, args),
            Self::Sign(args) => run_sign(kind, args).await,
            Self::Merge(args) => run_merge(kind, args),
            Self::Current(args) => current::run(kind, args, environment).await,
            Self::Key(args) => key::run(args.clone()).await,
        }
    }
}
