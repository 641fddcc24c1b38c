//! The machines of `docs/ceremony.md`: a home folder each, and a folder for the stick that travels between them.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::page::MACHINES;
use crate::support::http::Request;
use crate::support::process::{Daemon, free_port, run};
use crate::support::secs;
use crate::support::tools;

/// Everything is typed as it stands in the page, but for these words.
///
/// | in the page | here |
/// | --- | --- |
/// | `/media/stick` | a folder |
/// | `https://mirror.example/` | the mirror of the test |
/// | `https://pypi.example/` | the sidecar of the test |
/// | `--to 4711` | the number of the last good snapshot |
///
/// Beyond that, the sidecar gets its two listeners, and shorter times for what it does again and again, as variables.
pub struct Stage {
    folder: TempDir,
    mirror: String,
    /// What the sidecar takes for its mirror while somebody else has its configuration in hand.
    pub other_mirror: Option<String>,
    ports: [u16; 2],
    served: Option<Daemon>,
    starts: usize,
    /// The number of the last good snapshot.
    pub good: u64,
}

/// How long what is typed into one machine may take.
const PATIENCE: u64 = 240;

impl Stage {
    /// Before a mirror, as `http://host:port`.
    pub fn before(mirror: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in MACHINES.iter().chain(&["bin", "media/stick"]) {
            fs::create_dir_all(folder.path().join(name)).expect("a folder");
        }
        let binary = folder.path().join("bin/countersign");
        symlink(env!("CARGO_BIN_EXE_countersign"), binary).expect("a link");
        Self {
            folder,
            mirror: mirror.to_owned(),
            other_mirror: None,
            ports: [free_port(), free_port()],
            served: None,
            starts: 0,
            good: 0,
        }
    }

    pub fn home(&self, machine: &str) -> PathBuf {
        self.folder.path().join(machine)
    }

    pub fn stick(&self) -> PathBuf {
        self.folder.path().join("media/stick")
    }

    /// Where clients connect.
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    pub fn admin(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    pub fn is_serving(&self) -> bool {
        self.served.is_some()
    }

    /// The words of the page, in the words of this stage.
    fn put(&self, text: &str) -> String {
        text.replace("/media/stick", &self.stick().to_string_lossy())
            .replace("https://mirror.example/", &format!("{}/", self.mirror))
            .replace("https://pypi.example/", &format!("{}/", self.origin()))
            .replace("--to 4711", &format!("--to {}", self.good))
    }

    /// Types it at a machine, in its home folder; all of it must end well. Gives what was seen.
    pub fn type_in(&self, machine: &str, script: &str) -> String {
        let file = self.folder.path().join("script");
        fs::write(&file, self.put(script)).expect("a file");
        let typist = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/typist.py");
        let mut command = Command::new(tools::python("python"));
        command.arg(typist).arg(format!("the passphrase of {machine}")).arg(PATIENCE.to_string());
        let output = run(self.at(machine, command.arg(file)), secs(PATIENCE + 30));
        let seen = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "at {machine}:\n{}\n{}:\n{seen}{}",
            self.put(script),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        seen
    }

    /// Starts what serves, and waits until it is ready.
    pub fn serve(&mut self, machine: &str, command: &str) {
        assert!(self.served.is_none(), "it runs already");
        self.starts += 1;
        let log = self.folder.path().join(format!("serve-{}.log", self.starts));
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("exec {}", self.put(command))]);
        let mut daemon = Daemon::spawn(self.at(machine, &mut shell), &log);
        let ready = format!("{}/readyz", self.admin());
        daemon.wait_for("readiness", secs(180), |_| {
            Request::new("GET", &ready).try_send().ok().filter(|answer| answer.status == 200)
        });
        self.served = Some(daemon);
    }

    /// Ctrl-C; it must end well.
    pub fn stop(&mut self) {
        let mut daemon = self.served.take().expect("a process that serves");
        daemon.signal("INT");
        let status = daemon.wait(secs(120));
        assert_eq!(status.code(), Some(0), "{}", daemon.log());
    }

    fn at<'a>(&self, machine: &str, command: &'a mut Command) -> &'a mut Command {
        let home = self.home(machine);
        let python = tools::python("python").with_file_name("");
        let path = env::var_os("PATH").unwrap_or_default();
        let own = [self.folder.path().join("bin"), python];
        let path = env::join_paths(own.into_iter().chain(env::split_paths(&path))).expect("a path");
        command.current_dir(&home).env_clear();
        command.env("HOME", &home).env("PATH", path).env("TERM", "dumb").env("NO_COLOR", "1");
        if machine == "sidecar" {
            command
                .env("COUNTERSIGN_LISTEN", format!("127.0.0.1:{}", self.ports[0]))
                .env("COUNTERSIGN_ADMIN_LISTEN", format!("127.0.0.1:{}", self.ports[1]))
                .env("COUNTERSIGN_WATCH__INTERVAL", "1s")
                .env("COUNTERSIGN_SIGNING__RELOAD", "1s");
            if let Some(other) = &self.other_mirror {
                command.env("COUNTERSIGN_UPSTREAM__URL", format!("{other}/simple/"));
            }
        }
        command
    }
}
