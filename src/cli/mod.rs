//! The command line: one file a command. Each has its arguments and `run`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::signer::keep_out_of_core_dumps;
use crate::telemetry::log as logging;

pub mod allow;
pub mod block;
pub mod bundle;
pub mod ceremony;
pub mod check;
mod environment;
pub mod export;
mod flags;
pub mod fsck;
pub mod gateway;
pub mod gc;
pub mod import;
pub mod index_flags;
pub mod init;
pub mod inspect;
pub mod key;
pub mod log;
mod open;
mod progress;
pub mod recover;
mod report;
pub mod restore;
pub mod run;
pub mod serve;
pub mod trust;
pub mod tuf;

pub use environment::Environment;
pub use flags::flag_for;
pub use report::{Usage, say};

/// How long work on blocking threads may hold up the end of the process.
const LAST_MOMENTS: Duration = Duration::from_secs(2);
/// Threads for what blocks, such as the disk. Each keeps memory of its own, up to a MiB.
const BLOCKING: usize = 32;

/// Signs an unmodified Python package index with The Update Framework (PEP 458).
#[derive(Debug, Parser)]
#[command(
    name = "countersign",
    version,
    arg_required_else_help = true,
    long_about = "countersign stands in front of an unmodified Python package index, signs what it publishes with The Update \
Framework as PEP 458 describes, and serves exactly the bytes that it signed.",
    after_help = "Examples:
  countersign serve --upstream https://mirror.example/simple/
  pip install --index-url http://127.0.0.1:8080/simple/ some-project
  countersign check --upstream https://mirror.example/simple/"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Stand in front of a mirror: sign it and serve what is signed.
    #[command(long_about = serve::ABOUT)]
    Serve(Box<serve::Args>),
    /// Make a repository: the roles and their keys.
    #[command(long_about = init::ABOUT)]
    Init(init::Args),
    /// Take over a TUF repository that was made elsewhere.
    #[command(long_about = import::ABOUT)]
    Import(import::Args),
    /// Make keys, and show their public halves.
    #[command(long_about = key::ABOUT)]
    Key(key::Args),
    /// Show a repository: roles, versions, expiries, keys, bins and targets.
    #[command(long_about = inspect::ABOUT)]
    Inspect(inspect::Args),
    /// Look at a mirror and say what would be refused; signs nothing.
    #[command(long_about = check::ABOUT)]
    Check(check::Args),
    /// Let a replaced file, or many withdrawals, through; told to the running process.
    #[command(long_about = allow::ABOUT)]
    Allow(allow::Args),
    /// Withdraw a project or a file at once; told to the running process.
    #[command(long_about = block::ABOUT)]
    Block(block::Args),
    /// Go on with a repository that was put back to an earlier state.
    #[command(long_about = restore::ABOUT)]
    Restore(restore::Args),
    /// Go back to the last good state after somebody else had the online key.
    #[command(long_about = recover::ABOUT)]
    Recover(recover::Args),
    /// Write what is published into a folder: a static TUF repository.
    #[command(long_about = export::ABOUT)]
    Export(export::Args),
    /// Look for damage: every signature, hash, bin, page and commit.
    #[command(long_about = fsck::ABOUT)]
    Fsck(fsck::Args),
    /// Delete what was superseded more than the grace period ago.
    #[command(long_about = gc::ABOUT)]
    Gc(gc::Args),
    /// Show the journal: what was published, when and by whom.
    #[command(long_about = log::ABOUT)]
    Log(log::Args),
    /// Change the root: draft, review, sign and merge its next version.
    #[command(long_about = ceremony::root::ABOUT)]
    Root(ceremony::root::Args),
    /// Change targets: draft, review, sign and merge its next version.
    #[command(long_about = ceremony::targets::ABOUT)]
    Targets(ceremony::targets::Args),
    /// Change bins: draft, review, sign and merge its next version.
    #[command(long_about = ceremony::bins::ABOUT)]
    Bins(ceremony::bins::Args),
    /// Say which root is trusted for which index.
    #[command(long_about = trust::ABOUT)]
    Trust(trust::Args),
    /// Run one command, and give to it what was verified.
    #[command(long_about = run::ABOUT)]
    Run(Box<run::Args>),
    /// Stand before a sidecar: verify for pip, uv, poetry and pipenv.
    #[command(long_about = gateway::ABOUT)]
    Gateway(Box<gateway::Args>),
    /// Put what is needed of an index into one file, for a place without a network.
    #[command(long_about = bundle::ABOUT)]
    Bundle(bundle::Args),
    /// Verify and fetch from any TUF repository.
    #[command(long_about = tuf::ABOUT)]
    Tuf(tuf::Args),
}

impl Command {
    async fn run(self, environment: &Environment) -> anyhow::Result<ExitCode> {
        match self {
            Self::Serve(args) => serve::run(*args, environment).await,
            Self::Init(args) => init::run(args, environment).await,
            Self::Import(args) => import::run(args, environment).await,
            Self::Key(args) => key::run(args).await,
            Self::Inspect(args) => inspect::run(args, environment).await,
            Self::Check(args) => check::run(args, environment).await,
            Self::Allow(args) => allow::run(args, environment).await,
            Self::Block(args) => block::run(args, environment).await,
            Self::Restore(args) => restore::run(args, environment).await,
            Self::Recover(args) => recover::run(args, environment).await,
            Self::Export(args) => export::run(args, environment).await,
            Self::Fsck(args) => fsck::run(args, environment).await,
            Self::Gc(args) => gc::run(args, environment).await,
            Self::Log(args) => log::run(args, environment).await,
            Self::Root(args) => ceremony::root::run(args, environment).await,
            Self::Targets(args) => ceremony::targets::run(args, environment).await,
            Self::Bins(args) => ceremony::bins::run(args, environment).await,
            Self::Trust(args) => trust::run(args).await,
            Self::Run(args) => run::run(*args, environment).await,
            Self::Gateway(args) => gateway::run(*args, environment).await,
            Self::Bundle(args) => bundle::run(args).await,
            Self::Tuf(args) => tuf::run(args, environment).await,
        }
    }

    /// Whether it never has private keys: programs that these start may dump core as they like.
    fn is_of_clients(&self) -> bool {
        matches!(
            self,
            Self::Run(_)
                | Self::Gateway(_)
                | Self::Bundle(_)
                | Self::Tuf(_)
                | Self::Trust(_)
                | Self::Check(_)
        )
    }

    /// What is logged where nobody says: commands that answer on standard output log only what went wrong.
    fn log_filter(&self) -> &'static str {
        match self {
            Self::Serve(_) | Self::Gateway(_) => "info",
            // Its one line says what matters.
            Self::Tuf(_) => "error",
            _ => "warn",
        }
    }

    /// Logs of `run` stand among what its command says, for people.
    fn log_format(&self) -> logging::Format {
        match self {
            Self::Run(_) => logging::Format::Text,
            _ => logging::Format::Auto,
        }
    }
}

/// Runs the command line. Exit codes: 0 done, 1 failed, 2 wrongly called or configured.
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => start(cli, &Environment::of_process()).unwrap_or_else(|e| report::failure(&e)),
        Err(error) => report::usage(&error),
    }
}

fn start(cli: Cli, environment: &Environment) -> anyhow::Result<ExitCode> {
    let filter = environment.log_filter().unwrap_or(cli.command.log_filter());
    logging::init(cli.command.log_format(), filter)?;
    if !cli.command.is_of_clients() {
        keep_out_of_core_dumps().context("cannot forbid core dumps, which would hold the keys")?;
    }
    install_crypto_provider();
    // Reads FAILPOINTS; see `store::failpoint`.
    #[cfg(feature = "failpoints")]
    let _scenario = fail::FailScenario::setup();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING)
        .build()
        .context("cannot start the threads")?;
    let outcome = runtime.block_on(cli.command.run(environment));
    runtime.shutdown_timeout(LAST_MOMENTS);
    outcome
}

/// Makes aws-lc-rs the one provider of TLS cryptography. The only place that does.
pub fn install_crypto_provider() {
    // An error says that one is installed already, and only this function installs any.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

#[cfg(test)]
mod tests;
