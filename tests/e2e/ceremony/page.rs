//! `docs/ceremony.md`, as the sequence of what is to be typed where.

use std::fs;
use std::path::Path;

/// The machines of the page.
pub const MACHINES: [&str; 4] = ["first", "second", "sidecar", "client"];

/// All that stands below one heading.
#[derive(Debug)]
pub struct Section {
    pub title: String,
    pub acts: Vec<Act>,
}

/// What is done at one machine, without leaving it.
#[derive(Debug, PartialEq, Eq)]
pub struct Act {
    pub machine: String,
    /// Of its first command in the page.
    pub line: usize,
    pub what: What,
}

#[derive(Debug, PartialEq, Eq)]
pub enum What {
    /// Typed into a shell. The block shows what it prints, or the lines of it that matter.
    Typed { script: String, shown: Vec<String> },
    /// A process that stays in the foreground of a terminal of its own.
    Served { command: String },
    /// Ctrl-C in that terminal.
    Stopped,
}

/// The page of the project.
pub fn read() -> Vec<Section> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ceremony.md");
    parse(&fs::read_to_string(path).expect("docs/ceremony.md"))
}

/// Fails on a block that it does not understand: each one is run.
fn parse(text: &str) -> Vec<Section> {
    let mut sections = vec![Section { title: String::new(), acts: Vec::new() }];
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((number, line)) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            sections.push(Section { title: title.to_owned(), acts: Vec::new() });
        }
        let Some(kind) = line.trim_start().strip_prefix("```") else { continue };
        assert_eq!(kind, "console", "line {number}: nobody runs a block of this kind");
        assert_eq!(line, "```console", "line {number}: nobody runs an indented block");
        let block = lines.by_ref().take_while(|(_, line)| *line != "```");
        let acts = acts(&block.collect::<Vec<_>>());
        assert!(!acts.is_empty(), "line {number}: a block without a command");
        sections.last_mut().expect("a section").acts.extend(acts);
    }
    sections
}

/// A block: `machine$ command`, `> more of it`, and what it prints.
fn acts(block: &[(usize, &str)]) -> Vec<Act> {
    let mut acts: Vec<Act> = Vec::new();
    for &(line, text) in block {
        let prompt = text.split_once("$ ").filter(|(machine, _)| MACHINES.contains(machine));
        let more = text.strip_prefix('>').map(|rest| rest.strip_prefix(' ').unwrap_or(rest));
        match (prompt, more) {
            (Some((machine, command)), _) => begin(&mut acts, machine, line, command),
            (None, Some(more)) => match acts.last_mut().map(|act| &mut act.what) {
                Some(What::Typed { script, .. }) => {
                    script.push_str(more);
                    script.push('\n');
                }
                _ => panic!("line {line}: {text:?} goes on with no command"),
            },
            (None, None) => match acts.last_mut().map(|act| &mut act.what) {
                Some(What::Typed { shown, .. }) => shown.push(text.to_owned()),
                _ => panic!("line {line}: {text:?} is said by nobody"),
            },
        }
    }
    acts
}

fn begin(acts: &mut Vec<Act>, machine: &str, line: usize, command: &str) {
    let what = match command {
        "^C" => What::Stopped,
        _ if command.starts_with("countersign serve ") => {
            What::Served { command: command.to_owned() }
        }
        _ => What::Typed { script: format!("{command}\n"), shown: Vec::new() },
    };
    if let (What::Typed { script: more, .. }, Some(Act { machine: at, what: before, .. })) =
        (&what, acts.last_mut())
        && let What::Typed { script, .. } = before
        && at == machine
    {
        script.push_str(more);
        return;
    }
    acts.push(Act { machine: machine.to_owned(), line, what });
}

#[test]
fn a_block_is_read_as_it_is_meant() {
    let text = "## One\n```console\nfirst$ cat <<END\n> a\n>   b\n> END\nfirst$ ls\nseen\nsecond$ pwd\n\
                sidecar$ countersign serve --config x\nsidecar$ ^C\n```\n";
    let sections = parse(text);
    assert_eq!(sections[1].title, "One");
    let typed = |script: &str, shown: &[&str]| What::Typed {
        script: script.into(),
        shown: shown.iter().map(|&line| line.into()).collect(),
    };
    let expected = [
        ("first", 3, typed("cat <<END\na\n  b\nEND\nls\n", &["seen"])),
        ("second", 9, typed("pwd\n", &[])),
        ("sidecar", 10, What::Served { command: "countersign serve --config x".into() }),
        ("sidecar", 11, What::Stopped),
    ];
    let expected =
        expected.map(|(machine, line, what)| Act { machine: machine.into(), line, what });
    assert_eq!(sections[1].acts, expected);
}

#[test]
#[should_panic(expected = "line 1: nobody runs a block of this kind")]
fn a_block_that_nobody_runs_is_noticed() {
    parse("```sh\nls\n```\n");
}

#[test]
#[should_panic(expected = "line 2")]
fn a_machine_that_is_not_there_is_noticed() {
    parse("```console\nthird$ ls\n```\n");
}
