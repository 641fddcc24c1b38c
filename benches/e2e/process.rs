//! What a server costs: the CPU time and the memory of its processes.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// A process and its children, such as nginx's workers.
pub struct Server {
    pids: Vec<u32>,
}

/// CPU time so far, by thread.
pub struct Clock<'a> {
    server: &'a Server,
    start: BTreeMap<(u32, String), u64>,
}

impl Server {
    pub fn new(pid: u32) -> Self {
        Self { pids: [vec![pid], children(pid)].concat() }
    }

    /// This process, which is the client.
    pub fn client() -> Self {
        Self { pids: vec![std::process::id()] }
    }

    pub fn clock(&self) -> Clock<'_> {
        Clock { server: self, start: self.run_times() }
    }

    /// Resident memory of all its processes, MiB. What they share is counted with each.
    pub fn resident(&self) -> f64 {
        self.pids.iter().map(|pid| resident(*pid)).sum::<u64>() as f64 / 1024.0
    }

    /// Nanoseconds on a processor, as the scheduler counts them: `/proc/<pid>/stat` would give hundredths of a second.
    fn run_times(&self) -> BTreeMap<(u32, String), u64> {
        let mut times = BTreeMap::new();
        for pid in &self.pids {
            let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("a running process");
            for task in tasks.flatten() {
                // A thread may end meanwhile.
                let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
                let time = text.split(' ').next().and_then(|time| time.parse().ok());
                let thread = task.file_name().to_string_lossy().into_owned();
                times.insert((*pid, thread), time.unwrap_or(0));
            }
        }
        times
    }
}

impl Clock<'_> {
    /// CPU time since the clock was made. Threads that ended since, idle ones, are left out.
    pub fn elapsed(&self) -> Duration {
        let end = self.server.run_times();
        let nanos = end.iter().map(|(thread, time)| {
            time.saturating_sub(self.start.get(thread).copied().unwrap_or_default())
        });
        Duration::from_nanos(nanos.sum())
    }
}

fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

/// The second field after the name, which may hold anything.
fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// KiB.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
