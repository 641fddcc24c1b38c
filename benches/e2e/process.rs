//! What a server costs: the CPU time and the memory of its processes.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// A process and its children, such as nginx's workers.
pub struct Server {
    pids: Vec<u32>,
}

/// CPU time so far.
pub struct Clock<'a> {
    server: &'a Server,
    /// By thread, nanoseconds.
    start: BTreeMap<(u32, String), u64>,
    /// Of the processes, those of their threads that have ended too.
    all: u64,
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
        Clock { server: self, start: self.run_times(), all: self.hundredths() }
    }

    /// Resident memory of all its processes, MiB. What they share is counted with each.
    pub fn resident(&self) -> f64 {
        self.pids.iter().map(|pid| memory(*pid, "VmRSS:")).sum::<u64>() as f64 / 1024.0
    }

    /// The most memory that was resident since [`Self::forget_peak`], MiB.
    pub fn peak(&self) -> f64 {
        self.pids.iter().map(|pid| memory(*pid, "VmHWM:")).sum::<u64>() as f64 / 1024.0
    }

    /// From now on the peak is that of what follows (proc(5), `clear_refs`).
    pub fn forget_peak(&self) {
        for pid in &self.pids {
            fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a process of our own");
        }
    }

    /// CPU time of the processes, hundredths of a second.
    fn hundredths(&self) -> u64 {
        let fields = |pid: &u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
            let fields = stat.rsplit_once(") ").expect("a name").1.split(' ');
            // User and system time are fields 14 and 15, and this begins with the third.
            fields
                .skip(11)
                .take(2)
                .map(|field| field.parse::<u64>().expect("a number"))
                .sum::<u64>()
        };
        self.pids.iter().map(fields).sum()
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
    /// CPU time since the clock was made. What threads did that ended since, as idle ones do, is known to hundredths of a second.
    pub fn elapsed(&self) -> Duration {
        let end = self.server.run_times();
        let nanos = end.iter().map(|(thread, time)| {
            time.saturating_sub(self.start.get(thread).copied().unwrap_or_default())
        });
        let all = Duration::from_millis(10 * (self.server.hundredths() - self.all));
        Duration::from_nanos(nanos.sum()).max(all)
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
fn memory(pid: u32, which: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix(which)).expect(which);
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
