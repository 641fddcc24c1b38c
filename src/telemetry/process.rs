//! The `process_…` metrics of the Prometheus conventions, read from Linux's `/proc`.

use std::fs;
use std::sync::{Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, IntGauge};

/// `/proc` counts processor time in this unit, the kernel's `USER_HZ`: 100 on every platform that Rust's tier 1 and 2 name.
const TICKS_A_SECOND: f64 = 100.0;

/// Reads `/proc` anew at each scrape. Where there is none, the values stay at 0.
pub(super) struct ProcessCollector {
    cpu: Counter,
    memory: IntGauge,
    files: IntGauge,
    start: Gauge,
    scrape: Mutex<()>,
}

impl ProcessCollector {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            cpu: Counter::new("process_cpu_seconds_total", "User and system processor time.")?,
            memory: IntGauge::new("process_resident_memory_bytes", "Resident memory.")?,
            files: IntGauge::new("process_open_fds", "Open file descriptors.")?,
            start: Gauge::new("process_start_time_seconds", "Start, Unix time.")?,
            scrape: Mutex::new(()),
        })
    }

    fn members(&self) -> [&dyn Collector; 4] {
        [&self.cpu, &self.memory, &self.files, &self.start]
    }

    fn update(&self) {
        // Two scrapes at once would both add the same processor time.
        let _alone = self.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stat) = read("/proc/self/stat").as_deref().and_then(Stat::parse) {
            self.cpu.inc_by((stat.cpu - self.cpu.get()).max(0.0));
            if let Some(boot) = read("/proc/stat").as_deref().and_then(boot_time) {
                self.start.set(boot + stat.start);
            }
        }
        if let Some(bytes) = read("/proc/self/status").as_deref().and_then(resident_bytes) {
            self.memory.set(bytes);
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            // One of them is the folder that is being read.
            self.files.set(i64::try_from(files.count()).unwrap_or(i64::MAX).saturating_sub(1));
        }
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.members().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.update();
        self.members().into_iter().flat_map(Collector::collect).collect()
    }
}

/// What `/proc/self/stat` (proc_pid_stat(5)) says, in seconds.
struct Stat {
    cpu: f64,
    start: f64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the command in parentheses and may hold spaces; the third follows the last ')'.
        let (_, rest) = text.rsplit_once(')')?;
        let field = |number: usize| {
            let ticks: f64 = rest.split_whitespace().nth(number - 3)?.parse().ok()?;
            Some(ticks / TICKS_A_SECOND)
        };
        Some(Self { cpu: field(14)? + field(15)?, start: field(22)? })
    }
}

/// When the machine started, Unix seconds.
fn boot_time(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn resident_bytes(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.split_whitespace().next()?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let text = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 4 0 12345 1 2";
        let stat = Stat::parse(text).unwrap();
        assert!((stat.cpu - 2.0).abs() < 1e-9);
        assert!((stat.start - 123.45).abs() < 1e-9);
        assert_eq!(boot_time("cpu 1 2\nbtime 1700000000\n"), Some(1.7e9));
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2048 * 1024));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_memory_and_files() {
        let process = ProcessCollector::new().unwrap();
        process.update();
        assert!(process.memory.get() > 1_000_000);
        assert!(process.files.get() >= 3);
        assert!(process.start.get() > 1.6e9);
    }
}
