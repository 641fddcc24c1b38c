//! `countersign check`

use std::num::NonZeroUsize;
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;

use super::flags::{Location, given};
use super::{Environment, Usage, say};
use crate::check::estimate::{Estimate, estimate};
use crate::check::{Finding, Level, Report, Wanted, check, findings, text};
use crate::config::{Config, ConfigError};
use crate::index::ProjectName;
use crate::upstream::{Upstream, UpstreamError};

pub(super) const ABOUT: &str = "Looks at a mirror and signs nothing: says what kind of mirror it seems to be, which pages and files would be refused and \
why, which would have to be fetched to be hashed and what that would cost, whether files can be replaced, and whether it wants a login.

Exit code 0: everything that was looked at could be signed. 1: something would be refused, or the mirror cannot be used.";

/// What `check` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  countersign check --upstream https://mirror.example/simple/
  countersign check --upstream https://mirror.example/simple/ --sample 500
  countersign check --upstream https://mirror.example/simple/ --project some-project --json")]
pub struct Args {
    /// The mirror's simple index, as pip's --index-url names it [env: COUNTERSIGN_UPSTREAM__URL]
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// The configuration file [env: COUNTERSIGN_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
    /// How many projects to look at, evenly spread over the list
    #[arg(long, value_name = "N", default_value = "100")]
    pub sample: NonZeroUsize,
    /// Look at this project instead; may be given several times
    #[arg(long, value_name = "NAME", value_parser = ProjectName::parse, conflicts_with = "sample")]
    pub project: Vec<ProjectName>,
    /// Write JSON, for programs
    #[arg(long)]
    pub json: bool,
}

impl Args {
    /// The configuration that these arguments, the environment and the file give.
    ///
    /// # Errors
    /// [`ConfigError`]: one sentence that names what is wrong.
    pub fn config(&self, environment: &Environment) -> Result<Config, ConfigError> {
        let location = Location { config: self.config.clone(), ..Location::default() };
        let overrides = given("upstream.url", &self.upstream).into_iter().collect();
        environment.config(&location, overrides)
    }
}

/// What `--json` writes.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<'a> {
    signable: bool,
    findings: &'a [Finding],
    estimate: Option<Estimate>,
    #[serde(flatten)]
    report: &'a Report,
}

/// Looks and reports.
///
/// # Errors
/// Where the configuration cannot be used. Whatever is wrong with the mirror is reported.
pub async fn run(args: Args, environment: &Environment) -> anyhow::Result<ExitCode> {
    let config = args.config(environment)?;
    config.upstream_url()?;
    let upstream =
        Upstream::new(&config.upstream, &config.limits, config.access).map_err(misuse)?;
    let (text, code) = look(&upstream, &config, args).await?;
    say(&text);
    Ok(code)
}

async fn look(
    upstream: &Upstream,
    config: &Config,
    args: Args,
) -> anyhow::Result<(String, ExitCode)> {
    let wanted = Wanted { sample: args.sample.get(), projects: args.project };
    let report = check(upstream, config, wanted).await;
    let findings = findings(&report);
    let signable = findings.iter().all(|finding| finding.level != Level::Fail);
    let text = if args.json {
        let estimate = estimate(&report);
        let document = Document { signable, findings: &findings, estimate, report: &report };
        serde_json::to_string_pretty(&document).context("cannot write the report")?
    } else {
        text::render(&report.upstream, &findings)
    };
    Ok((text, ExitCode::from(u8::from(!signable))))
}

fn misuse(error: UpstreamError) -> anyhow::Error {
    Usage(error.to_string()).into()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::upstream::testing::{Mirror, ok, status};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn args(line: &str) -> Result<Args, clap::Error> {
        let words = std::iter::once("check").chain(line.split_whitespace());
        Cli::try_parse_from(words).map(|cli| cli.args)
    }

    async fn outcome(mirror: &Mirror, line: &str) -> (String, ExitCode) {
        look(&mirror.client(), &Config::default(), args(line).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn the_exit_code_says_whether_all_can_be_signed() {
        let html = "Content-Type: text/html\r\n";
        let list = "<title>Simple Index</title><a href='demo/'>demo</a>";
        let good = "<title>Links for demo</title>";
        let mirror = Mirror::start(move |_, request| match request.split(' ').nth(1) {
            Some("/simple/") => ok(html, list),
            Some("/simple/demo/") => ok(html, good),
            _ => status("404 Not Found"),
        })
        .await;
        let closed = Mirror::start(|_, _| status("401 Unauthorized")).await;
        for (mirror, signable) in [(&mirror, true), (&closed, false)] {
            let expected = ExitCode::from(u8::from(!signable));
            assert_eq!(outcome(mirror, "").await.1, expected);
            let (json, code) = outcome(mirror, "--json").await;
            assert_eq!(code, expected);
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(json["signable"], signable);
            assert!(json["findings"].is_array() && json["list"]["state"].is_string(), "{json}");
        }
        assert_eq!(outcome(&mirror, "--project demo").await.1, ExitCode::SUCCESS);
    }

    #[tokio::test]
    async fn a_configuration_that_cannot_work_is_misuse() {
        let environment = Environment::of(&[("COUNTERSIGN_UPSTREAM__CA_FILE", "/nowhere.pem")]);
        let error = run(args("--upstream https://m.example/simple/").unwrap(), &environment).await;
        let error = error.unwrap_err();
        assert!(error.is::<Usage>() && error.to_string().contains("/nowhere.pem"), "{error}");
        assert!(args("--sample 3 --project demo").is_err());
    }
}
