//! `countersign bundle`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use bytesize::ByteSize;
use clap::Subcommand;
use glob::Pattern;

use super::index_flags::{Index, refused};
use super::{Usage, progress, say};
use crate::app::stop_on_signals;
use crate::client::Settings;
use crate::client::bundle::{self, Created, Order, projects_of};
use crate::client::session::Session;
use crate::index::ProjectName;

pub(super) const ABOUT: &str = "One file with all that `countersign gateway --bundle` needs of an index, for a place without a network: the chain of \
roots, the metadata, the pages of the projects that you name, and their files.";

const CREATE: &str = "Makes a bundle of the projects that you name. Dependencies are not looked up: name them too, or give a file that does \
(`pip freeze`, `pip-compile`, `uv export`).

Everything is verified on the way, from the pinned root on, as it will be again where the bundle is used. The pages are whole: \
--file leaves out files, and whoever asks for one of them hears that it is not in the bundle. A bundle is valid for as long as its \
metadata is: usually a day.";

/// What `bundle` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  countersign bundle create --index https://mirror.example/simple/ --project six requests -o tools.bundle
  countersign gateway --bundle tools.bundle --root 1.root.json")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub what: What,
}

/// What becomes of bundles.
#[derive(Debug, Clone, Subcommand)]
pub enum What {
    /// Make a bundle of some projects of an index
    #[command(long_about = CREATE)]
    Create(Box<Create>),
}

/// What `bundle create` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(
    group(clap::ArgGroup::new("what").args(["project", "requirements"]).multiple(true).required(true)),
    after_help = "Examples:
  countersign bundle create --index https://mirror.example/simple/ --project six requests -o tools.bundle
  countersign bundle create --index https://mirror.example/simple/ --requirements requirements.txt -o app.bundle \\
    --file '*-py3-none-any.whl' --file '*-cp313-*-manylinux*_x86_64.whl'
  countersign gateway --bundle tools.bundle --root-sha256 HEX"
)]
pub struct Create {
    /// Which index, and what is trusted of it.
    #[command(flatten)]
    pub index: Index,
    /// A project; may be given several times
    #[arg(long, value_name = "NAME", num_args = 1.., value_parser = ProjectName::parse)]
    pub project: Vec<ProjectName>,
    /// A requirements file of pip, whose projects are taken, whatever their versions
    #[arg(long, value_name = "FILE")]
    pub requirements: Vec<PathBuf>,
    /// Take only files whose names match, such as '*.whl'; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub file: Vec<Pattern>,
    /// Where the bundle is put; what lies there is replaced once the new one is whole
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
}

/// Makes a bundle.
///
/// # Errors
/// Where a check fails, or something cannot be had or written.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let What::Create(args) = args.what;
    let projects = args.projects()?;
    let session = Session::open(&args.index.options()?).await.map_err(refused)?;
    let order = Order {
        tuf: session.tuf.path().to_owned(),
        root: session.pin.first_root()?.bytes().to_vec().into(),
        index: session.index,
        updater: session.updater,
        remote: session.remote,
        upstream: session.upstream,
        projects,
        files: args.file.clone(),
        settings: Settings::default(),
    };
    let bar = progress::bar();
    let tell = |done, of| progress::show(&bar, "bundling", done, of);
    let stop = stop_on_signals()?;
    // What is half done is removed on the way out.
    let created = stop.run_until_cancelled(bundle::create(order, &args.output, &tell)).await;
    bar.finish_and_clear();
    let created = created.context("stopped by a signal: no bundle was made")?;
    say(&text(&created?, &args));
    Ok(ExitCode::SUCCESS)
}

impl Create {
    /// Sorted, each once.
    fn projects(&self) -> anyhow::Result<Vec<ProjectName>> {
        let mut projects = self.project.clone();
        for path in &self.requirements {
            let shown = path.display();
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
            projects.extend(projects_of(&text).map_err(|why| Usage(format!("{shown}: {why}")))?);
        }
        projects.sort();
        projects.dedup();
        match projects.is_empty() {
            true => Err(Usage("the requirements name no project".into()).into()),
            false => Ok(projects),
        }
    }
}

fn text(created: &Created, args: &Create) -> String {
    let Created { expires, projects, files, left_out, length, .. } = created;
    let mut text = format!(
        "{}: {projects} projects, {files} files, {}; valid until {expires}",
        args.output.display(),
        ByteSize(*length)
    );
    if *left_out > 0 {
        text.push_str(&format!("\n{left_out} files are left out, as --file says"));
    }
    text
}
