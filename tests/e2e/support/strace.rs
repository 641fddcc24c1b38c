//! Faults that strace injects into system calls.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::process::Daemon;
use super::tools::Tool;
use super::{eventually, secs};

/// What is done to a running process, until it is dropped.
pub struct Injection {
    strace: Child,
    folder: TempDir,
}

/// What strace is told: `fsync,fdatasync:error=EIO:when=3+`.
fn options(command: &mut Command, injections: &[&str]) {
    command.args(["-f", "-qq"]);
    let calls: Vec<_> =
        injections.iter().map(|one| one.split(':').next().expect("system calls")).collect();
    command.arg("-e").arg(format!("trace={}", calls.join(",")));
    for injection in injections {
        command.arg("-e").arg(format!("inject={injection}"));
    }
}

/// The command, started under strace, which is no parent of it: signals reach the command itself.
pub fn under(command: &Command, injections: &[&str], log: &Path) -> Command {
    under_on(command, injections, &[], log)
}

/// The same, into calls on these paths alone; on all where there are none.
pub fn under_on(command: &Command, injections: &[&str], paths: &[PathBuf], log: &Path) -> Command {
    let mut strace = Command::new(Tool::Strace.path());
    options(&mut strace, injections);
    strace.args(paths.iter().flat_map(|path| [Path::new("-P"), path]));
    strace.args(["--daemonize=grandchild", "-o"]).arg(log);
    strace.arg("--").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        strace.current_dir(folder);
    }
    strace
}

impl Injection {
    /// Into a process that runs already.
    pub fn into(process: &Daemon, injections: &[&str]) -> Self {
        Self::attach(process, injections, &[])
    }

    /// The same, into calls on one file alone.
    pub fn on_path(process: &Daemon, injections: &[&str], path: &Path) -> Self {
        Self::attach(process, injections, &["-P", path.to_str().expect("a name")])
    }

    fn attach(process: &Daemon, injections: &[&str], more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let said = fs::File::create(folder.path().join("said")).expect("a file");
        let mut command = Command::new(Tool::Strace.path());
        options(&mut command, injections);
        command.args(more).arg("-o").arg(folder.path().join("calls"));
        command.args(["-p", &process.pid().to_string()]);
        let strace = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn();
        let mut injection = Self { strace: strace.expect("strace"), folder };
        let tasks = format!("/proc/{}/task", process.pid());
        eventually("strace on every thread", secs(30), || {
            assert!(
                injection.strace.try_wait().expect("a child").is_none(),
                "{}",
                injection.said()
            );
            all_traced(&tasks).ok().filter(|all| *all)
        });
        injection
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("said")).unwrap_or_default()
    }

    /// Lets go, and tells how often a fault was put in.
    pub fn release(mut self) -> usize {
        self.detach();
        injected(&self.folder.path().join("calls"))
    }

    /// An interrupted strace lets go of what it traces; a killed one would, too, but in the middle of a call.
    fn detach(&mut self) {
        if self.strace.try_wait().expect("a child").is_none() {
            let _ = Command::new("kill").args(["-INT", &self.strace.id().to_string()]).status();
            let _ = self.strace.wait();
        }
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        self.detach();
    }
}

/// How many faults a log of strace tells of.
pub fn injected(log: &Path) -> usize {
    let log = fs::read_to_string(log).unwrap_or_default();
    log.lines().filter(|line| line.contains("(INJECTED)")).count()
}

fn all_traced(tasks: &str) -> io::Result<bool> {
    for task in fs::read_dir(tasks)? {
        let status = fs::read_to_string(task?.path().join("status"))?;
        if status.lines().any(|line| line == "TracerPid:\t0") {
            return Ok(false);
        }
    }
    Ok(true)
}
