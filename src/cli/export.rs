//! `countersign export`

use std::path::PathBuf;
use std::process::ExitCode;

use super::flags::{Location, given};
use super::report::{complain, one_sentence};
use super::{Environment, Usage, open, progress, say};
use crate::repository::export::{Event, Exported, export};
use crate::upstream::Upstream;

pub(super) const ABOUT: &str = "Writes what is published now into a folder, as a static TUF repository that any web server can serve: metadata/ and \
targets/, with versions and hashes in the names (consistent snapshots), verified on the way.

The distribution files are not part of the repository's store: --files fetches them from the mirror too, and takes only those whose \
length and hash are signed. A folder that an export made is brought up to date: timestamp.json comes last. Nothing is signed here: \
export again before the timestamp expires.";

/// What `export` takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Examples:
  countersign export --to /srv/www/tuf
  countersign export --to /srv/www/tuf --files --upstream https://mirror.example/simple/
  countersign export --config /etc/countersign.toml --to ./tuf && python3 -m http.server --directory ./tuf")]
pub struct Args {
    /// The folder: a new one, an empty one, or one that an export made
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Fetch the distribution files too
    #[arg(long)]
    pub files: bool,
    /// The mirror that has the files, as pip's --index-url names it [env: COUNTERSIGN_UPSTREAM__URL]
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// Where configuration and data lie.
    #[command(flatten)]
    pub location: Location,
}

/// Exports.
///
/// # Errors
/// Where the folder cannot be taken or written, or the repository is not whole.
pub async fn run(args: Args, environment: &Environment) -> anyhow::Result<ExitCode> {
    let overrides = given("upstream.url", &args.upstream).into_iter().collect();
    let config = environment.config(&args.location, overrides)?;
    let upstream = match args.files {
        false => None,
        true => {
            config.upstream_url()?;
            let upstream = Upstream::new(&config.upstream, &config.limits, config.access);
            Some(upstream.map_err(|error| Usage(error.to_string()))?)
        }
    };
    let store = open::store(&config)?;
    let bar = progress::bar();
    let tell = |event: Event<'_>| match event {
        Event::Progress(done, of) => progress::show(&bar, "exporting bins", done, of),
        Event::Failed(path, reason) => {
            bar.suspend(|| complain(&one_sentence(&format!("{path} is left out: {reason}"))));
        }
    };
    let exported = export(&store, &args.to, upstream.as_ref(), &tell).await;
    bar.finish_and_clear();
    let exported = exported?;
    say(&text(&exported, &args));
    Ok(ExitCode::from(u8::from(exported.failed > 0)))
}

fn text(exported: &Exported, args: &Args) -> String {
    let Exported { timestamp, expires, bins, pages, files, left_out, failed } = exported;
    let mut text = format!(
        "exported timestamp {timestamp} to {}: {bins} bins, {pages} pages, {files} files; valid until {expires}",
        args.to.display()
    );
    if *left_out > 0 {
        text.push_str(&format!(
            "\n{left_out} files are left out: --files fetches them from the mirror"
        ));
    }
    if *failed > 0 {
        text.push_str(&format!(
            "\n{failed} files could not be had: export again to try them again"
        ));
    }
    text
}
