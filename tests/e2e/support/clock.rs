//! A wall clock that can be turned, for one process, by libfaketime.
//!
//! Only what the process reads as the time of day changes. Its monotonic clock goes on as it went, so that
//! timers, timeouts and the event loop work; and files keep the dates that the kernel gives them.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

/// A turned clock; starts out right.
pub struct WrongClock {
    folder: TempDir,
}

/// Where Debian's package puts the library for programs with threads.
pub fn library() -> PathBuf {
    let name = "faketime/libfaketimeMT.so.1";
    let below_lib = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    below_lib
        .map(|entry| entry.path().join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from("/usr/lib").join(name))
}

impl WrongClock {
    pub fn new() -> Self {
        let clock = Self { folder: tempfile::tempdir().expect("a folder") };
        clock.turn(0);
        clock
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    /// So many seconds ahead of the right time, or behind it; a running process notices within two seconds.
    pub fn turn(&self, seconds: i64) {
        let aside = self.folder.path().join("aside");
        fs::write(&aside, format!("{seconds:+}\n")).expect("a file");
        fs::rename(aside, self.file()).expect("a move");
    }

    /// What a process needs to live by it.
    pub fn env(&self) -> Vec<(String, String)> {
        let file = self.file();
        [
            ("LD_PRELOAD", library().to_str().expect("a name")),
            ("FAKETIME_TIMESTAMP_FILE", file.to_str().expect("a name")),
            ("FAKETIME_CACHE_DURATION", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}
