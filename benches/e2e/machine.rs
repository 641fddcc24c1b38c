//! What it was measured on.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use super::support::tools::Tool;

/// One line: processor, kernel, what else ran, and how this was built.
pub fn describe() -> String {
    let cores = available_parallelism().map_or(1, usize::from);
    let build = if cfg!(debug_assertions) {
        "DEBUG BUILD: these figures mean nothing"
    } else {
        "release build"
    };
    format!(
        "{cores} cores ({}), Linux {}, load {}, {}, {build}",
        processor(),
        read("/proc/sys/kernel/osrelease").trim(),
        read("/proc/loadavg").split(' ').next().unwrap_or("?"),
        nginx()
    )
}

fn processor() -> String {
    let text = read("/proc/cpuinfo");
    let name = text.lines().find_map(|line| line.strip_prefix("model name"));
    name.unwrap_or("?").trim_start_matches([' ', '\t', ':']).to_owned()
}

fn nginx() -> String {
    let output = Command::new(Tool::Nginx.path()).arg("-v").output().expect("nginx");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.trim().trim_start_matches("nginx version: ").to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
