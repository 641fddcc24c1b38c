//! `countersign run`

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use super::index_flags::{Index, refused};
use super::report::{complain, one_sentence};
use super::{Environment, Usage};
use crate::client::folders;
use crate::client::run::{Ended, RunError, RunOptions, run as run_command};
use crate::config::units::{duration, size};

pub(super) const ABOUT: &str = "Runs one command, and gives to it what a countersign sidecar was verified to have. A gateway lives as long as the command, on \
127.0.0.1; pip, uv, pipenv and pdm are led to it by the variables that they read. Standard streams pass through. One line at the \
end says what was verified, and how many bytes of metadata it cost.

What would lead the tool past the gateway is left as it is and named in a warning: other indexes, find-links or a proxy, in \
variables, configuration files, requirement files and in the command itself. Poetry takes an index from its project alone: see \
`countersign gateway`.

The port belongs to the index and stays the same, since lock files name it; see docs/client.md.

Exit code: the command's own; 128 and the number of a signal that ended it. 2: wrongly called. 125: the index cannot be verified, and \
the command was not started. 126: it cannot be started. 127: there is no such command.";

/// What `run` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(
    next_line_help = true,
    mut_arg("index", |index| index.required(true)),
    after_help = "Examples:
  countersign run --index https://mirror.example/simple/ --root 1.root.json -- pip install some-project
  countersign run --index https://mirror.example/simple/ --root-sha256 HEX -- uv sync
  countersign run --index https://mirror.example/simple/ -- sh -c 'pipenv sync && pipenv run pytest'

--root or --root-sha256 is needed the first time alone (see `countersign trust`)."
)]
pub struct Args {
    /// Which index.
    #[command(flatten)]
    pub index: Index,
    /// How much of verified pages and files is kept on disk, in $XDG_CACHE_HOME/countersign (~/.cache/countersign)
    #[arg(long, value_name = "SIZE", default_value = "1 GiB", value_parser = size::parse)]
    pub files: u64,
    /// How often the sidecar is asked for news, at the most
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration::parse)]
    pub refresh: Duration,
    /// Leave out the line at the end
    #[arg(long, short)]
    pub quiet: bool,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Runs the command.
///
/// # Errors
/// Where it is wrongly called. What else goes wrong is said, and has its exit code.
pub async fn run(args: Args, _: &Environment) -> anyhow::Result<ExitCode> {
    let options = RunOptions {
        session: args.index.options()?,
        command: args.command,
        cache: folders::cache(|name| std::env::var_os(name)).ok(),
        files: args.files,
        refresh: args.refresh,
    };
    let warn = |warning: &str| complain(&one_sentence(&format!("warning: {warning}")));
    match run_command(options, &warn).await {
        Ok(Ended { code, summary }) => {
            if !args.quiet {
                complain(&summary);
            }
            Ok(ExitCode::from(code))
        }
        Err(error @ (RunError::Nameless | RunError::Poetry)) => {
            Err(Usage(error.to_string()).into())
        }
        Err(RunError::Session(error)) if error.is_misuse() => Err(refused(error)),
        Err(error) => {
            complain(&one_sentence(&error.to_string()));
            Ok(ExitCode::from(code(&error)))
        }
    }
}

/// As `env`, `timeout` and `docker run` have it.
fn code(error: &RunError) -> u8 {
    match error {
        RunError::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => 127,
        RunError::Start { .. } => 126,
        _ => 125,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{Cli, Command};
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        let words = format!("countersign run {line}");
        match Cli::try_parse_from(words.split_whitespace())
            .map_err(|error| error.to_string())?
            .command
        {
            Command::Run(args) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_commands_own_flags_are_left_to_it() {
        for line in ["-- pip install -q --index x -- six", "pip install -q --index x -- six"] {
            let args = parse(&format!("--quiet --index https://m.example/simple/ {line}")).unwrap();
            assert_eq!(args.command, ["pip", "install", "-q", "--index", "x", "--", "six"]);
            assert_eq!(args.index.index.as_deref(), Some("https://m.example/simple/"));
            assert!(args.quiet);
        }
        for line in ["-- pip", "--index u", "--index u --", "--index u --quite pip"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn exit_codes() {
        let start =
            |kind: io::ErrorKind| RunError::Start { program: "x".into(), source: kind.into() };
        assert_eq!(code(&start(io::ErrorKind::NotFound)), 127);
        assert_eq!(code(&start(io::ErrorKind::PermissionDenied)), 126);
        assert_eq!(code(&RunError::Port(io::ErrorKind::AddrInUse.into())), 125);
    }
}
