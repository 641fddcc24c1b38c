//! `countersign trust`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;

use super::index_flags::{Access, data, refused};
use super::report::complain;
use super::{Usage, say};
use crate::client::session::{index_url, pin};
use crate::client::trust::{Pin, TrustStore};

pub(super) const ABOUT: &str = "Says which root is trusted for which index, so that `countersign run` and `countersign gateway` need no --root.

A root is what all verification begins with. Whoever runs the sidecar has it: as the file root/1.root.json of its repository, and \
`countersign inspect` shows its SHA-256 there. Get either by a way that you trust, and not from the index that it is to vouch for. \
Later roots follow by themselves: each is signed by the one before.

Pins lie in the user's data folder, one an index, with the trusted metadata that protects from going back. A URL is taken as \
pip's --index-url takes it; credentials in it are not kept.";

/// What `trust` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  countersign trust add https://mirror.example/simple/ --root 1.root.json
  countersign trust add https://mirror.example/simple/ --root-sha256 HEX
  countersign trust list
  countersign trust remove https://mirror.example/simple/")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub what: What,
}

/// What becomes of trust.
#[derive(Debug, Clone, Subcommand)]
pub enum What {
    /// Pin the root of an index; another one than is pinned already is refused
    Add(Add),
    /// Show what is pinned
    List(List),
    /// Forget the root of an index, and all metadata that was trusted under it
    Remove(Remove),
}

/// What `trust add` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(group(
    clap::ArgGroup::new("trusted").args(["root", "root_sha256"]).required(true)
))]
pub struct Add {
    /// The sidecar's simple index, as pip's --index-url names it
    #[arg(value_name = "URL")]
    pub index: String,
    /// How it is reached, and what is trusted of it.
    #[command(flatten)]
    pub access: Access,
}

/// What `trust list` takes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct List {
    /// Write JSON, for programs
    #[arg(long)]
    pub json: bool,
    /// Where pinned roots lie [default: $XDG_DATA_HOME/countersign, ~/.local/share/countersign]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// What `trust remove` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Remove {
    /// The index
    #[arg(value_name = "URL")]
    pub index: String,
    /// Where pinned roots lie [default: $XDG_DATA_HOME/countersign, ~/.local/share/countersign]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Changes or shows what is trusted.
///
/// # Errors
/// Where it cannot be read or written, or another root is pinned.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Add(args) => add(args).await,
        What::List(args) => list(&args),
        What::Remove(args) => remove(&args),
    }
}

async fn add(args: Add) -> anyhow::Result<ExitCode> {
    let options = args.access.options(&args.index)?;
    let added = pin(&options).await.map_err(refused)?;
    let Pin { index, root_sha256, .. } = &added.pin;
    match added.new {
        true => say(&format!("pinned for {index}: the root with SHA-256 {root_sha256}")),
        false => say(&format!("pinned for {index} already: the root with SHA-256 {root_sha256}")),
    }
    Ok(ExitCode::SUCCESS)
}

/// One pin, for programs.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row<'a> {
    index: &'a str,
    root_sha256: String,
    port: u16,
    added: String,
    tuf: Option<&'a str>,
}

impl<'a> From<&'a Pin> for Row<'a> {
    fn from(pin: &'a Pin) -> Self {
        Self {
            index: pin.index.as_str(),
            root_sha256: pin.root_sha256.to_string(),
            port: pin.port,
            added: pin.added.to_string(),
            tuf: pin.tuf.as_ref().map(|url| url.as_str()),
        }
    }
}

fn list(args: &List) -> anyhow::Result<ExitCode> {
    let store = TrustStore::new(&data(args.data.as_ref()).map_err(refused)?);
    let (mut pins, mut damaged) = (Vec::new(), false);
    for pin in store.list()? {
        match pin {
            Ok(pin) => pins.push(pin),
            Err(error) => {
                damaged = true;
                complain(&error.to_string());
            }
        }
    }
    let rows: Vec<_> = pins.iter().map(Row::from).collect();
    match args.json {
        true => say(&serde_json::to_string_pretty(&rows)?),
        false if rows.is_empty() && !damaged => say("nothing is pinned"),
        false => say(&table(&rows)),
    }
    Ok(ExitCode::from(u8::from(damaged)))
}

fn table(rows: &[Row<'_>]) -> String {
    let width = rows.iter().map(|row| row.index.chars().count()).max().unwrap_or_default().max(5);
    let head = format!("{:<width$}  {:<5}  {:<20}  SHA-256 of the root", "index", "port", "pinned");
    let line = |row: &Row<'_>| {
        format!("{:<width$}  {:<5}  {:<20}  {}", row.index, row.port, row.added, row.root_sha256)
    };
    std::iter::once(head).chain(rows.iter().map(line)).collect::<Vec<_>>().join("\n")
}

fn remove(args: &Remove) -> anyhow::Result<ExitCode> {
    let store = TrustStore::new(&data(args.data.as_ref()).map_err(refused)?);
    let index = index_url(&args.index).map_err(refused)?;
    if !store.remove(&index)? {
        return Err(
            Usage(format!("no root is pinned for {index}: see `countersign trust list`")).into()
        );
    }
    say(&format!("forgotten: {index}"));
    Ok(ExitCode::SUCCESS)
}
