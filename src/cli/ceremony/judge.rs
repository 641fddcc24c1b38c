//! `review`, `sign` and `merge`: the same for root, targets and bins.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use jiff::Timestamp;

use super::shared::Beside;
use crate::ceremony::case::{Case, Paths};
use crate::ceremony::check::shown;
use crate::ceremony::file::Kind;
use crate::ceremony::merge::{Merged, merge};
use crate::ceremony::review::{review, text};
use crate::ceremony::sign::{may_sign, sign};
use crate::ceremony::words::{list, plain};
use crate::cli::{Usage, say};
use crate::signer::Signer;

/// What `review` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Review {
    /// The file
    pub file: PathBuf,
    /// What it is judged beside.
    #[command(flatten)]
    pub beside: Beside,
    /// Write JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// What `sign` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Sign {
    /// The file; the signature is added to it
    pub file: PathBuf,
    /// The private key: a file, or the URI of a key in a token or a service
    #[arg(long, value_name = "KEY")]
    pub key: String,
    /// What it is judged beside.
    #[command(flatten)]
    pub beside: Beside,
    /// The file with the passphrase of the key file [default: ask]
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Sign without asking
    #[arg(long)]
    pub yes: bool,
}

/// What `merge` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Merge {
    /// The file; signatures are added to it
    pub file: PathBuf,
    /// Copies of it that others have signed
    #[arg(required = true, value_name = "OTHER")]
    pub others: Vec<PathBuf>,
    /// What it is judged beside.
    #[command(flatten)]
    pub beside: Beside,
}

/// Shows what a file changes.
pub(super) fn run_review(kind: Kind, args: &Review) -> anyhow::Result<ExitCode> {
    let case = args.beside.read(kind, &args.file)?;
    let now = Timestamp::now();
    let review = review(&case, now);
    match args.json {
        true => say(&serde_json::to_string_pretty(&review)?),
        false => say(&text(&review, now)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows the review, asks, and signs.
pub(super) async fn run_sign(kind: Kind, args: &Sign) -> anyhow::Result<ExitCode> {
    let mut case = args.beside.read(kind, &args.file)?;
    let now = Timestamp::now();
    say(&text(&review(&case, now), now));
    let signer = open(&args.key, args.passphrase_file.as_deref()).await?;
    may_sign(&case, signer.as_ref(), now)?;
    if !args.yes && !agreed(&case)? {
        bail!("nothing was signed");
    }
    let keyid = sign(&mut case, signer.as_ref(), now).await?;
    case.write(&args.file)?;
    let holder = case.holders().get(&keyid).map(|name| format!("{}, ", plain(name)));
    let holder = holder.unwrap_or_default();
    say(&format!("\nSigned: {holder}key id {}", shown(&keyid)));
    Ok(ExitCode::SUCCESS)
}

/// Opens the one key; the passphrase of an encrypted file is asked for.
async fn open(key: &str, passphrase: Option<&Path>) -> anyhow::Result<Arc<dyn Signer>> {
    let signers = crate::cli::key::open(key, passphrase).await?;
    match signers.as_slice() {
        [one] => Ok(one.clone()),
        several => bail!("--key names {} keys: name the one that signs", several.len()),
    }
}

/// Asks the person before the terminal.
fn agreed(case: &Case) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(Usage(
            "there is no terminal to ask on: read the review, then give --yes".into(),
        )
        .into());
    }
    let (version, _) = case.versions();
    print!("\nSign {} {version}? Type yes: ", case.kind().name());
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// Joins the signatures of copies.
pub(super) fn run_merge(kind: Kind, args: &Merge) -> anyhow::Result<ExitCode> {
    let mut case = args.beside.read(kind, &args.file)?;
    let read = |file: &PathBuf| -> anyhow::Result<_> {
        let paths = Paths { file, from: None, root: None, targets: None };
        let other = Case::read(kind, paths)?;
        Ok((file.display().to_string(), other.signatures().to_vec(), other.message()?))
    };
    let others = args.others.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let merged = merge(&mut case, &args.file.display().to_string(), &others)?;
    case.write(&args.file)?;
    say(&summary(&case, &merged));
    Ok(ExitCode::SUCCESS)
}

fn summary(case: &Case, merged: &Merged) -> String {
    let holders = case.holders();
    let name = |id| crate::ceremony::words::key(id, holders.get(id).map(String::as_str));
    let mut text = match merged.added.as_slice() {
        [] => "No new signatures.".to_owned(),
        added => format!("Added the signatures of {}.", list(added.iter().map(name))),
    };
    if !merged.unchecked.is_empty() {
        let who = list(merged.unchecked.iter().map(name));
        text += &format!(
            " The files do not say what these keys are, so that their signatures were not checked: {who}."
        );
    }
    let lacking = case.report(Timestamp::now()).standings;
    for standing in lacking {
        text += &match standing.lacking() {
            0 => format!(" Enough keys of {} have signed.", standing.by),
            more => format!(" Of the keys of {} {more} more must sign.", standing.by),
        };
    }
    text
}
