use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use clap::CommandFactory;
use futures::future::BoxFuture;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::Config;
use crate::control::{self, ControlError, Handler, Reply, Request, SOCKET};
use crate::index::ProjectName;
use crate::tuf::Digest;

fn parse(line: &str) -> Result<Command, String> {
    let arguments = std::iter::once("countersign").chain(line.split_whitespace());
    Cli::try_parse_from(arguments).map(|cli| cli.command).map_err(|e| report::sentence(&e))
}

fn serve_config(line: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let Command::Serve(args) = parse(&format!("serve {line}"))? else { panic!("not serve") };
    args.config(&Environment::of(variables)).map_err(|error| error.to_string())
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn nothing_that_a_terminal_acts_on_is_said() {
    assert_eq!(report::one_sentence("a\n\u{1b}[2Jb\u{7}"), "a \u{fffd}[2Jb\u{fffd}");
}

#[test]
fn a_command_that_a_message_names_exists() {
    let message =
        crate::watch::WatchError::Blocked(ProjectName::parse("demo").unwrap()).to_string();
    let command = message.split('`').nth(1).unwrap();
    let Command::Block(args) = parse(command.strip_prefix("countersign ").unwrap()).unwrap() else {
        panic!("{command}")
    };
    assert!(args.undo && args.project.as_str() == "demo");
}

#[test]
fn every_flag_reaches_its_key() {
    let config = serve_config(
        "--upstream http://m.example/simple/ --listen 0.0.0.0:1 --admin-listen 0.0.0.0:2 --data /d --bins 64 --no-init",
        &[("COUNTERSIGN_LISTEN", "0.0.0.0:9"), ("COUNTERSIGN_HTML", "false")],
    )
    .unwrap();
    assert_eq!(config.upstream.url.as_deref(), Some("http://m.example/simple/"));
    assert_eq!((config.listen.port(), config.admin_listen.port()), (1, 2));
    assert_eq!(config.data, std::path::PathBuf::from("/d"));
    assert_eq!((config.bins, config.no_init, config.html), (Some(64), true, false));
    let config = serve_config("--store s3://bucket/x", &[]).unwrap();
    assert_eq!(config.store.url.as_deref(), Some("s3://bucket/x"));
    let config = serve_config("--expected-files 5000", &[]).unwrap();
    assert_eq!((config.expected_files, config.no_init), (Some(5000), false));
}

#[test]
fn the_file_is_found_by_flag_before_variable() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (one, two) = (write("one", "bins = 4"), write("two", "bins = 2"));
    let variables = [("COUNTERSIGN_CONFIG", two.as_str())];
    assert_eq!(serve_config("", &variables).unwrap().bins, Some(2));
    assert_eq!(serve_config(&format!("--config {one}"), &variables).unwrap().bins, Some(4));
}

#[test]
fn a_wrong_call_is_one_sentence_that_names_it() {
    for (line, sentence) in [
        (
            "serve --lissten x",
            "unexpected argument '--lissten' found (tip: a similar argument exists: '--listen')",
        ),
        ("serve --bins", "a value is required for '--bins <N>' but none was supplied"),
        ("chekc", "unrecognized subcommand 'chekc' (tip: a similar subcommand exists: 'check')"),
        (
            "allow a",
            "the following required arguments were not provided: --sha256 <HEX> <FILENAME>",
        ),
        (
            "allow a a.whl --sha256 12",
            "invalid value '12' for '--sha256 <HEX>': \"12\" is no SHA-256: expected 64 hex digits",
        ),
        (
            "block a ../b",
            "invalid value '../b' for '[FILENAME]': name a file as the index lists it, without a path",
        ),
        (
            "check --sample 0",
            "invalid value '0' for '--sample <N>': number would be zero for non-zero type",
        ),
        ("serve http://u:secret@m.example/", "unexpected argument 'http://***@m.example/' found"),
    ] {
        assert_eq!(parse(line).unwrap_err(), sentence);
    }
    for line in [
        "serve --bins 2 --expected-files 5",
        "inspect --data d --url u",
        "inspect --store s --url u",
        "allow a b --withdrawals",
        "block ..",
    ] {
        let sentence = parse(line).unwrap_err();
        assert_eq!(sentence.lines().count(), 1, "{sentence}");
    }
}

#[test]
fn a_wrong_value_names_its_flag() {
    for (line, start) in [
        ("--listen :8080", "--listen :8080 is refused: "),
        ("--bins 3", "--bins 3 is refused: "),
        ("--expected-files few", "--expected-files few is refused: "),
        (
            "--store ftp://m.example/",
            "--store ftp://m.example/ is refused: there are no stores of ftp",
        ),
        ("--upstream ftp://m.example/", "--upstream ftp://m.example/ is refused: "),
        (
            "--upstream https://u:secret@m.example/",
            "--upstream https://***@m.example/ is refused: ",
        ),
    ] {
        let error = serve_config(line, &[]).unwrap_err();
        assert!(error.starts_with(start), "{error}");
    }
}

#[test]
fn misuse_ends_with_2_and_failure_with_1() {
    let misuse = anyhow::Error::from(Config::default().upstream_url().unwrap_err());
    assert_eq!(report::code(&misuse), 2);
    assert_eq!(report::code(&misuse.context("cannot start")), 2);
    assert_eq!(report::code(&Usage("no".into()).into()), 2);
    assert_eq!(report::code(&anyhow::anyhow!("the disk is full")), 1);
}

#[test]
fn the_help_of_serve_names_every_flag_with_its_variable() {
    let mut cli = Cli::command();
    let serve = cli.find_subcommand_mut("serve").unwrap();
    let flags: BTreeSet<_> = serve
        .get_arguments()
        .filter_map(|a| a.get_long())
        .map(|long| format!("--{long}"))
        .collect();
    let help = serve.render_long_help().to_string();
    for variable in [
        "UPSTREAM__URL",
        "CONFIG",
        "LISTEN",
        "ADMIN_LISTEN",
        "DATA",
        "EXPECTED_FILES",
        "BINS",
        "NO_INIT",
    ] {
        assert!(help.contains(&format!("[env: COUNTERSIGN_{variable}]")), "{variable}: {help}");
    }
    for key in
        ["upstream.url", "listen", "admin-listen", "data", "expected-files", "bins", "no-init"]
    {
        assert!(flags.contains(flag_for(key).unwrap()), "{key}");
    }
}

#[test]
fn every_command_explains_itself_with_examples() {
    for command in Cli::command().get_subcommands_mut() {
        let help = command.render_long_help().to_string();
        let name = command.get_name();
        assert!(help.contains(&format!("Examples:\n  countersign {name}")), "{help}");
        let long = command.get_long_about().unwrap().to_string();
        assert!(long.len() > command.get_about().unwrap().to_string().len(), "{name}");
    }
}

#[derive(Default)]
struct Notes(Mutex<Vec<Request>>);

impl Handler for Notes {
    fn handle(&self, request: Request) -> BoxFuture<'_, Result<Reply, ControlError>> {
        self.0.lock().unwrap().push(request);
        Box::pin(async { Ok(Reply { message: "done".into(), commit: None }) })
    }
}

#[tokio::test]
async fn allow_and_block_reach_the_running_process() {
    let data = TempDir::new().unwrap();
    let notes = Arc::new(Notes::default());
    let path = data.path().join(SOCKET);
    let _task = control::serve(&path, notes.clone(), CancellationToken::new()).unwrap();
    let environment = Environment::of(&[("COUNTERSIGN_DATA", data.path().to_str().unwrap())]);
    let sha256 = Digest::of(b"new");
    for line in [
        format!("allow Some.Project a-1.whl --sha256 {sha256}"),
        "allow --withdrawals".into(),
        "block a".into(),
        "block a a-1.whl".into(),
        "block --undo a".into(),
    ] {
        parse(&line).unwrap().run(&environment).await.unwrap();
    }
    let name = |text| ProjectName::parse(text).unwrap();
    let file = || "a-1.whl".to_owned();
    assert_eq!(
        *notes.0.lock().unwrap(),
        [
            Request::Allow { project: name("some-project"), filename: file(), sha256 },
            Request::AllowWithdrawals,
            Request::Block { project: name("a"), filename: None },
            Request::Block { project: name("a"), filename: Some(file()) },
            Request::Unblock { project: name("a"), filename: None },
        ]
    );
}

#[tokio::test]
async fn block_says_when_nothing_runs() {
    let data = TempDir::new().unwrap();
    let environment = Environment::default();
    let line = format!("block a --data {}", data.path().display());
    let error = parse(&line).unwrap().run(&environment).await.unwrap_err();
    assert_eq!(report::code(&error), 1);
    let expected = format!("no countersign runs on {}", data.path().display());
    assert!(error.to_string().starts_with(&expected), "{error}");
}
