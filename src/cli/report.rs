//! What goes wrong is said in one sentence, on standard error.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::config::{ConfigError, redacted};
use crate::telemetry::log::LogError;

const FAILED: u8 = 1;
const WRONGLY_CALLED: u8 = 2;

/// The command was called in a way that cannot work: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Writes a line to standard output. A reader that went away is no failure.
pub fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Says what failed, with its causes.
pub(super) fn failure(error: &anyhow::Error) -> ExitCode {
    complain(&one_sentence(&with_causes(error)));
    ExitCode::from(code(error))
}

/// The error and those of its causes that it does not tell itself.
fn with_causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Shows the help that was asked for, or says what is wrong with the arguments.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitCode::from(WRONGLY_CALLED)
        }
        _ => {
            complain(&sentence(error));
            ExitCode::from(WRONGLY_CALLED)
        }
    }
}

pub(super) fn code(error: &anyhow::Error) -> u8 {
    let misuse = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<ConfigError>() || cause.is::<Usage>() || cause.is::<LogError>()
    };
    if error.chain().any(misuse) { WRONGLY_CALLED } else { FAILED }
}

/// clap writes paragraphs: what is wrong, perhaps a tip, and the usage.
pub(super) fn sentence(error: &clap::Error) -> String {
    let text = error.to_string();
    let mut paragraphs = text.split("\n\n").map(one_sentence);
    let wrong = paragraphs.next().unwrap_or_default();
    let wrong = wrong.strip_prefix("error: ").unwrap_or(&wrong);
    match paragraphs.find(|paragraph| paragraph.starts_with("tip: ")) {
        Some(tip) => format!("{wrong} ({tip})"),
        None => wrong.to_owned(),
    }
}

/// Without line breaks and what else a terminal would act on, and without the credentials of URLs that somebody typed.
pub(super) fn one_sentence(text: &str) -> String {
    let safe = |word: &str| match word.contains("://") && word.contains('@') {
        true => redacted(word),
        false => word.to_owned(),
    };
    let sentence = text.split_whitespace().map(safe).collect::<Vec<_>>().join(" ");
    sentence.replace(char::is_control, "\u{fffd}")
}

pub(super) fn complain(sentence: &str) {
    let _ = writeln!(io::stderr(), "countersign: {sentence}");
}
